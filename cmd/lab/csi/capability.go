package csi

import (
	"fmt"
	"slices"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// oneNode are the access modes that keep a volume on one node at a time.
var oneNode = []csi.VolumeCapability_AccessMode_Mode{
	csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER,
	csi.VolumeCapability_AccessMode_SINGLE_NODE_READER_ONLY,
	csi.VolumeCapability_AccessMode_SINGLE_NODE_SINGLE_WRITER,
	csi.VolumeCapability_AccessMode_SINGLE_NODE_MULTI_WRITER,
}

// unsupported says why the driver cannot give a volume these capabilities; empty if it can.
func (d *driver) unsupported(capabilities []*csi.VolumeCapability) string {
	for _, c := range capabilities {
		if c.GetBlock() != nil {
			return "raw block volumes are not offered: ask for volumeMode Filesystem"
		}
		if fs := c.GetMount().GetFsType(); fs != "" && fs != "xfs" {
			return fmt.Sprintf("filesystem %q is not offered: ask for xfs", fs)
		}
		mode := c.GetAccessMode().GetMode()
		if mode == csi.VolumeCapability_AccessMode_UNKNOWN {
			return "the access mode is missing"
		}
		if !d.shared && !slices.Contains(oneNode, mode) {
			return fmt.Sprintf("access mode %s is not offered by %s: a filesystem on a block image is for one node at a time, use %s",
				mode, d.name, CephFS)
		}
	}
	return ""
}

// checkCapabilities refuses missing and impossible capabilities.
func (d *driver) checkCapabilities(capabilities []*csi.VolumeCapability) error {
	if len(capabilities) == 0 {
		return status.Error(codes.InvalidArgument, "the volume capabilities are missing")
	}
	if why := d.unsupported(capabilities); why != "" {
		return status.Error(codes.InvalidArgument, why)
	}
	return nil
}

// sizeFor returns the size in bytes to provision: at least what is required and what XFS
// needs, in whole MiB, at most the limit.
func sizeFor(asked *csi.CapacityRange) (int64, error) {
	const mib = 1 << 20
	required, limit := asked.GetRequiredBytes(), asked.GetLimitBytes()
	if required < 0 || limit < 0 {
		return 0, status.Error(codes.InvalidArgument, "sizes cannot be negative")
	}
	size := max(required, minBytes)
	size = (size + mib - 1) / mib * mib
	if limit > 0 && size > limit {
		return 0, status.Errorf(codes.OutOfRange,
			"the smallest volume that holds %d bytes has %d, more than the limit of %d", required, size, limit)
	}
	return size, nil
}
