package storage

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestFilesystemSizes(t *testing.T) {
	const mebi, gibi, tebi = int64(1) << 20, int64(1) << 30, int64(1) << 40
	for _, c := range []struct {
		name       string
		claimed    string
		filesystem int64
		words      string
	}{
		// Measured with mkfs.xfs 6.1 and mke2fs 1.47 and statfs(2).
		{"XFS of 1 GiB", "1Gi", 1006632960, ""},
		{"ext4 of 1 GiB", "1Gi", 1020702720, ""},
		{"XFS of 10 GiB", "10Gi", 10*gibi - 67*mebi, ""},
		{"ext4 of 10 GiB", "10Gi", 10464022528, ""},
		{"ext4 of 128 GiB", "128Gi", 128*gibi - 3*gibi, ""},
		{"CephFS quota", "500Gi", 500 * gibi, ""},
		{"rounded up", "1500Mi", 2 * gibi, ""},
		{"a whole server", "10Gi", 4 * tebi, ""},
		{"three fifths", "1Gi", 600 * mebi, "the volume is smaller: its filesystem has 600 MiB, not 1Gi"},
		{"a tenth short", "100Gi", 90 * gibi, "has 90.0 GiB"},
		{"decimal for binary", "100Gi", 93 * gibi, "has 93.0 GiB"},
		{"nothing", "1Gi", 0, "0 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantFinding(t, judgeSize(resource.MustParse(c.claimed), c.filesystem), c.words)
		})
	}
	if leastOf(16*mebi) != 0 {
		t.Errorf("a tiny volume may be all overhead: %d", leastOf(16*mebi))
	}
	for filesystem, want := range map[int64]bool{10 * gibi: false, 11 * gibi: false, 12*gibi + 1: true, tebi: true} {
		if unlimited(resource.MustParse("10Gi"), filesystem) != want {
			t.Errorf("10 GiB with a filesystem of %s unlimited: %v", size(filesystem), !want)
		}
	}
}

func TestQuota(t *testing.T) {
	quota := func(name string, key corev1.ResourceName, hard string) corev1.ResourceQuota {
		q := corev1.ResourceQuota{Status: corev1.ResourceQuotaStatus{Hard: corev1.ResourceList{key: resource.MustParse(hard)}}}
		q.Name = name
		return q
	}
	all, own := corev1.ResourceRequestsStorage, corev1.ResourceName("ceph-rbd.storageclass.storage.k8s.io/requests.storage")
	foreign := corev1.ResourceName("fast.storageclass.storage.k8s.io/requests.storage")
	for _, c := range []struct {
		name   string
		quotas []corev1.ResourceQuota
		words  string
	}{
		{"as answered", []corev1.ResourceQuota{quota("a", all, "200Gi")}, ""},
		{"written otherwise", []corev1.ResourceQuota{quota("a", all, "204800Mi")}, ""},
		{"of the class", []corev1.ResourceQuota{quota("a", all, "1Ti"), quota("b", own, "200Gi")}, ""},
		{"none", nil, "no ResourceQuota of the namespace limits requests.storage"},
		{"of another class", []corev1.ResourceQuota{quota("a", foreign, "200Gi")}, "no ResourceQuota"},
		{"larger", []corev1.ResourceQuota{quota("a", all, "1Ti")}, "ResourceQuota a allows 1Ti"},
		{"the tightest counts", []corev1.ResourceQuota{quota("a", all, "200Gi"), quota("b", all, "100Gi")}, "ResourceQuota b allows 100Gi"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantFinding(t, judgeQuota(c.quotas, resource.MustParse("200Gi"), "ceph-rbd"), c.words)
		})
	}
}
