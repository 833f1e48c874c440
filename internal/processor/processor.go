// Package processor says what the processor at hand can do that matters to the
// hand-optimised paths.
package processor

import "golang.org/x/sys/cpu"

// HasADX says that MULX, ADCX and ADOX can multiply with two carries at a time. All x86
// processors since Broadwell and Zen have them.
var HasADX = cpu.X86.HasADX && cpu.X86.HasBMI2

// HasAVX2 says that four words of 64 bits can be worked on at a time.
var HasAVX2 = cpu.X86.HasAVX2

// Features names what is there, for people.
func Features() []string {
	var has []string
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"AES", cpu.X86.HasAES || cpu.ARM64.HasAES},
		{"carry-less multiplication", cpu.X86.HasPCLMULQDQ || cpu.ARM64.HasPMULL},
		{"SHA-1", cpu.ARM64.HasSHA1},
		{"SHA-2", cpu.ARM64.HasSHA2},
		{"AVX", cpu.X86.HasAVX},
		{"AVX2", HasAVX2},
		{"AVX-512", cpu.X86.HasAVX512F},
		{"vector AES", cpu.X86.HasAVX512VAES},
		{"ADX", HasADX},
		{"RDRAND", cpu.X86.HasRDRAND},
		{"NEON", cpu.ARM64.HasASIMD},
	} {
		if f.has {
			has = append(has, f.name)
		}
	}
	return has
}
