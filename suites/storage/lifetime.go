package storage

import (
	"context"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
	"aiv.internal/conformance/framework/throwaway"
)

// lastLook is how long a pod may take to see that its claim has grown, and to end.
const lastLook = 20 * time.Second

// lifetime is what happened to one volume: claimed, written by a pod, read back by another
// one, and grown meanwhile.
type lifetime struct {
	*claimed
	storageClass *storagev1.StorageClass
	write, read  outcome[probe.DiskResult]
	// alone is why no other node could be tried, "" where one was.
	alone string
	// larger is the size that the claim was to grow to, zero if that was not tried, and
	// growth why it did not.
	larger resource.Quantity
	growth error
}

// live takes the volume through all that the selected items ask about. Its error is what all
// of them share; what each stage met is kept with the stage.
func live(ctx context.Context, kit *throwaway.Kit, a answers.StorageClass) (*lifetime, error) {
	ctx, cancel := context.WithTimeout(ctx, chainTime)
	defer cancel()
	class, err := findClass(ctx, kit.Client().Kube, a.Name)
	if err != nil {
		return nil, finding.SeeItem(err, "6.1.1")
	}
	v := &lifetime{storageClass: class}
	v.claimed = claimVolume(ctx, kit, "volume", a.Name, userMode(a.AccessModes), check.Answers().StorageQuotas.PerUser)
	if v.refused != nil {
		return v, nil
	}
	data := probe.DiskOptions{Dir: dataDir, MiB: dataSize, Seed: rand.Uint64()}
	writer, err := kit.Pod(ctx, diskPod("write", v.claim, data.Args("write")))
	if err != nil {
		v.refused = blame(err, "a pod that writes to the volume")
		return v, nil
	}
	v.whileBinding(ctx, func(ctx context.Context) error {
		v.write = finish[probe.DiskResult](ctx, writer, "a pod writes to the volume")
		return v.write.err
	})
	if v.write.err != nil || v.write.result.Written == nil || !wanted("6.1.4.1", "6.2.3") {
		return v, nil
	}
	if v.read.err = leave(ctx, writer); v.read.err == nil {
		v.readBack(ctx, kit, data)
	}
	return v, nil
}

// userMode is the access mode of a single user's volume: ReadWriteOnce, unless others are all
// that is answered.
func userMode(modes []answers.AccessMode) corev1.PersistentVolumeAccessMode {
	if len(modes) > 0 && !supports(modes, answers.ReadWriteOnce) {
		return corev1.PersistentVolumeAccessMode(modes[0])
	}
	return corev1.ReadWriteOnce
}

// leave removes the pod and returns when its volume is unmounted.
func leave(ctx context.Context, pod *throwaway.Pod) error {
	ctx, cancel := context.WithTimeout(ctx, goneTime)
	defer cancel()
	if err := pod.Delete(ctx); err != nil {
		return err
	}
	return pod.Gone(ctx)
}

// readBack reads the volume on another node than it was written on, or on the same one where
// there is no other.
func (v *lifetime) readBack(ctx context.Context, kit *throwaway.Kit, data probe.DiskOptions) {
	v.readAvoiding(ctx, kit, data, v.write.node)
	switch {
	case volumeTied(v.read.err):
		v.read.err = finding.Failed("the volume follows its pod to another node", finding.As(v.read.err).Found,
			"the volume lies on one node's disk, or in a zone that has no other node: with that node, its data is gone",
			"use a StorageClass of shared or network storage, or have nodes added in that zone").Because(v.read.err)
	case nowhereElse(v.read.err):
		v.alone = finding.As(v.read.err).Found
		v.readAvoiding(ctx, kit, data)
	}
}

// readAvoiding reads the volume on other nodes than those named, and lets it grow meanwhile.
func (v *lifetime) readAvoiding(ctx context.Context, kit *throwaway.Kit, data probe.DiskOptions, nodes ...string) {
	const expected = "a second pod reads the volume"
	grows := expandable(v.storageClass) && wanted("6.2.3")
	if grows {
		v.larger = v.size.DeepCopy()
		v.larger.Add(oneMore)
		data.GrowFrom, data.GrowBy, data.GrowWait = v.write.result.Volume.Total, oneMore.Value(), growTime+lastLook
	}
	options := diskPod("read", v.claim, data.Args("verify"))
	options.AvoidNodes = nodes
	reader, err := kit.Pod(ctx, options)
	if err != nil {
		v.read.err = blame(err, expected)
		return
	}
	if !grows {
		v.read = finish[probe.DiskResult](ctx, reader, expected)
		return
	}
	if err := within(ctx, podTime, reader.Running); err != nil {
		v.read.err = blame(err, expected)
		reader.Delete(ctx) // it would keep the volume from the next one
		return
	}
	name := reader.Name()
	growing, ended := context.WithCancel(ctx)
	grown := make(chan error, 1)
	go func() {
		err := growInUse(growing, kit, v.claim, name, v.larger)
		if err != nil && growing.Err() == nil {
			// The pod would wait for what does not come; told to end, it says what it saw.
			kit.Client().Kube.CoreV1().Pods(kit.Namespace()).Delete(ctx, name, metav1.DeleteOptions{})
		}
		grown <- err
	}()
	v.read = finish[probe.DiskResult](ctx, reader, expected)
	ended() // a pod that has ended sees nothing grow any more
	v.growth = <-grown
}

func expandable(class *storagev1.StorageClass) bool {
	return ptr.Deref(class.AllowVolumeExpansion, false)
}
