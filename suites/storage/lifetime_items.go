package storage

import (
	"context"
	"fmt"
	"strings"

	storagev1 "k8s.io/api/storage/v1"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
	"aiv.internal/conformance/framework/throwaway"
)

var _ = check.Subsection("6.1", func() {
	check.Chain("the life of a user's volume", func() {
		var v *lifetime
		ready := check.Prepare("6.1.1", func(ctx context.Context, kit *throwaway.Kit, a answers.StorageClass) (err error) {
			v, err = live(ctx, kit, a)
			return err
		})

		check.Item("6.1.1", func(ctx context.Context, a answers.StorageClass) {
			class, err := findClass(ctx, check.Cluster().Client, a.Name)
			check.NoError(err, "find StorageClass "+a.Name)
			describe(class)
			ready()
			v.requireClaim("6.2.1")
			if f := finding.As(v.unbound); f != nil {
				f.Expected = fmt.Sprintf("StorageClass %s (provisioner %s) gives a claim a volume", class.Name, class.Provisioner)
			}
			check.NoError(v.unbound, "bind a claim")
			check.Evidence("volume", v.claim.Volume())
		})

		check.Item("6.1.4.1", func(ctx context.Context, a answers.StorageClass) {
			if !supports(a.AccessModes, answers.ReadWriteOnce) {
				check.NotApplicable("storageClass.accessModes does not name ReadWriteOnce")
			}
			ready()
			v.requireVolume("6.2.1", "6.1.1")
			check.NoError(v.write.err, "write to the volume")
			report(judgeWritten(v.write.result))
			writing(v.write)
			check.NoError(v.read.err, "read the volume in a second pod")
			report(judgeRead(v.write.result, v.read.result))
			reading(v.read)
			if v.alone != "" {
				check.Warn("the volume was read on the node that it was written on: "+v.alone, "no other node takes the pod",
					"run it again when there is one: a user's pod may come back on any node")
			}
		})

		check.Item("6.2.1", func(ctx context.Context, a answers.StorageQuotas) {
			ready()
			if v.tooLarge != nil {
				failRefused(v.tooLarge, "storageQuotas.perUser", a.PerUser.Quantity)
			}
			v.requireVolume("6.2.1", "6.1.1")
			proveSize(v.claimed, v.write.result.Volume, v.write.err, "6.1.4.1")
			proveLimits(ctx, a, v.class, v.mode)
		})

		check.Item("6.2.3", func(ctx context.Context, a answers.StorageClass) {
			class := classOf(ctx, a.Name)
			if !expandable(class) {
				check.Fail("StorageClass "+class.Name+" has allowVolumeExpansion: true", "allowVolumeExpansion is not set",
					"a full volume can then only be replaced by a larger one, by hand", "have allowVolumeExpansion set to true: drivers of Ceph can grow volumes in use")
			}
			ready()
			v.requireVolume("6.2.1", "6.1.1")
			check.NoError(finding.SeeItem(v.write.err, "6.1.4.1"), "write to the volume")
			check.NoError(pointTo(judgeWritten(v.write.result), "6.1.4.1"), "write to the volume")
			check.NoError(finding.SeeItem(v.read.err, "6.1.4.1"), "read the volume")
			check.NoError(pointTo(judgeRead(v.write.result, v.read.result), "6.1.4.1"), "read the volume")
			report(judgeGrown(v.read.result, v.growth, v.size, v.larger))
			check.Evidence("filesystem before", size(v.read.result.Grown.From))
			check.Evidence("filesystem after", size(v.read.result.Grown.To))
			check.Evidence("seconds until the pod saw it", v.read.result.Grown.Seconds)
		})
	})
})

// simulatedMark ends the key of the annotation with which a test cluster owns up to what only
// stands for a real storage there.
const simulatedMark = "/simulated"

// describe records what a StorageClass promises.
func describe(class *storagev1.StorageClass) {
	check.Evidence("StorageClass", class.Name)
	check.Evidence("provisioner", class.Provisioner)
	for key, text := range class.Annotations {
		if strings.HasSuffix(key, simulatedMark) {
			check.Evidence("simulated", text)
		}
	}
	if class.ReclaimPolicy != nil {
		check.Evidence("reclaim policy", string(*class.ReclaimPolicy))
	}
	if class.VolumeBindingMode != nil {
		check.Evidence("binding", string(*class.VolumeBindingMode))
	}
}

func writing(o outcome[probe.DiskResult]) {
	w := o.result.Written
	check.Evidence("written on", o.node)
	check.Evidence("filesystem", o.result.Volume.Type)
	check.Evidence("owner of a new file", fmt.Sprintf("%d:%d", w.UID, w.GID))
	check.Evidence("SHA-256", w.SHA256)
	check.Evidence("write MiB/s", w.MiBPerSecond)
	check.Evidence("fsync of 4 KiB, 99 % within ms", w.SyncP99)
}

func reading(o outcome[probe.DiskResult]) {
	check.Evidence("read on", o.node)
	check.Evidence("read MiB/s", o.result.Verified.MiBPerSecond)
}

// pointTo is seeOther for a finding that may be nil.
func pointTo(f *finding.Finding, item string) error {
	if f == nil {
		return nil
	}
	return finding.SeeItem(f, item)
}

// proveSize ends the check as failed where the filesystem is smaller than what was claimed.
// err is why it was not looked at, which the other item reports.
func proveSize(c *claimed, volume probe.Volume, err error, item string) {
	check.NoError(finding.SeeItem(err, item), "look at the volume")
	if volume.Total == 0 {
		check.Undecided("a filesystem of "+c.size.String(), "the pod could not look at it", "", "see item "+item)
	}
	check.Evidence("claimed", c.size.String())
	check.Evidence("filesystem", size(volume.Total))
	report(judgeSize(c.size, volume.Total))
	if unlimited(c.size, volume.Total) {
		check.Warn(fmt.Sprintf("the filesystem has %s, far more than the claim's %s", size(volume.Total), c.size.String()),
			"the storage does not enforce a claim's size, as NFS without quotas: one user can take the space of all", "set quotas in the storage backend")
	}
}
