package processor

import (
	"bufio"
	"os"
	"strings"
)

// CPUInfo is where Linux describes the processors.
const CPUInfo = "/proc/cpuinfo"

// Name is what a file in the manner of CPUInfo calls the processor.
func Name(cpuinfo string) string {
	f, err := os.Open(cpuinfo)
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
