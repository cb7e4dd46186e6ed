package csi

import (
	"context"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func (s *controllerServer) CreateSnapshot(ctx context.Context, r *csi.CreateSnapshotRequest) (*csi.CreateSnapshotResponse, error) {
	if r.GetName() == "" || r.GetSourceVolumeId() == "" {
		return nil, status.Error(codes.InvalidArgument, "the snapshot's name or its volume is missing")
	}
	id := idFor("snap", r.GetName())
	unlock, err := s.store.lock(ctx, id)
	if err != nil {
		return nil, err
	}
	defer unlock()

	there, err := s.store.snapshot(id)
	if err == nil {
		if there.VolumeID != r.GetSourceVolumeId() {
			return nil, status.Errorf(codes.AlreadyExists, "snapshot %q exists already, but of volume %q", there.Name, there.VolumeID)
		}
		return &csi.CreateSnapshotResponse{Snapshot: there.message()}, nil
	}
	if status.Code(err) != codes.NotFound {
		return nil, err
	}
	taken, err := s.take(ctx, id, r.GetName(), r.GetSourceVolumeId())
	if err != nil {
		return nil, err
	}
	return &csi.CreateSnapshotResponse{Snapshot: taken.message()}, nil
}

// take copies the volume's image as it is now.
func (s *controllerServer) take(ctx context.Context, id, name, volumeID string) (*snapshot, error) {
	if _, err := s.store.volume(volumeID); err != nil {
		return nil, err
	}
	unlock, err := s.store.lock(ctx, volumeID)
	if err != nil {
		return nil, err
	}
	defer unlock()
	v, err := s.store.volume(volumeID)
	if err != nil {
		return nil, err
	}
	taken := &snapshot{ID: id, Name: name, VolumeID: v.ID, Bytes: v.Bytes, Created: time.Now().UTC()}
	err = s.store.create(s.store.snapshotDir(id), "snapshot.json", taken, func(image string) error {
		return s.copyAtRest(ctx, v.ID, image)
	})
	if err != nil {
		return nil, status.Errorf(codes.Internal, "snapshot %q: %v", name, err)
	}
	return taken, nil
}

func (s *controllerServer) DeleteSnapshot(ctx context.Context, r *csi.DeleteSnapshotRequest) (*csi.DeleteSnapshotResponse, error) {
	id := r.GetSnapshotId()
	if id == "" {
		return nil, status.Error(codes.InvalidArgument, "the snapshot's ID is missing")
	}
	if !validID.MatchString(id) { // never ours, so it is gone
		return &csi.DeleteSnapshotResponse{}, nil
	}
	unlock, err := s.store.lock(ctx, id)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := s.store.remove(s.store.snapshotDir(id)); err != nil {
		return nil, status.Errorf(codes.Internal, "delete snapshot %q: %v", id, err)
	}
	return &csi.DeleteSnapshotResponse{}, nil
}

func (s *controllerServer) ListSnapshots(_ context.Context, r *csi.ListSnapshotsRequest) (*csi.ListSnapshotsResponse, error) {
	all, err := s.store.snapshots()
	if err != nil {
		return nil, status.Errorf(codes.Internal, "list snapshots: %v", err)
	}
	var wanted []*snapshot
	for _, v := range all {
		if (r.GetSnapshotId() == "" || r.GetSnapshotId() == v.ID) &&
			(r.GetSourceVolumeId() == "" || r.GetSourceVolumeId() == v.VolumeID) {
			wanted = append(wanted, v)
		}
	}
	some, next, err := page(wanted, r.GetStartingToken(), r.GetMaxEntries())
	if err != nil {
		return nil, err
	}
	answer := &csi.ListSnapshotsResponse{NextToken: next}
	for _, v := range some {
		answer.Entries = append(answer.Entries, &csi.ListSnapshotsResponse_Entry{Snapshot: v.message()})
	}
	return answer, nil
}

// message is the snapshot in the words of CSI.
func (v *snapshot) message() *csi.Snapshot {
	return &csi.Snapshot{
		SnapshotId: v.ID, SourceVolumeId: v.VolumeID, SizeBytes: v.Bytes,
		CreationTime: timestamppb.New(v.Created), ReadyToUse: true,
	}
}
