//go:build !amd64 || purego

package processor

func cpuid(_, _ uint32) (eax, ebx, ecx, edx uint32) { return 0, 0, 0, 0 }

// TSC is zero: nothing is counted here.
func TSC() uint64 { return 0 }
