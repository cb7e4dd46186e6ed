package gpu

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	deviceplugin "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"

	"aiv.internal/conformance/cmd/lab/gpu/device"
)

// patience is for what takes a fraction of it.
const patience = 10 * time.Second

// kubelet is the registration service of one, which hands on what it is told.
type kubelet struct {
	deviceplugin.UnimplementedRegistrationServer
	told chan *deviceplugin.RegisterRequest
}

func (k *kubelet) Register(_ context.Context, request *deviceplugin.RegisterRequest) (*deviceplugin.Empty, error) {
	k.told <- request
	return &deviceplugin.Empty{}, nil
}

// startKubelet does what a kubelet does as it starts: it removes all sockets and listens.
func startKubelet(t *testing.T, folder string) (told <-chan *deviceplugin.RegisterRequest, stop func()) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(folder, "*.sock"))
	if err != nil {
		t.Fatal(err)
	}
	for _, socket := range left {
		if err := os.Remove(socket); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := net.Listen("unix", filepath.Join(folder, kubeletSocket))
	if err != nil {
		t.Fatal(err)
	}
	k := &kubelet{told: make(chan *deviceplugin.RegisterRequest, 8)}
	served := grpc.NewServer()
	deviceplugin.RegisterRegistrationServer(served, k)
	go func() { _ = served.Serve(listener) }()
	return k.told, served.Stop
}

func receive(t *testing.T, told <-chan *deviceplugin.RegisterRequest) *deviceplugin.RegisterRequest {
	t.Helper()
	select {
	case request := <-told:
		return request
	case <-time.After(patience):
		t.Fatal("the plugin did not register")
		return nil
	}
}

// startPlugin runs the plugin of a node with two devices until the test ends.
func startPlugin(t *testing.T) server {
	t.Helper()
	s := server{
		folder: t.TempDir(), uuids: device.UUIDs(2),
		unhealthy: filepath.Join(t.TempDir(), "unhealthy"), log: slog.New(slog.DiscardHandler),
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

func dial(t *testing.T, socket string) deviceplugin.DevicePluginClient {
	t.Helper()
	connection, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return deviceplugin.NewDevicePluginClient(connection)
}

func TestRegisters(t *testing.T) {
	s := startPlugin(t)
	// A kubelet that starts later than the plugin removes the socket of one it never knew.
	for began := time.Now(); !s.listens(); time.Sleep(time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatal("the plugin does not listen")
		}
	}
	told, stop := startKubelet(t, s.folder)
	request := receive(t, told)
	if !s.listens() {
		t.Error("registered a socket that is not there")
	}
	if request.GetResourceName() != "nvidia.com/gpu" || request.GetVersion() != "v1beta1" {
		t.Errorf("registered as %v", request)
	}
	stop()
	// A kubelet that starts anew knows nothing of the plugin and has removed its socket.
	told, stop = startKubelet(t, s.folder)
	defer stop()
	request = receive(t, told)
	options, err := dial(t, filepath.Join(s.folder, request.GetEndpoint())).GetDevicePluginOptions(t.Context(), &deviceplugin.Empty{})
	if err != nil || options.GetPreStartRequired() {
		t.Errorf("options are %v, error %v", options, err)
	}
}

func TestListAndWatch(t *testing.T) {
	s := startPlugin(t)
	told, stop := startKubelet(t, s.folder)
	defer stop()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream, err := dial(t, filepath.Join(s.folder, receive(t, told).GetEndpoint())).ListAndWatch(ctx, &deviceplugin.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want ...string) {
		t.Helper()
		answer, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i, found := range answer.GetDevices() {
			if found.GetID() != s.uuids[i] {
				t.Errorf("device %d is %s", i, found.GetID())
			}
			got = append(got, found.GetHealth())
		}
		if !slices.Equal(got, want) {
			t.Errorf("the devices are %v, want %v", got, want)
		}
	}
	expect("Healthy", "Healthy")
	if err := os.WriteFile(s.unhealthy, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expect("Healthy", "Unhealthy")
	if err := os.Remove(s.unhealthy); err != nil {
		t.Fatal(err)
	}
	expect("Healthy", "Healthy")
}

func TestAllocate(t *testing.T) {
	s := startPlugin(t)
	told, stop := startKubelet(t, s.folder)
	defer stop()
	client := dial(t, filepath.Join(s.folder, receive(t, told).GetEndpoint()))
	ask := func(uuids ...string) (*deviceplugin.AllocateResponse, error) {
		return client.Allocate(t.Context(), &deviceplugin.AllocateRequest{
			ContainerRequests: []*deviceplugin.ContainerAllocateRequest{{DevicesIds: uuids}},
		})
	}
	answer, err := ask(s.uuids[1])
	if err != nil {
		t.Fatal(err)
	}
	given := answer.GetContainerResponses()[0]
	if mounts := given.GetMounts(); len(mounts) != 1 || mounts[0].GetHostPath() != "/dev/null" ||
		mounts[0].GetContainerPath() != "/var/run/nvidia-container-devices/"+s.uuids[1] {
		t.Errorf("given are the mounts %v", mounts)
	}
	if given.GetEnvs()[device.VisibleDevices] != device.VolumeMounts {
		t.Errorf("given is the environment %v", given.GetEnvs())
	}
	if _, err := ask("GPU-0"); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a device of nobody's: %v", err)
	}
}
