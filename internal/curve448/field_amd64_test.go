//go:build !purego

package curve448

import (
	"testing"

	"sotto/internal/processor"
)

// TestAssembly holds the assembly against its twin in Go, limb by limb, on
// tight and loose operands.
func TestAssembly(t *testing.T) {
	if !processor.HasADX {
		t.Skip("this processor lacks ADX or BMI2: the assembly is not run here")
	}
	for range 20_000 {
		x, y := randomElement(looseLimb), randomElement(looseLimb)
		var want, got element
		mulGo(&want, &x, &y)
		if mulADX(&got, &x, &y); got != want {
			t.Fatalf("%x · %x\nassembly %x\nGo       %x", x, y, got, want)
		}
		mulGo(&want, &x, &x)
		if sqrADX(&got, &x); got != want {
			t.Fatalf("%x squared\nassembly %x\nGo       %x", x, got, want)
		}
		got = x
		if sqrADX(&got, &got); got != want {
			t.Fatalf("%x squared in place is %x, want %x", x, got, want)
		}
	}
}
