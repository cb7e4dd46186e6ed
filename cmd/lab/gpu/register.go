package gpu

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	deviceplugin "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"

	"aiv.internal/conformance/cmd/lab/gpu/device"
)

// pluginFolder is where plugins and the kubelet meet, below the kubelet's folder.
const pluginFolder = "device-plugins"

// Sockets in it: the kubelet's and the plugin's.
const (
	kubeletSocket = "kubelet.sock"
	pluginSocket  = "nvidia-gpu.sock"
)

// server keeps the plugin known to the kubelet.
type server struct {
	// folder is that of both sockets.
	folder    string
	uuids     []string
	unhealthy string
	log       *slog.Logger
}

// run serves until ctx ends. A kubelet that starts forgets its plugins and removes their
// sockets: each time that it does, the plugin listens and registers anew.
func (s server) run(ctx context.Context) error {
	for {
		if err := s.once(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		s.log.Info("the kubelet has started anew")
	}
}

// once serves until the kubelet starts anew, or ctx ends.
func (s server) once(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	path := filepath.Join(s.folder, pluginSocket)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	grpcServer := grpc.NewServer()
	deviceplugin.RegisterDevicePluginServer(grpcServer, &plugin{uuids: s.uuids, unhealthy: s.unhealthy, stopped: ctx.Done()})
	served := make(chan error, 1)
	go func() { served <- grpcServer.Serve(listener) }()
	// At once: the kubelet's watch of the devices does not end by itself.
	defer grpcServer.Stop()

	told := s.register(ctx)
	for s.holds(told) {
		select {
		case err := <-served:
			return err
		case <-ctx.Done():
			return nil
		case <-time.After(interval):
		}
	}
	return nil
}

// register tells the kubelet of the plugin, as soon as there is a kubelet, and returns the
// socket of the one that was told; nil where ctx ended, or a kubelet that starts took the
// plugin's own socket away.
func (s server) register(ctx context.Context) (told fs.FileInfo) {
	var said string
	for ctx.Err() == nil && s.listens() {
		socket, err := os.Stat(filepath.Join(s.folder, kubeletSocket))
		if err == nil {
			err = s.tell(ctx)
		}
		if err == nil {
			s.log.Info("registered with the kubelet", "resource", device.Resource, "devices", len(s.uuids))
			return socket
		}
		if err.Error() != said {
			said = err.Error()
			s.log.Info("not registered yet", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(interval):
		}
	}
	return nil
}

func (s server) tell(ctx context.Context) error {
	connection, err := grpc.NewClient("unix:"+filepath.Join(s.folder, kubeletSocket), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err = deviceplugin.NewRegistrationClient(connection).Register(ctx, &deviceplugin.RegisterRequest{
		Version: deviceplugin.Version, Endpoint: pluginSocket, ResourceName: device.Resource,
	})
	return err
}

// holds says whether the kubelet is still the one that was told, and the plugin's own socket
// is still there.
func (s server) holds(told fs.FileInfo) bool {
	now, err := os.Stat(filepath.Join(s.folder, kubeletSocket))
	// A socket in the place of another may have its inode number, but not its time.
	same := err == nil && told != nil && os.SameFile(now, told) && now.ModTime().Equal(told.ModTime())
	return same && s.listens()
}

// listens says whether the plugin's own socket is there for the kubelet to find.
func (s server) listens() bool {
	_, err := os.Stat(filepath.Join(s.folder, pluginSocket))
	return err == nil
}
