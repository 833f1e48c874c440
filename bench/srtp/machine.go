package main

import (
	"bufio"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"sotto/internal/processor"
	"sotto/media/protect"
)

// thisMachine says where the numbers come from.
func thisMachine(rounds int) machine {
	return machine{
		Processor: processorName("/proc/cpuinfo"),
		Features:  processor.Features(),
		Tiers:     protect.Tiers(),
		System:    runtime.GOOS + "/" + runtime.GOARCH,
		Go:        runtime.Version(),
		Pion:      dependency("github.com/pion/srtp/v3"),
		Rounds:    rounds,
		Taken:     time.Now().UTC().Format(time.DateOnly),
	}
}

// processorName is what Linux calls the processor.
func processorName(cpuinfo string) string {
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

// dependency is the version of a module that this program was built with.
func dependency(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return m.Version
			}
		}
	}
	return "unknown"
}
