package main

import (
	"runtime"
	"runtime/debug"
	"time"

	"sotto/internal/processor"
	"sotto/media/protect"
)

// thisMachine says where the numbers come from.
func thisMachine(rounds int) machine {
	return machine{
		Processor: processor.Name(processor.CPUInfo),
		Features:  processor.Features(),
		Tiers:     protect.Tiers(),
		System:    runtime.GOOS + "/" + runtime.GOARCH,
		Go:        runtime.Version(),
		Pion:      dependency("github.com/pion/srtp/v3"),
		Rounds:    rounds,
		Taken:     time.Now().UTC().Format(time.DateOnly),
	}
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
