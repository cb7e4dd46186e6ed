package device

import (
	"regexp"
	"testing"
)

func TestUUIDs(t *testing.T) {
	form := regexp.MustCompile(`^GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	for want, uuid := range UUIDs(17) {
		if !form.MatchString(uuid) {
			t.Errorf("%s has not the form of NVML's", uuid)
		}
		if index, known := Index(uuid); !known || index != want {
			t.Errorf("%s is device %d, %t", uuid, index, known)
		}
	}
	for _, other := range []string{"", "all", "0", "GPU-51000000-0000-0000-0000-00000000000g", "GPU-61000000-0000-0000-0000-000000000000"} {
		if _, known := Index(other); known {
			t.Errorf("%q passes for a device", other)
		}
	}
}
