package csi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxSocketPath is the longest path of a Unix socket (sun_path of unix(7), less the zero).
const maxSocketPath = 107

// listen opens the Unix socket of an endpoint (unix:///PATH or a path), in place of one that
// a killed process left.
func listen(endpoint string) (net.Listener, error) {
	socket := socketPath(endpoint)
	if !filepath.IsAbs(socket) {
		return nil, fmt.Errorf("endpoint %q is no Unix socket: give unix:///ABSOLUTE/PATH", endpoint)
	}
	if len(socket) > maxSocketPath {
		return nil, fmt.Errorf("socket path %s has %d characters, the kernel allows %d: use a shorter state folder", socket, len(socket), maxSocketPath)
	}
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		return nil, err
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return net.Listen("unix", socket)
}

func socketPath(endpoint string) string {
	return strings.TrimPrefix(strings.TrimPrefix(endpoint, "unix:"), "//")
}

// controller returns a server with the services of the driver's controller.
func (d *driver) controller() *grpc.Server {
	s := grpc.NewServer(grpc.UnaryInterceptor(logCalls(d.log)))
	csi.RegisterIdentityServer(s, &identityServer{driver: d})
	csi.RegisterControllerServer(s, &controllerServer{driver: d})
	return s
}

// nodePlugin returns a server with the services of the driver on its node.
func (d *driver) nodePlugin() *grpc.Server {
	s := grpc.NewServer(grpc.UnaryInterceptor(logCalls(d.log)))
	csi.RegisterIdentityServer(s, &identityServer{driver: d})
	csi.RegisterNodeServer(s, &nodeServer{driver: d})
	return s
}

// serve runs the server until ctx ends, then lets calls in progress come to their end.
func serve(ctx context.Context, s *grpc.Server, l net.Listener) error {
	stop := context.AfterFunc(ctx, s.GracefulStop)
	defer stop()
	return s.Serve(l)
}

// logCalls writes one line for each call that changes something or fails.
func logCalls(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		started := time.Now()
		answer, err := handle(ctx, request)
		method := path.Base(info.FullMethod)
		attributes := []any{"call", method, "took", time.Since(started).Round(time.Millisecond)}
		if r, ok := request.(interface{ GetVolumeId() string }); ok {
			attributes = append(attributes, "volume", r.GetVolumeId())
		}
		if r, ok := request.(interface{ GetName() string }); ok {
			attributes = append(attributes, "name", r.GetName())
		}
		switch {
		case err != nil:
			log.Warn("refused", append(attributes, "code", status.Code(err), "error", err)...)
			if _, ok := status.FromError(err); !ok {
				err = status.Error(codes.Internal, err.Error())
			}
		case changes(method):
			log.Info("done", attributes...)
		}
		return answer, err
	}
}

// changes says whether a method does more than answer.
func changes(method string) bool {
	for _, asks := range []string{"Get", "List", "Probe", "Validate", "NodeGet", "ControllerGet"} {
		if strings.HasPrefix(method, asks) {
			return false
		}
	}
	return true
}
