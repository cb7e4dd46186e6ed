package storage

import (
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"aiv.internal/conformance/framework/kubeerr"
)

func TestRefusalsOfLargeClaims(t *testing.T) {
	refusedWith := func(message string) error {
		err := apierrors.NewForbidden(schema.GroupResource{Resource: "persistentvolumeclaims"}, "over", errors.New(message))
		return kubeerr.FromAPI(err, "dry-run create") // as a dry run returns it
	}
	total := "exceeded quota: jupyterhub, requested: requests.storage=201Gi, used: requests.storage=1Gi, limited: requests.storage=200Gi"
	ofClass := "exceeded quota: jupyterhub, requested: ceph-rbd.storageclass.storage.k8s.io/requests.storage=201Gi, used: ceph-rbd.storageclass.storage.k8s.io/requests.storage=0, limited: ceph-rbd.storageclass.storage.k8s.io/requests.storage=200Gi"
	both := "exceeded quota: jupyterhub, requested: persistentvolumeclaims=1,requests.storage=201Gi, used: persistentvolumeclaims=9,requests.storage=1Gi, limited: persistentvolumeclaims=9,requests.storage=200Gi"
	number := "exceeded quota: jupyterhub, requested: persistentvolumeclaims=1, used: persistentvolumeclaims=9, limited: persistentvolumeclaims=9"
	maximum := "maximum storage usage per PersistentVolumeClaim is 50Gi, but request is 51Gi"
	for name, c := range map[string]struct {
		kind      limitKind
		err       error
		by, found string
		undecided bool
	}{
		"quota":                    {totalLimit, refusedWith(total), "quota", "", false},
		"quota of the class":       {totalLimit, refusedWith(ofClass), "quota", "", false},
		"quota of two resources":   {totalLimit, refusedWith(both), "quota", "", false},
		"quota of numbers":         {totalLimit, refusedWith(number), "", "persistentvolumeclaims=1", true},
		"quota that asks for more": {totalLimit, refusedWith("failed quota: jupyterhub: must specify requests.storage"), "", "must specify", true},
		"limit range before quota": {totalLimit, refusedWith(maximum), "limit range", "", false},
		"no quota":                 {totalLimit, nil, "", "would accept it", false},
		"limit range":              {claimLimit, refusedWith(maximum), "limit range", "", false},
		"quota before limit range": {claimLimit, refusedWith(total), "", "refused it first", true},
		"numbers before range":     {claimLimit, refusedWith(number), "", "refused it first", true},
		"no limit range":           {claimLimit, nil, "", "would accept it", false},
		"webhook":                  {claimLimit, refusedWith(`admission webhook "x" denied the request: no`), "", "webhook", true},
		"no right":                 {totalLimit, refusedWith(`User "x" cannot create resource "persistentvolumeclaims" in API group "" in the namespace "y"`), "", "create", true},
	} {
		t.Run(name, func(t *testing.T) {
			by, f := judgeRefusal(c.err, c.kind, resource.MustParse("200Gi"), resource.MustParse("201Gi"))
			if c.found == "" {
				if f != nil || !strings.Contains(by, c.by) {
					t.Errorf("by %q: %v", by, f)
				}
				return
			}
			if f == nil || !strings.Contains(f.Error(), c.found) || f.Undecided != c.undecided {
				t.Errorf("by %q: %+v", by, f)
			}
		})
	}
}
