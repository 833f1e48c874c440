//go:build !purego

package gcm

import (
	"crypto/aes"
	"math/rand/v2"
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

// The key expansion, by way of the block cipher.
func TestEncrypt(t *testing.T) {
	if len(tier.Available()) == 1 {
		t.Skip("this processor runs no kernel")
	}
	r := rand.NewChaCha8([32]byte{})
	for i := range 400 {
		key, in := random(r, 16+i%2*16), [16]byte(random(r, 16))
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		var k kernel
		k.init(tier.AESNI, key)
		got, want := in, in
		block.Encrypt(want[:], in[:])
		if encrypt(&k, &got); got != want {
			t.Fatalf("%x under %x: %x, want %x", in, key, got, want)
		}
	}
}
