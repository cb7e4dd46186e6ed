package registry

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func TestExitProgramIsAnExecutable(t *testing.T) {
	for architecture, want := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		file, err := elf.NewFile(bytes.NewReader(exitProgram(architecture)))
		if err != nil {
			t.Fatalf("%s: %v", architecture, err)
		}
		if file.Machine != want || file.Type != elf.ET_EXEC || file.Class != elf.ELFCLASS64 {
			t.Errorf("%s: %+v", architecture, file.FileHeader)
		}
		code := make([]byte, len(exitCode[architecture].code))
		if _, err := file.Progs[0].ReadAt(code, int64(file.Entry-file.Progs[0].Vaddr)); err != nil || !bytes.Equal(code, exitCode[architecture].code) {
			t.Errorf("%s: at the entry stands %x (%v)", architecture, code, err)
		}
	}
}

// The program really runs on this machine, where it is one that the image is made for.
func TestExitProgramRuns(t *testing.T) {
	if _, made := exitCode[runtime.GOARCH]; !made || runtime.GOOS != "linux" {
		t.Skipf("no program for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	path := filepath.Join(t.TempDir(), "exit")
	if err := os.WriteFile(path, exitProgram(runtime.GOARCH), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v %q", err, out)
	}
}

func TestTinyImage(t *testing.T) {
	now := time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC)
	index, err := tinyImage("a", now)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 2 || manifest.Manifests[0].Platform.Architecture != "amd64" || manifest.Manifests[1].Platform.Architecture != "arm64" {
		t.Errorf("platforms: %+v", manifest.Manifests)
	}
	same, _ := tinyImage("a", now)
	other, _ := tinyImage("b", now)
	digest, _ := index.Digest()
	if d, _ := same.Digest(); d != digest {
		t.Error("the same mark gives another image")
	}
	if d, _ := other.Digest(); d == digest {
		t.Error("another mark gives the same image")
	}
}
