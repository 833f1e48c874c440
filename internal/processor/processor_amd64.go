//go:build !purego

package processor

//go:noescape
func cpuid(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)

// TSC is the time stamp counter. It waits for no instruction before it: it may count
// some nanoseconds early.
//
//go:noescape
func TSC() uint64
