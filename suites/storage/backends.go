package storage

import (
	"path"
	"slices"
	"strings"

	"aiv.internal/conformance/framework/answers"
)

// provisioners are the names under which a backend's drivers are known, with * for anything.
// Rook puts its operator's namespace before the driver's name; OpenShift Data Foundation is
// Rook in openshift-storage. An external provisioner's name begins with whatever its
// installer liked.
var provisioners = map[answers.StorageBackend][]string{
	answers.CephRBD: {"rbd.csi.ceph.com", "*.rbd.csi.ceph.com", "kubernetes.io/rbd", "ceph.com/rbd"},
	answers.CephFS:  {"cephfs.csi.ceph.com", "*.cephfs.csi.ceph.com", "ceph.com/cephfs"},
	answers.NFS:     {"nfs.csi.k8s.io", "*nfs*", "csi.trident.netapp.io", "csi-isilon.dellemc.com"},
}

// belongs tells whether a provisioner is known to be of the backend.
func belongs(provisioner string, backend answers.StorageBackend) bool {
	return slices.ContainsFunc(provisioners[backend], func(pattern string) bool {
		// path.Match's * stops at a slash, which here is a letter like any other.
		fits, err := path.Match(flat(pattern), flat(provisioner))
		return err == nil && fits
	})
}

func flat(name string) string { return strings.ReplaceAll(name, "/", ":") }

// backendText says in parentheses which backend a provisioner is of, "" if none is known.
func backendText(provisioner string) string {
	for _, backend := range []answers.StorageBackend{answers.CephRBD, answers.CephFS, answers.NFS} {
		if belongs(provisioner, backend) {
			return " (" + string(backend) + ")"
		}
	}
	return ""
}
