package csi

import (
	"context"
	"os"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxVolumes is how many volumes the scheduler may give one node.
const maxVolumes = 128

// nodeServer mounts volumes on one node.
type nodeServer struct {
	csi.UnimplementedNodeServer
	*driver
}

func (s *nodeServer) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: s.node, MaxVolumesPerNode: maxVolumes}, nil
}

func (s *nodeServer) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	var all []*csi.NodeServiceCapability
	for _, t := range []csi.NodeServiceCapability_RPC_Type{
		csi.NodeServiceCapability_RPC_STAGE_UNSTAGE_VOLUME,
		csi.NodeServiceCapability_RPC_GET_VOLUME_STATS,
		csi.NodeServiceCapability_RPC_EXPAND_VOLUME,
		csi.NodeServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER,
	} {
		all = append(all, &csi.NodeServiceCapability{Type: &csi.NodeServiceCapability_Rpc{
			Rpc: &csi.NodeServiceCapability_RPC{Type: t},
		}})
	}
	return &csi.NodeGetCapabilitiesResponse{Capabilities: all}, nil
}

func (s *nodeServer) NodeStageVolume(ctx context.Context, r *csi.NodeStageVolumeRequest) (*csi.NodeStageVolumeResponse, error) {
	if r.GetVolumeId() == "" || r.GetStagingTargetPath() == "" || r.GetVolumeCapability() == nil {
		return nil, status.Error(codes.InvalidArgument, "the volume's ID, the staging path or the capability is missing")
	}
	if err := s.checkCapabilities([]*csi.VolumeCapability{r.GetVolumeCapability()}); err != nil {
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
	if err := s.refuseSecondNode(v); err != nil {
		return nil, err
	}
	if err := s.stage(ctx, v, r.GetVolumeCapability().GetMount().GetMountFlags()); err != nil {
		return nil, status.Errorf(codes.Internal, "stage volume %q on %s: %v", v.ID, s.node, err)
	}
	return &csi.NodeStageVolumeResponse{}, nil
}

// refuseSecondNode keeps a volume of a driver that does not share on one node: two mounts
// of one XFS by two kernels would destroy it, and that is what the lab stands for.
func (s *nodeServer) refuseSecondNode(v *volume) error {
	if s.shared {
		return nil
	}
	others, err := s.stagedElsewhere(v.ID)
	if err != nil {
		return status.Errorf(codes.Internal, "volume %q: %v", v.ID, err)
	}
	if len(others) > 0 {
		return status.Errorf(codes.FailedPrecondition,
			"volume %q is in use on node %s and can be on one node at a time: end the pods that use it there", v.ID, strings.Join(others, ", "))
	}
	return nil
}

func (s *nodeServer) NodeUnstageVolume(ctx context.Context, r *csi.NodeUnstageVolumeRequest) (*csi.NodeUnstageVolumeResponse, error) {
	if r.GetVolumeId() == "" || r.GetStagingTargetPath() == "" {
		return nil, status.Error(codes.InvalidArgument, "the volume's ID or the staging path is missing")
	}
	if !validID.MatchString(r.GetVolumeId()) { // never ours, so nowhere mounted
		return &csi.NodeUnstageVolumeResponse{}, nil
	}
	unlock, err := s.store.lock(ctx, r.GetVolumeId())
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := s.unstage(r.GetVolumeId()); err != nil {
		return nil, status.Errorf(codes.Internal, "unstage volume %q on %s: %v", r.GetVolumeId(), s.node, err)
	}
	return &csi.NodeUnstageVolumeResponse{}, nil
}

func (s *nodeServer) NodePublishVolume(_ context.Context, r *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	if r.GetVolumeId() == "" || r.GetTargetPath() == "" || r.GetVolumeCapability() == nil {
		return nil, status.Error(codes.InvalidArgument, "the volume's ID, the target path or the capability is missing")
	}
	if r.GetStagingTargetPath() == "" {
		return nil, status.Error(codes.FailedPrecondition, "the staging path is missing: the volume must be staged first")
	}
	if err := s.checkCapabilities([]*csi.VolumeCapability{r.GetVolumeCapability()}); err != nil {
		return nil, err
	}
	if _, err := s.store.volume(r.GetVolumeId()); err != nil {
		return nil, err
	}
	source, staged, err := s.shown(r.GetVolumeId())
	if err == nil && !staged {
		return nil, status.Errorf(codes.FailedPrecondition, "volume %q is not staged on %s", r.GetVolumeId(), s.node)
	}
	if err == nil {
		err = s.publish(source, r.GetTargetPath(), r.GetReadonly())
	}
	if err != nil {
		return nil, status.Errorf(codes.Internal, "publish volume %q on %s: %v", r.GetVolumeId(), s.node, err)
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

// publish shows the staged volume at the target, where a pod's container finds it.
func (s *nodeServer) publish(source, target string, readOnly bool) error {
	there, err := mounted(target)
	if err != nil || there {
		return err
	}
	if err := os.MkdirAll(target, 0o750); err != nil {
		return err
	}
	return bind(source, target, readOnly || s.active(FaultReadOnly))
}

func (s *nodeServer) NodeUnpublishVolume(_ context.Context, r *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	if r.GetVolumeId() == "" || r.GetTargetPath() == "" {
		return nil, status.Error(codes.InvalidArgument, "the volume's ID or the target path is missing")
	}
	err := unmountAll(r.GetTargetPath())
	if err == nil {
		// Remove, not RemoveAll: a mount that was missed must not lose its files.
		if err = os.Remove(r.GetTargetPath()); os.IsNotExist(err) {
			err = nil
		}
	}
	if err != nil {
		return nil, status.Errorf(codes.Internal, "unpublish volume %q on %s: %v", r.GetVolumeId(), s.node, err)
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}
