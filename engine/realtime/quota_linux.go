package realtime

import (
	"os"
	"path"
	"strings"
)

// The file in which Linux says which control group a process is in, and the folder in
// which the groups lie (cgroups(7), version 2).
const (
	groupFile = "/proc/self/cgroup"
	groupRoot = "/sys/fs/cgroup"
)

// limited reports whether this process is in a group that may use only so much
// processor time, or in one within such a group.
func limited(file, root string) bool {
	text, _ := os.ReadFile(file) // where there are no groups none is limited
	for line := range strings.Lines(string(text)) {
		group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !ok {
			continue
		}
		for ; ; group = path.Dir(group) {
			quota, err := os.ReadFile(path.Join(root, group, "cpu.max"))
			if err == nil && !strings.HasPrefix(string(quota), "max") {
				return true
			}
			if group == "/" || group == "." {
				break
			}
		}
	}
	return false
}
