package csi

import (
	"context"
	"strconv"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func (s *controllerServer) ValidateVolumeCapabilities(_ context.Context, r *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	if r.GetVolumeId() == "" || len(r.GetVolumeCapabilities()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "the volume's ID or the capabilities are missing")
	}
	if _, err := s.store.volume(r.GetVolumeId()); err != nil {
		return nil, err
	}
	if why := s.unsupported(r.GetVolumeCapabilities()); why != "" {
		return &csi.ValidateVolumeCapabilitiesResponse{Message: why}, nil
	}
	return &csi.ValidateVolumeCapabilitiesResponse{Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{
		VolumeContext:      r.GetVolumeContext(),
		VolumeCapabilities: r.GetVolumeCapabilities(),
		Parameters:         r.GetParameters(),
	}}, nil
}

func (s *controllerServer) ListVolumes(_ context.Context, r *csi.ListVolumesRequest) (*csi.ListVolumesResponse, error) {
	all, err := s.store.volumes()
	if err != nil {
		return nil, status.Errorf(codes.Internal, "list volumes: %v", err)
	}
	some, next, err := page(all, r.GetStartingToken(), r.GetMaxEntries())
	if err != nil {
		return nil, err
	}
	answer := &csi.ListVolumesResponse{NextToken: next}
	for _, v := range some {
		answer.Entries = append(answer.Entries, &csi.ListVolumesResponse_Entry{Volume: v.message()})
	}
	return answer, nil
}

func (s *controllerServer) GetCapacity(_ context.Context, r *csi.GetCapacityRequest) (*csi.GetCapacityResponse, error) {
	if s.unsupported(r.GetVolumeCapabilities()) != "" {
		return &csi.GetCapacityResponse{}, nil
	}
	used, err := s.store.used()
	if err != nil {
		return nil, status.Errorf(codes.Internal, "capacity: %v", err)
	}
	left := max(0, s.capacity-used)
	return &csi.GetCapacityResponse{
		AvailableCapacity: left,
		MaximumVolumeSize: wrapperspb.Int64(left),
		MinimumVolumeSize: wrapperspb.Int64(minBytes),
	}, nil
}

// page returns the entries from the token on, at most limit of them (0: all), and the token
// of the rest. A token is the number of entries before it.
func page[T any](all []T, token string, limit int32) (some []T, next string, err error) {
	start := 0
	if token != "" {
		if start, err = strconv.Atoi(token); err != nil || start < 0 || start > len(all) {
			return nil, "", status.Errorf(codes.Aborted, "token %q is not one of ours: list from the start", token)
		}
	}
	some = all[start:]
	if limit > 0 && len(some) > int(limit) {
		some = some[:limit]
		next = strconv.Itoa(start + int(limit))
	}
	return some, next, nil
}
