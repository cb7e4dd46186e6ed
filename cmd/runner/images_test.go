package main

import "testing"

func TestMirrored(t *testing.T) {
	const digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, c := range []struct{ image, host, want string }{
		{"artifactory.aiv.internal/ml/conformance:v1", "", "artifactory.aiv.internal/ml/conformance:v1"},
		{"artifactory.aiv.internal/ml/conformance:v1", "mirror.aiv.internal:5000", "mirror.aiv.internal:5000/ml/conformance:v1"},
		{"artifactory.aiv.internal/ml/conformance@" + digest, "mirror.aiv.internal", "mirror.aiv.internal/ml/conformance@" + digest},
		{"", "mirror.aiv.internal", ""},
	} {
		got, err := mirrored(c.image, c.host)
		if err != nil || got != c.want {
			t.Errorf("mirrored(%q, %q) = %q, %v, want %q", c.image, c.host, got, err, c.want)
		}
	}
	if _, err := mirrored("artifactory.aiv.internal/ml/conformance:v1", "no host"); err == nil {
		t.Error("what is no host was taken for one")
	}
}
