package gcm

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"math/rand/v2"
	"testing"

	"sotto/media/protect/internal/tier"
)

// random is n bytes, the same ones in each run.
func random(r *rand.ChaCha8, n int) []byte {
	b := make([]byte, n)
	r.Read(b)
	return b
}

// eachTier runs test on every tier of this processor, for each length of key.
func eachTier(t *testing.T, test func(t *testing.T, tier tier.Tier, keyLen int)) {
	for _, tier := range tier.Available() {
		for _, keyLen := range []int{16, 32} {
			t.Run(tier.String()+"/"+map[int]string{16: "AES-128", 32: "AES-256"}[keyLen], func(t *testing.T) {
				test(t, tier, keyLen)
			})
		}
	}
}

// lengths are all of ordinary packets, and some that no network carries.
func lengths() []int {
	var all []int
	for n := range 1600 {
		all = append(all, n)
	}
	return append(all, 2047, 2048, 2049, 4096, 65535)
}

// Every length, against the standard library used as its manual says; what is
// not authentic stays as it was, and nothing beside the data is touched.
func TestStandardLibrary(t *testing.T) {
	eachTier(t, func(t *testing.T, tier tier.Tier, keyLen int) {
		r := rand.NewChaCha8([32]byte{byte(tier), byte(keyLen)})
		key := random(r, keyLen)
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			t.Fatal(err)
		}
		var k Keys
		k.Init(tier, key)
		for _, n := range lengths() {
			nonce, aad := [12]byte(random(r, 12)), random(r, int(r.Uint64()%90))
			around := random(r, 16+n+TagLen+16)
			data := around[16 : 16+n+TagLen]
			plain := bytes.Clone(around)
			want := bytes.Clone(around)
			copy(want[16:], aead.Seal(nil, nonce[:], data[:n], aad))
			if k.Seal(&nonce, aad, data); !bytes.Equal(around, want) {
				t.Fatalf("%d bytes sealed: %x, want %x", n, around, want)
			}
			was := nonce
			for _, spoil := range []*byte{&data[int(r.Uint64()%uint64(len(data)))], &nonce[3], &data[n+int(r.Uint64()%TagLen)]} {
				*spoil ^= 1 << (r.Uint64() % 8)
				spoiled := bytes.Clone(around)
				if k.Open(&nonce, aad, data) || !bytes.Equal(around, spoiled) {
					t.Fatalf("%d bytes, spoiled: opened or changed", n)
				}
				copy(around, want)
				nonce = was
			}
			copy(plain[16+n:], want[16+n:16+n+TagLen])
			if !k.Open(&nonce, aad, data) || !bytes.Equal(around, plain) {
				t.Fatalf("%d bytes opened: %x, want %x", n, around, plain)
			}
		}
	})
}
