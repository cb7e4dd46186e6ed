package faults

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"aiv.internal/conformance/cmd/lab/csi"
	"aiv.internal/conformance/cmd/lab/seed"
	"aiv.internal/conformance/cmd/lab/storage"
	"aiv.internal/conformance/cmd/lab/topology"
)

// onVolume are the checks that need a bound claim of the block class.
var onVolume = []string{"6.1.4.1", "6.2.1", "6.2.3"}

// storageFaults are the defects of the storage classes, their drivers and their volumes.
func storageFaults() []Fault {
	return []Fault{
		{
			Name:        "storageclass-missing",
			Description: "the answered StorageClass does not exist",
			Failed:      []string{"6.1.1"},
			Undecided:   []string{"6.1.2", "6.1.3", "6.1.5"},
			May:         onVolume,
			Words:       []string{"no StorageClass of that name"},
			Break: onCluster(func(ctx context.Context, c *seed.Cluster) error {
				err := c.Client.StorageV1().StorageClasses().Delete(ctx, topology.BlockClass, metav1.DeleteOptions{})
				if apierrors.IsNotFound(err) {
					return nil
				}
				return err
			}),
			Mend: mendOnCluster(func(ctx context.Context, c *seed.Cluster) error { return c.Apply(ctx, "", csi.Objects()) }),
		},
		answerFault(Fault{
			Name:        "backend-wrong",
			Description: "another storage backend is answered than the StorageClass has",
			Failed:      []string{"6.1.2"},
			Words:       []string{"nfs", topology.BlockProvisioner},
		}, `  backend: ceph-rbd`, `  backend: nfs`),
		answerFault(Fault{
			Name:        "provisioner-wrong",
			Description: "another provisioner is answered than the StorageClass has",
			Failed:      []string{"6.1.5"},
			Words:       []string{topology.BlockProvisioner, "nfs.csi.k8s.io"},
		}, `  provisioner: `+topology.BlockProvisioner, `  provisioner: nfs.csi.k8s.io`),
		{
			Name:        "storageclass-two-defaults",
			Description: "two StorageClasses carry the default annotation",
			Failed:      []string{"6.1.3"},
			Words:       []string{topology.BlockClass, topology.SharedClass},
			Break:       patchClass(topology.SharedClass, `{"metadata":{"annotations":{"storageclass.kubernetes.io/is-default-class":"true"}}}`),
			Mend:        mendClass(topology.SharedClass, `{"metadata":{"annotations":{"storageclass.kubernetes.io/is-default-class":null}}}`),
		},
		{
			Name:        "provisioner-dead",
			Description: "the provisioner of the block class does not run: claims wait for ever",
			Failed:      []string{"6.1.1"},
			May:         onVolume,
			Words:       []string{topology.BlockProvisioner},
			Break:       stopProcesses(storage.Provisioner("rbd")),
			Mend:        startProcesses,
		},
		{
			Name:        csi.FaultLosesData,
			Description: "a volume is formatted anew each time that a node attaches it",
			Failed:      []string{"6.1.4.1"},
			May:         []string{"6.2.3"},
			Words:       []string{"data"},
		},
		{
			Name:        csi.FaultReadOnly,
			Description: "volumes are mounted read-only",
			Failed:      []string{"6.1.4.1", "6.1.4.2"},
			May:         []string{"6.2.3"},
			Words:       []string{"read-only"},
		},
		{
			Name:        "access-denied",
			Description: "the drivers do not apply a pod's fsGroup: volumes belong to root and users cannot write",
			Failed:      []string{"6.1.4.1", "6.1.4.2"},
			May:         []string{"6.2.3"},
			Words:       []string{"permission"},
			Break:       patchDrivers(`{"spec":{"fsGroupPolicy":"None"}}`),
			Mend:        mendDrivers(`{"spec":{"fsGroupPolicy":"File"}}`),
		},
		{
			Name:        csi.FaultNotShared,
			Description: "each node has a directory of its own for the same shared volume",
			Failed:      []string{"6.1.4.2"},
			Words:       []string{"other"},
		},
		{
			Name:        csi.FaultLocksIgnored,
			Description: "POSIX locks on a shared volume hold on one node only, as on NFS without a lock daemon",
			Failed:      []string{"6.1.4.2"},
			Words:       []string{"lock"},
		},
		{
			Name:        csi.FaultSmallerVolume,
			Description: "the filesystem on a volume is smaller than what was asked for",
			Failed:      []string{"6.2.1", "6.2.2"},
			Words:       []string{"smaller"},
		},
		{
			Name:        "expansion-refused",
			Description: "the StorageClass does not allow volumes to grow",
			Failed:      []string{"6.2.3"},
			Words:       []string{"allowVolumeExpansion"},
			Break:       patchClass(topology.BlockClass, `{"allowVolumeExpansion":false}`),
			Mend:        mendClass(topology.BlockClass, `{"allowVolumeExpansion":true}`),
		},
		{
			Name:        csi.FaultGrowthStuck,
			Description: "a claim may grow, but the node never enlarges the filesystem",
			Failed:      []string{"6.2.3"},
			Words:       []string{"grow"},
		},
	}
}

type breakFunc = func(context.Context, *Lab, func([]byte) error) error
type mendFunc = func(context.Context, *Lab, []byte) error

// onCluster plants by one change of the cluster that needs nothing kept.
func onCluster(do func(context.Context, *seed.Cluster) error) breakFunc {
	return func(ctx context.Context, lab *Lab, _ func([]byte) error) error {
		cluster, err := lab.Cluster()
		if err != nil {
			return err
		}
		return do(ctx, cluster)
	}
}

func mendOnCluster(do func(context.Context, *seed.Cluster) error) mendFunc {
	plant := onCluster(do)
	return func(ctx context.Context, lab *Lab, _ []byte) error { return plant(ctx, lab, nil) }
}

func patchClass(name, patch string) breakFunc {
	return onCluster(func(ctx context.Context, c *seed.Cluster) error {
		_, err := c.Client.StorageV1().StorageClasses().Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		return err
	})
}

func mendClass(name, patch string) mendFunc {
	plant := patchClass(name, patch)
	return func(ctx context.Context, lab *Lab, _ []byte) error { return plant(ctx, lab, nil) }
}

func patchDrivers(patch string) breakFunc {
	return onCluster(func(ctx context.Context, c *seed.Cluster) error {
		for _, name := range []string{topology.BlockProvisioner, topology.SharedProvisioner} {
			if _, err := c.Client.StorageV1().CSIDrivers().Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
				return err
			}
		}
		return nil
	})
}

func mendDrivers(patch string) mendFunc {
	plant := patchDrivers(patch)
	return func(ctx context.Context, lab *Lab, _ []byte) error { return plant(ctx, lab, nil) }
}
