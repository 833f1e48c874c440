//go:build !purego

package modexp

import (
	"math/big"
	"slices"
	"testing"

	"sotto/internal/processor"
)

// TestAssembly holds the assembly against its twin in Go, to the last bit and
// the carry, on random moduli and operands; these need not be below them.
func TestAssembly(t *testing.T) {
	if !processor.HasADX {
		t.Skip("this processor lacks ADX or BMI2: the assembly is not run here")
	}
	for _, limbs := range []int{32, 48} {
		random := func(mod *Modulus) number {
			return mod.fromBig(new(big.Int).SetBytes(randomLimbs(t, limbs)))
		}
		for range 100 {
			mod := New(randomModulus(t, limbs))
			for range 30 {
				var want, got [2 * maxLimbs]uint64
				x, y := random(mod), random(mod)
				wantCarry := mulRowsGo(&want, &x, &y, mod)
				gotCarry := mulRows(&got, &x, &y, mod)
				if gotCarry != wantCarry || !slices.Equal(got[limbs:], want[limbs:]) {
					t.Fatalf("x %x\ny %x\nm %x\nassembly %x, %d\nGo       %x, %d",
						mod.bytes(&x), mod.bytes(&y), mod.bytes(&mod.m), got, gotCarry, want, wantCarry)
				}
			}
		}
	}
}
