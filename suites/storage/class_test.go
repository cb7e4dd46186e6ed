package storage

import (
	"strings"
	"testing"

	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
)

func TestBackends(t *testing.T) {
	for _, c := range []struct {
		provisioner string
		backend     answers.StorageBackend
		want        bool
	}{
		{"rbd.csi.ceph.com", answers.CephRBD, true},
		{"rook-ceph.rbd.csi.ceph.com", answers.CephRBD, true},
		{"openshift-storage.rbd.csi.ceph.com", answers.CephRBD, true},
		{"openshift-storage.cephfs.csi.ceph.com", answers.CephRBD, false},
		{"openshift-storage.cephfs.csi.ceph.com", answers.CephFS, true},
		{"cephfs.csi.ceph.com", answers.NFS, false},
		{"nfs.csi.k8s.io", answers.NFS, true},
		{"rook-ceph.nfs.csi.ceph.com", answers.NFS, true},
		{"k8s-sigs.io/nfs-subdir-external-provisioner", answers.NFS, true},
		{"cluster.local/nfs-client-nfs-subdir-external-provisioner", answers.NFS, true},
		{"ebs.csi.aws.com", answers.CephRBD, false},
		{"notrbd.csi.ceph.com", answers.CephRBD, false},
	} {
		if got := belongs(c.provisioner, c.backend); got != c.want {
			t.Errorf("%s is of %s: %v", c.provisioner, c.backend, got)
		}
	}
	if text := backendText("cephfs.csi.ceph.com"); text != " (cephfs)" {
		t.Errorf("backend of CephFS's driver: %q", text)
	}
	if text := backendText("ebs.csi.aws.com"); text != "" {
		t.Errorf("backend of an unknown driver: %q", text)
	}
}

func TestDefault(t *testing.T) {
	for _, c := range []struct {
		name     string
		answered bool
		defaults []string
		words    string // "" where it fits
	}{
		{"as answered", true, []string{"ceph-rbd"}, ""},
		{"none, as answered", false, nil, ""},
		{"another, as answered", false, []string{"cephfs"}, ""},
		{"none", true, nil, "no StorageClass is the default"},
		{"another", true, []string{"cephfs"}, "the default is cephfs"},
		{"unwanted", false, []string{"ceph-rbd"}, "it is the default"},
		{"two", true, []string{"ceph-rbd", "cephfs"}, "2 StorageClasses are default: ceph-rbd, cephfs"},
		{"two others", false, []string{"a", "b"}, "2 StorageClasses are default: a, b"},
	} {
		t.Run(c.name, func(t *testing.T) { wantFinding(t, judgeDefault("ceph-rbd", c.answered, c.defaults), c.words) })
	}
}

func TestDefaultAnnotations(t *testing.T) {
	class := func(name, key, value string) storagev1.StorageClass {
		return storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{key: value}}}
	}
	got := defaultNames([]storagev1.StorageClass{
		class("z", defaultAnnotation, "true"), class("beta", betaDefaultAnnotation, "true"),
		class("no", defaultAnnotation, "false"), class("other", "a", "true"),
	})
	if strings.Join(got, " ") != "beta z" {
		t.Errorf("defaults: %v", got)
	}
}

func TestMissingClassNamesThoseThatAreThere(t *testing.T) {
	client := fake.NewClientset(&storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "cephfs"}},
		&storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "ceph-rbd"}})
	_, err := findClass(t.Context(), client, "ceph-rdb")
	wantFinding(t, finding.As(err), "there are: ceph-rbd, cephfs")
	other := finding.As(finding.SeeItem(err, "6.1.1"))
	if other == nil || !other.Undecided || other.Do != "see item 6.1.1" {
		t.Errorf("another item's finding: %+v", other)
	}
	if class, err := findClass(t.Context(), client, "cephfs"); err != nil || class.Name != "cephfs" {
		t.Errorf("a class that is there: %v, %v", class, err)
	}
}

// wantFinding wants a failed finding with these words, or none where words is empty.
func wantFinding(t *testing.T, f *finding.Finding, words string) {
	t.Helper()
	switch {
	case words == "" && f != nil:
		t.Errorf("found: %v", f)
	case words == "":
	case f == nil:
		t.Errorf("nothing found, want %q", words)
	case f.Undecided || !strings.Contains(f.Error(), words) || f.Do == "" || f.Expected == "":
		t.Errorf("want a failure with %q:\n%+v", words, f)
	}
}
