//go:build lab

package throwaway

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	nodev1 "k8s.io/api/node/v1"
	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/framework/throwaway"
)

// deviceDriver publishes a device and has no plugin in any kubelet.
const deviceDriver = "gpu.conformance.aiv.internal"

// publish publishes one device on the GPU node, as an administrator, and returns its class.
func publish(t *testing.T, ctx context.Context) string {
	t.Helper()
	devices := connectAs(t, "admin.kubeconfig").Kube.ResourceV1()
	name := fmt.Sprintf("conformance-test-%08x", rand.Uint32())
	slice := &resourcev1.ResourceSlice{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: resourcev1.ResourceSliceSpec{
		Driver: deviceDriver, NodeName: ptr.To(gpuNode),
		Pool:    resourcev1.ResourcePool{Name: name, Generation: 1, ResourceSliceCount: 1},
		Devices: []resourcev1.Device{{Name: "gpu-0", Attributes: map[resourcev1.QualifiedName]resourcev1.DeviceAttribute{"test": {StringValue: &name}}}},
	}}
	class := &resourcev1.DeviceClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: resourcev1.DeviceClassSpec{Selectors: []resourcev1.DeviceSelector{{
		CEL: &resourcev1.CELDeviceSelector{Expression: fmt.Sprintf("device.driver == %q && device.attributes[%q].test == %q", deviceDriver, deviceDriver, name)}}}}}
	t.Cleanup(func() {
		for what, err := range map[string]error{
			"slice": devices.ResourceSlices().Delete(context.Background(), name, metav1.DeleteOptions{}),
			"class": devices.DeviceClasses().Delete(context.Background(), name, metav1.DeleteOptions{}),
		} {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
	if _, err := devices.ResourceSlices().Create(ctx, slice, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := devices.DeviceClasses().Create(ctx, class, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return name
}

// The scheduler allocates the claimed device, and the kubelet knows no driver that would hand it
// out; then template and claim are gone, as begin's end sees.
func TestAClaimedDeviceWhoseDriverDoesNotRun(t *testing.T) {
	t.Parallel()
	ctx, run := limited(t), begin(t)
	class := publish(t, ctx)
	job, err := kit(t, run, "1.2.3").Job(ctx, throwaway.JobOptions{PodOptions: throwaway.PodOptions{DeviceClass: class}})
	if err != nil {
		t.Fatal(err)
	}
	endsWith(t, job, throwaway.DeviceNotPrepared, false, 30*time.Second)
	if job.Node() != gpuNode {
		t.Errorf("on node %q", job.Node())
	}
	claims, err := run.Client().Kube.ResourceV1().ResourceClaims(namespace).List(ctx, metav1.ListOptions{LabelSelector: throwaway.LabelItem + "=1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	for _, claim := range claims.Items {
		if strings.HasPrefix(claim.Name, job.Name()) && (claim.Status.Allocation == nil || claim.Status.Allocation.Devices.Results[0].Device != "gpu-0") {
			t.Errorf("not allocated: %+v", claim.Status)
		}
	}
	// The device is taken now: the next one finds no room, which is no defect.
	next, err := kit(t, run, "1.2.3").Job(ctx, throwaway.JobOptions{PodOptions: throwaway.PodOptions{DeviceClass: class}})
	if err != nil {
		t.Fatal(err)
	}
	endsWith(t, next, throwaway.NoRoom, true, 20*time.Second)
}

func TestADeviceClassThatIsNotThere(t *testing.T) {
	t.Parallel()
	ctx := limited(t)
	job, err := kit(t, begin(t), "1.2.3").Job(ctx, throwaway.JobOptions{PodOptions: throwaway.PodOptions{DeviceClass: "no-such-class", DeviceCount: 2}})
	if err != nil {
		t.Fatal(err)
	}
	endsWith(t, job, throwaway.Unschedulable, false, 20*time.Second)
}

// A RuntimeClass can be there while a node's runtime was never told of its handler.
func TestARuntimeClassThatTheNodeDoesNotKnow(t *testing.T) {
	t.Parallel()
	ctx := limited(t)
	classes := connectAs(t, "admin.kubeconfig").Kube.NodeV1().RuntimeClasses()
	class := &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("conformance-test-%08x", rand.Uint32())}, Handler: "no-such-handler"}
	t.Cleanup(func() {
		if err := classes.Delete(context.Background(), class.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	if _, err := classes.Create(ctx, class, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	job, err := kit(t, begin(t), "1.2.3").Job(ctx, throwaway.JobOptions{PodOptions: throwaway.PodOptions{RuntimeClass: class.Name}})
	if err != nil {
		t.Fatal(err)
	}
	endsWith(t, job, throwaway.NoRuntimeHandler, false, 30*time.Second)
}

func TestSweepOfClaimsOfDevicesAfterAKill(t *testing.T) {
	t.Parallel()
	ctx, client := limited(t), connect(t)
	class := publish(t, ctx)
	run, id := abandoned(t, client)
	job, err := run.Kit("1.2.3", forgotten).Job(ctx, throwaway.JobOptions{PodOptions: throwaway.PodOptions{DeviceClass: class}})
	if err != nil {
		t.Fatal(err)
	}
	endsWith(t, job, throwaway.DeviceNotPrepared, false, 30*time.Second)
	removed, err := throwaway.Sweep(ctx, client, namespace, throwaway.SweepOptions{RunID: id})
	if err != nil || !slices.Contains(removed, id+": resourceclaimtemplates/"+job.Name()) {
		t.Errorf("removed %v, %v", removed, err)
	}
	nothingLeft(t, client, id)
}
