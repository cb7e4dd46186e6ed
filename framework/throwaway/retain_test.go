package throwaway

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	"aiv.internal/conformance/framework/finding"
)

func TestAClassThatKeepsItsVolumesIsNotClaimedUnasked(t *testing.T) {
	api, client := newAPI(t)
	api.mutex.Lock()
	for name, policy := range map[string]string{"keeps": "Retain", "deletes": "Delete"} {
		api.store("ADDED", "/apis/storage.k8s.io/v1/storageclasses/"+name, map[string]any{
			"kind": "StorageClass", "apiVersion": "storage.k8s.io/v1", "metadata": map[string]any{"name": name}, "reclaimPolicy": policy})
	}
	api.mutex.Unlock()
	run := begin(t, client, "r1")
	k, _ := kit(run, "6.1.1")
	claim := func(class string) error {
		_, err := k.Claim(t.Context(), ClaimOptions{Class: class, Size: resource.MustParse("1Gi")})
		return err
	}
	if f := finding.As(claim("keeps")); f == nil || !f.Undecided || !strings.Contains(f.Found, "Retain") || len(api.names("persistentvolumeclaims")) != 0 {
		t.Errorf("got %v and claims %v", f, api.names("persistentvolumeclaims"))
	}
	if err := claim("deletes"); err != nil {
		t.Error(err)
	}
	run.settings.RetainedVolumes = true
	if err := claim("keeps"); err != nil {
		t.Error(err)
	}
}
