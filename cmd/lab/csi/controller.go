package csi

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// controllerServer provisions volumes and snapshots.
type controllerServer struct {
	csi.UnimplementedControllerServer
	*driver
}

// capacityLock is the lock that adding up sizes and creating goes under.
const capacityLock = "capacity"

func (s *controllerServer) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	var all []*csi.ControllerServiceCapability
	for _, t := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_LIST_VOLUMES,
		csi.ControllerServiceCapability_RPC_GET_CAPACITY,
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
		csi.ControllerServiceCapability_RPC_LIST_SNAPSHOTS,
		csi.ControllerServiceCapability_RPC_CLONE_VOLUME,
		csi.ControllerServiceCapability_RPC_EXPAND_VOLUME,
		csi.ControllerServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER,
	} {
		all = append(all, &csi.ControllerServiceCapability{Type: &csi.ControllerServiceCapability_Rpc{
			Rpc: &csi.ControllerServiceCapability_RPC{Type: t},
		}})
	}
	return &csi.ControllerGetCapabilitiesResponse{Capabilities: all}, nil
}

func (s *controllerServer) CreateVolume(ctx context.Context, r *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	if r.GetName() == "" {
		return nil, status.Error(codes.InvalidArgument, "the volume's name is missing")
	}
	if err := s.checkCapabilities(r.GetVolumeCapabilities()); err != nil {
		return nil, err
	}
	size, err := sizeFor(r.GetCapacityRange())
	if err != nil {
		return nil, err
	}
	wanted := &volume{
		ID: idFor("vol", r.GetName()), Name: r.GetName(), Bytes: size, Created: time.Now().UTC(),
		FromSnapshot: r.GetVolumeContentSource().GetSnapshot().GetSnapshotId(),
		FromVolume:   r.GetVolumeContentSource().GetVolume().GetVolumeId(),
	}
	unlock, err := s.store.lock(ctx, wanted.ID)
	if err != nil {
		return nil, err
	}
	defer unlock()

	there, err := s.store.volume(wanted.ID)
	if err == nil {
		if why := there.differs(wanted, r.GetCapacityRange()); why != "" {
			return nil, status.Errorf(codes.AlreadyExists, "volume %q exists already, but %s", there.Name, why)
		}
		return &csi.CreateVolumeResponse{Volume: there.message()}, nil
	}
	if status.Code(err) != codes.NotFound {
		return nil, err
	}
	if err := s.provision(ctx, wanted); err != nil {
		return nil, err
	}
	return &csi.CreateVolumeResponse{Volume: wanted.message()}, nil
}

// provision makes the image of a new volume, from its source if it has one.
func (s *controllerServer) provision(ctx context.Context, v *volume) error {
	fill := func(image string) error { return os.WriteFile(image, nil, 0o600) }
	switch {
	case v.FromSnapshot != "":
		from, err := s.store.snapshot(v.FromSnapshot)
		if err != nil {
			return err
		}
		v.Bytes = max(v.Bytes, from.Bytes)
		fill = func(image string) error {
			return copySparse(ctx, s.store.snapshotDir(from.ID)+"/"+imageFile, image)
		}
	case v.FromVolume != "":
		if _, err := s.store.volume(v.FromVolume); err != nil {
			return err
		}
		unlock, err := s.store.lock(ctx, v.FromVolume)
		if err != nil {
			return err
		}
		defer unlock()
		from, err := s.store.volume(v.FromVolume)
		if err != nil {
			return err
		}
		v.Bytes = max(v.Bytes, from.Bytes)
		fill = func(image string) error { return s.copyAtRest(ctx, from.ID, image) }
	}
	release, err := s.reserve(ctx, v.Bytes)
	if err != nil {
		return err
	}
	defer release()
	err = s.store.create(s.store.volumeDir(v.ID), "volume.json", v, func(image string) error {
		if err := fill(image); err != nil {
			return err
		}
		return os.Truncate(image, v.Bytes)
	})
	if err != nil {
		return status.Errorf(codes.Internal, "volume %q: %v", v.Name, err)
	}
	return nil
}

// reserve refuses what the capacity does not hold any more, and otherwise keeps others from
// taking it until release is called.
func (s *controllerServer) reserve(ctx context.Context, bytes int64) (release func(), err error) {
	release, err = s.store.lock(ctx, capacityLock)
	if err != nil {
		return nil, err
	}
	used, err := s.store.used()
	if err == nil && used+bytes > s.capacity {
		err = status.Errorf(codes.ResourceExhausted,
			"%d bytes asked for, but only %d of %d are left: delete volumes or raise --capacity", bytes, s.capacity-used, s.capacity)
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

func (s *controllerServer) DeleteVolume(ctx context.Context, r *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	id := r.GetVolumeId()
	if id == "" {
		return nil, status.Error(codes.InvalidArgument, "the volume's ID is missing")
	}
	if !validID.MatchString(id) { // never ours, so it is gone
		return &csi.DeleteVolumeResponse{}, nil
	}
	unlock, err := s.store.lock(ctx, id)
	if err != nil {
		return nil, err
	}
	defer unlock()
	users, err := s.stagedOn(id)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "volume %q: %v", id, err)
	}
	if len(users) > 0 {
		return nil, status.Errorf(codes.FailedPrecondition, "volume %q is still staged on %s", id, strings.Join(users, ", "))
	}
	if err := s.store.remove(s.store.volumeDir(id)); err != nil {
		return nil, status.Errorf(codes.Internal, "delete volume %q: %v", id, err)
	}
	return &csi.DeleteVolumeResponse{}, nil
}

func (s *controllerServer) ControllerExpandVolume(ctx context.Context, r *csi.ControllerExpandVolumeRequest) (*csi.ControllerExpandVolumeResponse, error) {
	if r.GetVolumeId() == "" || r.GetCapacityRange() == nil {
		return nil, status.Error(codes.InvalidArgument, "the volume's ID or its new size is missing")
	}
	size, err := sizeFor(r.GetCapacityRange())
	if err != nil {
		return nil, err
	}
	if _, err := s.store.volume(r.GetVolumeId()); err != nil {
		return nil, err
	}
	unlock, err := s.store.lock(ctx, r.GetVolumeId())
	if err != nil {
		return nil, err
	}
	defer unlock()
	v, err := s.store.volume(r.GetVolumeId())
	if err != nil {
		return nil, err
	}
	if size > v.Bytes {
		if err := s.enlarge(ctx, v, size); err != nil {
			return nil, err
		}
	}
	return &csi.ControllerExpandVolumeResponse{CapacityBytes: v.Bytes, NodeExpansionRequired: true}, nil
}

// enlarge makes the image larger; the filesystem in it follows on the node.
func (s *controllerServer) enlarge(ctx context.Context, v *volume, size int64) error {
	release, err := s.reserve(ctx, size-v.Bytes)
	if err != nil {
		return err
	}
	defer release()
	if err := os.Truncate(s.store.image(v.ID), size); err != nil {
		return status.Errorf(codes.Internal, "enlarge volume %q: %v", v.ID, err)
	}
	v.Bytes = size
	if err := writeJSON(s.store.volumeDir(v.ID)+"/volume.json", v); err != nil {
		return status.Errorf(codes.Internal, "enlarge volume %q: %v", v.ID, err)
	}
	return nil
}

// differs says why an existing volume is not the one that is asked for; empty if it is.
func (v *volume) differs(wanted *volume, asked *csi.CapacityRange) string {
	limit := asked.GetLimitBytes()
	switch {
	case v.Bytes < asked.GetRequiredBytes() || limit > 0 && v.Bytes > limit:
		return fmt.Sprintf("has %d bytes", v.Bytes)
	case v.FromSnapshot != wanted.FromSnapshot:
		return fmt.Sprintf("was made from snapshot %q", v.FromSnapshot)
	case v.FromVolume != wanted.FromVolume:
		return fmt.Sprintf("was made from volume %q", v.FromVolume)
	}
	return ""
}

// message is the volume in the words of CSI.
func (v *volume) message() *csi.Volume {
	m := &csi.Volume{
		VolumeId: v.ID, CapacityBytes: v.Bytes,
		VolumeContext: map[string]string{"lab.aiv.internal/simulated": Simulated},
	}
	switch {
	case v.FromSnapshot != "":
		m.ContentSource = &csi.VolumeContentSource{Type: &csi.VolumeContentSource_Snapshot{
			Snapshot: &csi.VolumeContentSource_SnapshotSource{SnapshotId: v.FromSnapshot},
		}}
	case v.FromVolume != "":
		m.ContentSource = &csi.VolumeContentSource{Type: &csi.VolumeContentSource_Volume{
			Volume: &csi.VolumeContentSource_VolumeSource{VolumeId: v.FromVolume},
		}}
	}
	return m
}
