// Package processor says what the processor at hand can do that matters to the
// hand-optimised paths, and reads its time stamp counter.
package processor

import "golang.org/x/sys/cpu"

// HasADX says that MULX, ADCX and ADOX can multiply with two carries at a time. All x86
// processors since Broadwell and Zen have them.
var HasADX = cpu.X86.HasADX && cpu.X86.HasBMI2

// HasAVX2 says that four words of 64 bits can be worked on at a time.
var HasAVX2 = cpu.X86.HasAVX2

// HasAES says that AES (FIPS 197) and the carry-less multiplication of GHASH
// have instructions, on registers of 16 bytes.
var HasAES = cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ && cpu.X86.HasSSSE3 && cpu.X86.HasSSE41

// What golang.org/x/sys/cpu does not show, or shows only of processors with
// AVX-512.
var leaf7b, leaf7c, _ = leaf(7)

// leaf is a leaf of CPUID, or nothing where there is no such leaf.
func leaf(n uint32) (ebx, ecx, edx uint32) {
	if highest, _, _, _ := cpuid(n&0x80000000, 0); highest < n {
		return 0, 0, 0
	}
	_, ebx, ecx, edx = cpuid(n, 0)
	return ebx, ecx, edx
}

// HasSHA says that SHA-1 has instructions.
var HasSHA = leaf7b>>29&1 != 0

// HasVectorAES says that the instructions of HasAES work on two blocks at a
// time, in registers of 32 bytes; HasAVX2 includes that the system keeps these.
var HasVectorAES = HasAVX2 && HasAES && leaf7c>>9&1 != 0 && leaf7c>>10&1 != 0

// HasAVX512 says that sixteen words of 32 bits can be worked on at a time, that
// the instructions of HasAES work on four blocks, and that BMI2 makes masks.
var HasAVX512 = cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ &&
	cpu.X86.HasAVX512VAES && cpu.X86.HasAVX512VPCLMULQDQ && cpu.X86.HasBMI2

// Features names what is there, for people.
func Features() []string {
	var has []string
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"AES", cpu.X86.HasAES || cpu.ARM64.HasAES},
		{"carry-less multiplication", cpu.X86.HasPCLMULQDQ || cpu.ARM64.HasPMULL},
		{"SHA-1", HasSHA || cpu.ARM64.HasSHA1},
		{"SHA-2", cpu.ARM64.HasSHA2},
		{"AVX", cpu.X86.HasAVX},
		{"AVX2", HasAVX2},
		{"AVX-512", cpu.X86.HasAVX512F},
		{"vector AES", HasVectorAES},
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
