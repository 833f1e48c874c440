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

func TestPickAssembly(t *testing.T) {
	if !processor.HasAVX2 {
		t.Skip("this processor lacks AVX2: the assembly is not run here")
	}
	for index := range uint64(1 << teeth) {
		var got, want affine
		pickGo(&want, &comb[2], index)
		if pickAVX2(&got, &comb[2], index); got != want || got != comb[2][index] {
			t.Errorf("%d: %x, want %x", index, got, comb[2][index])
		}
	}
}

func TestStepAssembly(t *testing.T) {
	if !processor.HasADX || !processor.HasAVX2 {
		t.Skip("this processor lacks ADX, BMI2 or AVX2: the assembly is not run here")
	}
	for exchange := range uint64(10_000) {
		r := func() element { return randomElement(tightLimb) }
		got := ladder{r(), r(), r(), r(), r()}
		want := got
		want.stepGo(exchange % 2)
		if stepADX(&got, exchange%2); got != want {
			t.Fatalf("assembly %x\nGo       %x", got, want)
		}
	}
}

func TestAddAssembly(t *testing.T) {
	if !processor.HasADX || !processor.HasAVX2 {
		t.Skip("this processor lacks ADX, BMI2 or AVX2: the assembly is not run here")
	}
	for range 10_000 {
		r := func() element { return randomElement(tightLimb) }
		got, a := point{r(), r(), r(), r()}, affine{r(), r(), r()}
		want := got
		want.addGo(&a)
		if addADX(&got, &a); got != want {
			t.Fatalf("assembly %x\nGo       %x", got, want)
		}
	}
}
