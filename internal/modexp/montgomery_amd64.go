//go:build !purego

package modexp

import "sotto/internal/processor"

//go:noescape
func mulRows32(t *[2 * maxLimbs]uint64, x, y *number, mod *Modulus) (carry uint64)

//go:noescape
func mulRows48(t *[2 * maxLimbs]uint64, x, y *number, mod *Modulus) (carry uint64)

func mulRows(t *[2 * maxLimbs]uint64, x, y *number, mod *Modulus) (carry uint64) {
	switch {
	case processor.HasADX && mod.limbs == 32:
		return mulRows32(t, x, y, mod)
	case processor.HasADX && mod.limbs == 48:
		return mulRows48(t, x, y, mod)
	}
	return mulRowsGo(t, x, y, mod)
}
