package probe

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Volume describes the filesystem below a folder, as the kernel knows it.
type Volume struct {
	// Total and Free are bytes by statfs(2); Free is what an unprivileged user may write.
	Total int64 `json:"total"`
	Free  int64 `json:"free"`
	// Type and Source are the mount's, such as "xfs" and "/dev/rbd0".
	Type   string `json:"type,omitempty"`
	Source string `json:"source,omitempty"`
	// ReadOnly is the mount's flag.
	ReadOnly bool `json:"readOnly,omitempty"`
	// UID, GID and Mode are those of the folder: fsGroup shows here.
	UID  int    `json:"uid"`
	GID  int    `json:"gid"`
	Mode string `json:"mode,omitempty"`
}

func volumeOf(dir string) (Volume, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return Volume{}, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	v := Volume{
		Total: int64(fs.Blocks) * int64(fs.Bsize), Free: int64(fs.Bavail) * int64(fs.Bsize),
		ReadOnly: fs.Flags&syscall.MS_RDONLY != 0,
	}
	if info, err := os.Stat(dir); err == nil {
		v.Mode = info.Mode().String()
		if status, ok := info.Sys().(*syscall.Stat_t); ok {
			v.UID, v.GID = int(status.Uid), int(status.Gid)
		}
	}
	v.Type, v.Source = mountOf(dir)
	return v, nil
}

// mountOf returns type and source of the mount that holds dir, from /proc/self/mountinfo
// (proc_pid_mountinfo(5)); empty if that cannot be read.
func mountOf(dir string) (fsType, source string) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", ""
	}
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", ""
	}
	defer file.Close()
	longest := 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		left, right, found := strings.Cut(lines.Text(), " - ")
		fields, end := strings.Fields(left), strings.Fields(right)
		if !found || len(fields) < 5 || len(end) < 2 {
			continue
		}
		point := fields[4]
		holds := point == "/" || dir == point || strings.HasPrefix(dir, point+"/")
		if holds && len(point) >= longest { // a later mount hides an earlier one
			longest, fsType, source = len(point), end[0], end[1]
		}
	}
	return fsType, short(source)
}
