//go:build !purego

package gcm

import (
	"testing"

	"sotto/internal/processor"
	"sotto/media/protect/internal/tier"
)

// The tiers use the registers that they should.
func TestKernels(t *testing.T) {
	for _, tr := range tier.Available() {
		for _, keyLen := range []int{16, 32} {
			p := newPair(t, tr, keyLen)
			wide := tr >= tier.SHANI && processor.HasVectorAES
			if kernel := p.kernel.rounds != 0; kernel != (tr > tier.Go) || p.kernel.wide != wide {
				t.Errorf("%v: kernel %v, wide %v", tr, kernel, p.kernel.wide)
			}
			t.Logf("%v: kernel %v, wide %v", tr, p.kernel.rounds != 0, p.kernel.wide)
		}
	}
}
