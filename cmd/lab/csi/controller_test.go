package csi

import (
	"context"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func capabilityOf(mode csi.VolumeCapability_AccessMode_Mode, fs string) *csi.VolumeCapability {
	return &csi.VolumeCapability{
		AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{FsType: fs}},
		AccessMode: &csi.VolumeCapability_AccessMode{Mode: mode},
	}
}

const (
	writer  = csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER
	writers = csi.VolumeCapability_AccessMode_MULTI_NODE_MULTI_WRITER
)

func TestCapabilities(t *testing.T) {
	block := &csi.VolumeCapability{
		AccessType: &csi.VolumeCapability_Block{Block: &csi.VolumeCapability_BlockVolume{}},
		AccessMode: &csi.VolumeCapability_AccessMode{Mode: writer},
	}
	for _, c := range []struct {
		driver     string
		capability *csi.VolumeCapability
		offered    bool
	}{
		{RBD, capabilityOf(writer, ""), true},
		{RBD, capabilityOf(writer, "xfs"), true},
		{RBD, capabilityOf(writer, "ext4"), false},
		{RBD, capabilityOf(writers, ""), false},
		{RBD, capabilityOf(csi.VolumeCapability_AccessMode_UNKNOWN, ""), false},
		{RBD, block, false},
		{CephFS, capabilityOf(writers, ""), true},
		{CephFS, capabilityOf(writer, ""), true},
		{CephFS, block, false},
	} {
		d := testDriver(t, c.driver, "", t.TempDir())
		if why := d.unsupported([]*csi.VolumeCapability{c.capability}); (why == "") != c.offered {
			t.Errorf("%s, %v: %q", c.driver, c.capability, why)
		}
	}
}

func TestSizes(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		required, limit, want int64
		code                  codes.Code
	}{
		{0, 0, minBytes, codes.OK},
		{1, 0, minBytes, codes.OK},
		{1 << 30, 0, 1 << 30, codes.OK},
		{1<<30 + 1, 0, 1<<30 + mib, codes.OK},
		{1 << 30, 1 << 30, 1 << 30, codes.OK},
		{100 * mib, 200 * mib, 0, codes.OutOfRange},
		{-1, 0, 0, codes.InvalidArgument},
	} {
		got, err := sizeFor(&csi.CapacityRange{RequiredBytes: c.required, LimitBytes: c.limit})
		if got != c.want || status.Code(err) != c.code {
			t.Errorf("%d to %d: %d, %v; expected %d, %v", c.required, c.limit, got, err, c.want, c.code)
		}
	}
}

func request(name string, size int64, source *csi.VolumeContentSource) *csi.CreateVolumeRequest {
	return &csi.CreateVolumeRequest{
		Name: name, CapacityRange: &csi.CapacityRange{RequiredBytes: size, LimitBytes: size},
		VolumeCapabilities: []*csi.VolumeCapability{capabilityOf(writer, "")}, VolumeContentSource: source,
	}
}

func TestCreateVolumeTwice(t *testing.T) {
	ctx := t.Context()
	s := &controllerServer{driver: testDriver(t, RBD, "", t.TempDir())}
	first, err := s.CreateVolume(ctx, request("a", 1<<30, nil))
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.CreateVolume(ctx, request("a", 1<<30, nil))
	if err != nil || again.GetVolume().GetVolumeId() != first.GetVolume().GetVolumeId() {
		t.Errorf("again: %v, %v; expected the same volume", again, err)
	}
	for what, r := range map[string]*csi.CreateVolumeRequest{
		"another size": request("a", 2<<30, nil),
		"a source":     request("a", 1<<30, fromVolume("vol-0123456789abcdef01234567")),
	} {
		if _, err := s.CreateVolume(ctx, r); status.Code(err) != codes.AlreadyExists {
			t.Errorf("%s: %v, expected AlreadyExists", what, err)
		}
	}
	for what, id := range map[string]string{"unknown": "vol-0123456789abcdef01234567", "path": "../volumes/x"} {
		if _, err := s.CreateVolume(ctx, request("b", 1<<30, fromVolume(id))); status.Code(err) != codes.NotFound {
			t.Errorf("%s source: %v, expected NotFound", what, err)
		}
	}
}

func fromVolume(id string) *csi.VolumeContentSource {
	return &csi.VolumeContentSource{Type: &csi.VolumeContentSource_Volume{
		Volume: &csi.VolumeContentSource_VolumeSource{VolumeId: id},
	}}
}

func TestCapacityIsLimited(t *testing.T) {
	ctx := t.Context()
	s := &controllerServer{driver: testDriver(t, RBD, "", t.TempDir())}
	s.capacity = 3 << 30
	v, err := s.CreateVolume(ctx, request("a", 2<<30, nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateVolume(ctx, request("b", 2<<30, nil)); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a volume too many: %v, expected ResourceExhausted", err)
	}
	expand := &csi.ControllerExpandVolumeRequest{
		VolumeId: v.GetVolume().GetVolumeId(), CapacityRange: &csi.CapacityRange{RequiredBytes: 4 << 30},
	}
	if _, err := s.ControllerExpandVolume(ctx, expand); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("expanded too far: %v, expected ResourceExhausted", err)
	}
	left, err := s.GetCapacity(ctx, &csi.GetCapacityRequest{})
	if err != nil || left.GetAvailableCapacity() != 1<<30 {
		t.Errorf("left: %v, %v; expected 1 GiB", left, err)
	}
	if _, err := s.DeleteVolume(ctx, &csi.DeleteVolumeRequest{VolumeId: v.GetVolume().GetVolumeId()}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateVolume(ctx, request("b", 2<<30, nil)); err != nil {
		t.Errorf("after the first is gone: %v", err)
	}
}

func TestPages(t *testing.T) {
	all := []int{1, 2, 3}
	for _, c := range []struct {
		token string
		limit int32
		want  int
		next  string
		code  codes.Code
	}{
		{"", 0, 3, "", codes.OK},
		{"", 2, 2, "2", codes.OK},
		{"2", 2, 1, "", codes.OK},
		{"3", 2, 0, "", codes.OK},
		{"4", 0, 0, "", codes.Aborted},
		{"-1", 0, 0, "", codes.Aborted},
		{"x", 0, 0, "", codes.Aborted},
	} {
		some, next, err := page(all, c.token, c.limit)
		if len(some) != c.want || next != c.next || status.Code(err) != c.code {
			t.Errorf("%q, %d: %v, %q, %v", c.token, c.limit, some, next, err)
		}
	}
}

func TestLockHoldsOffOthers(t *testing.T) {
	s, err := openStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := s.lock(t.Context(), "v")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.lock(ctx, "v"); status.Code(err) != codes.Aborted {
		t.Errorf("second holder: %v, expected Aborted", err)
	}
	unlock()
	unlock, err = s.lock(t.Context(), "v")
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}
