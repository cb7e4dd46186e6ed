package csi

import (
	"context"
	"log/slog"
	"path/filepath"

	"google.golang.org/grpc"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

// registrar tells the kubelet that watches its plugins_registry directory where the node's
// driver listens. It stands for the node-driver-registrar sidecar.
type registrar struct {
	registration.UnimplementedRegistrationServer
	driver, socket string
	log            *slog.Logger
}

func (r *registrar) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type:              registration.CSIPlugin,
		Name:              r.driver,
		Endpoint:          r.socket,
		SupportedVersions: []string{"1.0.0"},
	}, nil
}

func (r *registrar) NotifyRegistrationStatus(_ context.Context, s *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	if s.GetPluginRegistered() {
		r.log.Info("registered with the kubelet")
	} else {
		r.log.Error("the kubelet refused the driver", "error", s.GetError())
	}
	return &registration.RegistrationStatusResponse{}, nil
}

// register serves the registration socket of the driver until ctx ends.
func (d *driver) register(ctx context.Context, kubeletDir, socket string) error {
	l, err := listen(filepath.Join(kubeletDir, "plugins_registry", d.name+"-reg.sock"))
	if err != nil {
		return err
	}
	s := grpc.NewServer()
	registration.RegisterRegistrationServer(s, &registrar{driver: d.name, socket: socket, log: d.log})
	return serve(ctx, s, l)
}
