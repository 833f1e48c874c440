//go:build !purego

package kex

import "golang.org/x/sys/cpu"

// hasADX: MULX, ADCX and ADOX multiply with two carries at a time. All
// processors since Broadwell and Zen have them.
var hasADX = cpu.X86.HasADX && cpu.X86.HasBMI2

// mulRows32 and mulRows48 are mulRowsGo for moduli of 32 and of 48 limbs.
//
//go:noescape
func mulRows32(t *[2 * maxLimbs]uint64, x, y *number, mod *modulus) (carry uint64)

//go:noescape
func mulRows48(t *[2 * maxLimbs]uint64, x, y *number, mod *modulus) (carry uint64)

func mulRows(t *[2 * maxLimbs]uint64, x, y *number, mod *modulus) (carry uint64) {
	switch {
	case hasADX && mod.limbs == 32:
		return mulRows32(t, x, y, mod)
	case hasADX && mod.limbs == 48:
		return mulRows48(t, x, y, mod)
	}
	return mulRowsGo(t, x, y, mod)
}
