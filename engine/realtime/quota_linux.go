package realtime

import (
	"os"
	"path"
	"strings"
)

// The file in which Linux says which control groups a process is in, and the folder in
// which the groups lie (cgroups(7)).
const (
	groupFile = "/proc/self/cgroup"
	groupRoot = "/sys/fs/cgroup"
)

// limited reports whether this process is in a group that may use only so much
// processor time, or in one within such a group, as far as that is seen from here.
func limited(file, root string) bool {
	text, _ := os.ReadFile(file) // where there are no groups none is limited
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3) // number, controllers, group
		if len(fields) < 3 {
			continue
		}
		for group := fields[2]; ; group = path.Dir(group) {
			if bounded(path.Join(root, fields[1], group), fields[1]) {
				return true
			}
			if group == "/" || group == "." || group == "" {
				break
			}
		}
	}
	return false
}

// bounded reports whether the group in a folder has such a limit itself, by the one
// file of version 2, which has no controllers' names, or the one of version 1.
func bounded(folder, controllers string) bool {
	if controllers == "" {
		quota, err := os.ReadFile(path.Join(folder, "cpu.max"))
		return err == nil && !strings.HasPrefix(string(quota), "max")
	}
	quota, err := os.ReadFile(path.Join(folder, "cpu.cfs_quota_us")) // of the controller cpu alone
	return err == nil && !strings.HasPrefix(string(quota), "-")
}
