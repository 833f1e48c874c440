//go:build !purego

package kex

import "sotto/internal/processor"

// mulRows32 and mulRows48 are mulRowsGo for moduli of 32 and of 48 limbs.
//
//go:noescape
func mulRows32(t *[2 * maxLimbs]uint64, x, y *number, mod *modulus) (carry uint64)

//go:noescape
func mulRows48(t *[2 * maxLimbs]uint64, x, y *number, mod *modulus) (carry uint64)

func mulRows(t *[2 * maxLimbs]uint64, x, y *number, mod *modulus) (carry uint64) {
	switch {
	case processor.HasADX && mod.limbs == 32:
		return mulRows32(t, x, y, mod)
	case processor.HasADX && mod.limbs == 48:
		return mulRows48(t, x, y, mod)
	}
	return mulRowsGo(t, x, y, mod)
}
