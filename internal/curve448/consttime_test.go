//go:build consttime

package curve448

import (
	"crypto/rand"
	"testing"

	"sotto/internal/dudect"
)

// TestConstantTime: a scalar with few bits takes as long as a random one.
func TestConstantTime(t *testing.T) {
	var scalar, random, result [Size]byte
	u := [Size]byte{9}
	prepare := func(class int) {
		rand.Read(random[:])
		scalar = [Size]byte{8}
		if class == 1 {
			scalar = random
		}
	}
	dudect.Constant(t, dudect.Case{
		Name: "X448", Samples: 1_500, Repeat: 1, Prepare: prepare,
		Run: func() { result = X448(&scalar, &u) },
	})
	dudect.Constant(t, dudect.Case{
		Name: "X448 of the base point", Samples: 4_000, Repeat: 1, Prepare: prepare,
		Run: func() { result = X448Base(&scalar) },
	})
	if result == [Size]byte{} {
		t.Error("no result")
	}
}
