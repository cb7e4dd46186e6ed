package gpu

import _ "embed"

//go:embed manifests/clusterpolicy-crd.yaml
var crd []byte

//go:embed manifests/operator.yaml
var objects []byte

// CRDs returns the definition of the operator's ClusterPolicy, to be established before
// Objects are created.
func CRDs() []byte { return crd }

// Objects returns what NVIDIA's operator has in a cluster and the lab has too: the
// RuntimeClass and the ClusterPolicy.
func Objects() []byte { return objects }
