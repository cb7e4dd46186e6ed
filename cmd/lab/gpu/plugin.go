package gpu

import (
	"context"
	"os"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	deviceplugin "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"

	"aiv.internal/conformance/cmd/lab/gpu/device"
)

// interval is how often files are looked at that nobody tells of.
const interval = 200 * time.Millisecond

// plugin answers the kubelet (device plugin API v1beta1) as NVIDIA's does with the device list
// strategy "volume-mounts".
type plugin struct {
	deviceplugin.UnimplementedDevicePluginServer
	uuids []string
	// unhealthy is the file that exists while the last device is to be unhealthy.
	unhealthy string
	// stopped ends what watches, when the server does.
	stopped <-chan struct{}
}

func (p *plugin) GetDevicePluginOptions(context.Context, *deviceplugin.Empty) (*deviceplugin.DevicePluginOptions, error) {
	return &deviceplugin.DevicePluginOptions{}, nil
}

// ListAndWatch sends the devices, and again when the health of one changes.
func (p *plugin) ListAndWatch(_ *deviceplugin.Empty, stream grpc.ServerStreamingServer[deviceplugin.ListAndWatchResponse]) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for sent, broken := false, false; ; {
		if now := p.lastIsBroken(); !sent || now != broken {
			sent, broken = true, now
			if err := stream.Send(&deviceplugin.ListAndWatchResponse{Devices: p.devices(broken)}); err != nil {
				return err
			}
		}
		select {
		case <-ticker.C:
		case <-stream.Context().Done():
			return nil
		case <-p.stopped:
			return nil
		}
	}
}

func (p *plugin) lastIsBroken() bool {
	_, err := os.Stat(p.unhealthy)
	return err == nil
}

func (p *plugin) devices(lastIsBroken bool) []*deviceplugin.Device {
	var all []*deviceplugin.Device
	for _, uuid := range p.uuids {
		all = append(all, &deviceplugin.Device{ID: uuid, Health: deviceplugin.Healthy})
	}
	if lastIsBroken && len(all) > 0 {
		all[len(all)-1].Health = deviceplugin.Unhealthy
	}
	return all
}

// Allocate says what a container with the devices gets: a mount for each, by which the
// container runtime knows them.
func (p *plugin) Allocate(_ context.Context, request *deviceplugin.AllocateRequest) (*deviceplugin.AllocateResponse, error) {
	answer := &deviceplugin.AllocateResponse{}
	for _, container := range request.GetContainerRequests() {
		given := &deviceplugin.ContainerAllocateResponse{Envs: map[string]string{device.VisibleDevices: device.VolumeMounts}}
		for _, uuid := range container.GetDevicesIds() {
			if !slices.Contains(p.uuids, uuid) {
				return nil, status.Errorf(codes.InvalidArgument, "this node has no device %s", uuid)
			}
			given.Mounts = append(given.Mounts, &deviceplugin.Mount{ContainerPath: device.MountPath(uuid), HostPath: os.DevNull})
		}
		answer.ContainerResponses = append(answer.ContainerResponses, given)
	}
	return answer, nil
}
