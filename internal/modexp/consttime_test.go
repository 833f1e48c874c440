//go:build consttime

package modexp

import (
	"crypto/rand"
	"fmt"
	"testing"

	"sotto/internal/dudect"
)

// TestConstantTime: an exponent with one bit takes as long as a random one.
func TestConstantTime(t *testing.T) {
	var exponent, random [32]byte
	prepare := func(class int) {
		rand.Read(random[:])
		exponent = [32]byte{31: 1}
		if class == 1 {
			exponent = random
		}
	}
	for _, limbs := range []int{32, 48} {
		mod := New(randomModulus(t, limbs))
		base := randomLimbs(t, limbs)
		base[0] = 0 // below the modulus
		dudect.Constant(t, dudect.Case{
			Name: fmt.Sprintf("x^e, %d bits", 64*limbs), Samples: 800, Repeat: 1, Prepare: prepare,
			Run: func() { mod.Exp(base, exponent[:]) },
		})
		dudect.Constant(t, dudect.Case{
			Name: fmt.Sprintf("2^e, %d bits", 64*limbs), Samples: 1_000, Repeat: 1, Prepare: prepare,
			Run: func() { mod.Exp2(exponent[:]) },
		})
	}
}
