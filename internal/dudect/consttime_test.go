//go:build consttime

package dudect

import (
	"crypto/subtle"
	"testing"
)

// TestConstantTime: the instrument sees a comparison that ends at the first
// difference, and is content with one that does not.
func TestConstantTime(t *testing.T) {
	var a, b [64]byte
	var found bool
	control := Case{
		Name: "comparison", Samples: 20_000, Repeat: 20,
		Prepare: func(class int) {
			b = a
			b[63*class]++ // class 0 differs at once, class 1 at the end
		},
	}
	control.Run = func() {
		found = true
		for i := range a {
			if a[i] != b[i] {
				found = false
				break
			}
		}
	}
	Leaks(t, control)
	control.Run = func() { found = subtle.ConstantTimeCompare(a[:], b[:]) == 1 }
	Constant(t, control)
	if found {
		t.Error("different, and found equal")
	}
}
