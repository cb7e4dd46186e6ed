package csi

import (
	"context"
	"errors"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func (s *nodeServer) NodeGetVolumeStats(_ context.Context, r *csi.NodeGetVolumeStatsRequest) (*csi.NodeGetVolumeStatsResponse, error) {
	if r.GetVolumeId() == "" || r.GetVolumePath() == "" {
		return nil, status.Error(codes.InvalidArgument, "the volume's ID or its path is missing")
	}
	if _, err := s.store.volume(r.GetVolumeId()); err != nil {
		return nil, err
	}
	there, err := mounted(r.GetVolumePath())
	if err == nil && !there {
		return nil, status.Errorf(codes.NotFound, "volume %q is not at %s", r.GetVolumeId(), r.GetVolumePath())
	}
	var fs unix.Statfs_t
	if err == nil {
		err = unix.Statfs(r.GetVolumePath(), &fs)
	}
	if err != nil {
		return nil, status.Errorf(codes.Internal, "statistics of %s: %v", r.GetVolumePath(), err)
	}
	return &csi.NodeGetVolumeStatsResponse{Usage: []*csi.VolumeUsage{
		{
			Unit:      csi.VolumeUsage_BYTES,
			Total:     int64(fs.Blocks) * fs.Bsize,
			Available: int64(fs.Bavail) * fs.Bsize,
			Used:      int64(fs.Blocks-fs.Bfree) * fs.Bsize,
		},
		{
			Unit:      csi.VolumeUsage_INODES,
			Total:     int64(fs.Files),
			Available: int64(fs.Ffree),
			Used:      int64(fs.Files - fs.Ffree),
		},
	}}, nil
}

func (s *nodeServer) NodeExpandVolume(ctx context.Context, r *csi.NodeExpandVolumeRequest) (*csi.NodeExpandVolumeResponse, error) {
	if r.GetVolumeId() == "" || r.GetVolumePath() == "" {
		return nil, status.Error(codes.InvalidArgument, "the volume's ID or its path is missing")
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
	whole := s.store.whole(v.ID, s.node)
	there, err := mounted(whole)
	if err == nil && !there {
		return nil, status.Errorf(codes.FailedPrecondition, "volume %q is not staged on %s", v.ID, s.node)
	}
	if err == nil && s.active(FaultGrowthStuck) {
		err = errors.New("the filesystem did not take the new size (fault " + FaultGrowthStuck + " of the lab)")
	}
	if err == nil {
		err = s.growToDevice(ctx, v, whole)
	}
	if err != nil {
		return nil, status.Errorf(codes.Internal, "grow volume %q on %s: %v", v.ID, s.node, err)
	}
	return &csi.NodeExpandVolumeResponse{CapacityBytes: v.Bytes}, nil
}

// growToDevice makes the kernel see the image's new size and the filesystem use it.
func (s *nodeServer) growToDevice(ctx context.Context, v *volume, whole string) error {
	device, ok := loopOf(s.store.image(v.ID))
	if !ok {
		return errors.New("its image has no loop device: it is not mounted on this machine")
	}
	if err := refreshSize(device); err != nil {
		return err
	}
	return grow(ctx, whole)
}
