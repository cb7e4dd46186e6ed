package csi

import (
	"bytes"
	"embed"
	"fmt"
)

//go:embed crd/*.yaml
var crds embed.FS

//go:embed manifests/storage.yaml
var storage []byte

// CRDs returns the snapshot API's definitions as one YAML stream, to be established before
// Objects are created. Volume group snapshots are among them although the lab takes none:
// snapshot-controller ends when one is missing.
func CRDs() []byte {
	var all bytes.Buffer
	entries, err := crds.ReadDir("crd")
	if err != nil {
		panic(fmt.Sprintf("embedded definitions: %v", err)) // only a broken build
	}
	for _, e := range entries {
		data, err := crds.ReadFile("crd/" + e.Name())
		if err != nil {
			panic(fmt.Sprintf("embedded definitions: %v", err))
		}
		all.WriteString("---\n")
		all.Write(data)
		all.WriteByte('\n')
	}
	return all.Bytes()
}

// Objects returns the CSIDrivers, StorageClasses and the VolumeSnapshotClass as one YAML
// stream.
func Objects() []byte { return storage }
