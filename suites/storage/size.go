package storage

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"

	"aiv.internal/conformance/framework/finding"
)

const (
	mebi = int64(1) << 20
	gibi = int64(1) << 30
)

// What a filesystem keeps of its volume for itself: mkfs.xfs a log of at least 64 MiB, ext4 a
// journal of up to 1 GiB at 128 GiB and 1/64 of the volume for inodes. Both stay within these
// two together, from 1 GiB upwards.
const (
	fixedOverhead      = 96 * mebi
	overheadPercentage = 4
)

// leastOf is the smallest filesystem, in bytes, that a volume of that size may hold.
func leastOf(volume int64) int64 {
	return max(volume-fixedOverhead-volume/100*overheadPercentage, 0)
}

// judgeSize holds the size of a filesystem, in bytes, against the size that was claimed; nil
// if it has it.
func judgeSize(claimed resource.Quantity, filesystem int64) *finding.Finding {
	if filesystem >= leastOf(claimed.Value()) {
		return nil
	}
	return finding.Failed(fmt.Sprintf("a filesystem of %s, less what it needs for itself (at most %d MiB and %d %%)", claimed.String(), fixedOverhead/mebi, overheadPercentage),
		fmt.Sprintf("the volume is smaller: its filesystem has %s, not %s", size(filesystem), claimed.String()),
		"the provisioner made a smaller volume than it reports, or its filesystem was made for a smaller one",
		"see the volume in the storage backend and the provisioner's log")
}

// unlimited tells whether a filesystem is so much larger than the volume (a rounding to whole
// GiB is none) that the claim's size limits nobody.
func unlimited(volume resource.Quantity, filesystem int64) bool {
	return filesystem > volume.Value()+volume.Value()/10+gibi
}

// size renders bytes as people write them: 1.9 GiB.
func size(bytes int64) string {
	switch {
	case bytes >= gibi:
		return fmt.Sprintf("%.1f GiB", float64(bytes)/float64(gibi))
	case bytes >= mebi:
		return fmt.Sprintf("%.0f MiB", float64(bytes)/float64(mebi))
	}
	return fmt.Sprintf("%d bytes", bytes)
}
