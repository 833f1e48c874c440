package gcm

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"math/rand/v2"
	"testing"
	"unsafe"

	"sotto/media/protect/internal/tier"
)

// random is n bytes, the same ones in each run.
func random(r *rand.ChaCha8, n int) []byte {
	b := make([]byte, n)
	r.Read(b)
	return b
}

// below is a number from 0 to n-1.
func below(r *rand.ChaCha8, n int) int { return int(r.Uint64() % uint64(n)) }

// eachTier runs test on every tier of this processor, for each length of key.
func eachTier(t *testing.T, test func(t *testing.T, p *pair)) {
	for _, tier := range tier.Available() {
		for _, keyLen := range []int{16, 32} {
			t.Run(tier.String()+"/"+map[int]string{16: "AES-128", 32: "AES-256"}[keyLen], func(t *testing.T) {
				test(t, newPair(t, tier, keyLen))
			})
		}
	}
}

// pair is a key, and the same one in the standard library, which is used as its
// manual says.
type pair struct {
	Keys
	aead   cipher.AEAD
	random *rand.ChaCha8
}

func newPair(t *testing.T, tier tier.Tier, keyLen int) *pair {
	p := &pair{random: rand.NewChaCha8([32]byte{byte(tier), byte(keyLen)})}
	key := random(p.random, keyLen)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	if p.aead, err = cipher.NewGCM(block); err != nil {
		t.Fatal(err)
	}
	p.Init(tier, key)
	return p
}

// margin is how many bytes before and behind the data are watched.
const margin = 48

// check seals and opens n bytes with aad, and sees that what is not authentic
// stays as it was and that nothing beside the data is touched.
func (p *pair) check(t *testing.T, n int, aad []byte) {
	t.Helper()
	r := p.random
	nonce := [12]byte(random(r, 12))
	start := margin - below(r, 32) // at any distance from a multiple of 32
	around := random(r, start+n+TagLen+margin)
	data := around[start:][:n+TagLen]
	plain, want := bytes.Clone(around), bytes.Clone(around)
	copy(want[start:], p.aead.Seal(nil, nonce[:], data[:n], aad))
	p.Prefetch(unsafe.Pointer(p), unsafe.Pointer(p))
	if p.Seal(&nonce, aad, data); !bytes.Equal(around, want) {
		t.Fatalf("%d bytes with %d sealed: %x, want %x", n, len(aad), around, want)
	}
	spoil := []*byte{&data[below(r, len(data))], &data[n+below(r, TagLen)], &nonce[below(r, len(nonce))]}
	if len(aad) > 0 {
		spoil = append(spoil, &aad[below(r, len(aad))])
	}
	for i, b := range spoil {
		was := *b
		*b ^= 1 << below(r, 8)
		spoiled := bytes.Clone(around)
		if p.Open(&nonce, aad, data) || !bytes.Equal(around, spoiled) {
			t.Fatalf("%d bytes with %d, spoiled in %d: opened or changed", n, len(aad), i)
		}
		*b = was
	}
	copy(plain[start+n:], want[start+n:][:TagLen])
	if !p.Open(&nonce, aad, data) || !bytes.Equal(around, plain) {
		t.Fatalf("%d bytes with %d opened: %x, want %x", n, len(aad), around, plain)
	}
}

// TestLengths takes each length of an ordinary packet, and some that no network
// carries. With -short, for an emulated processor, it takes fewer.
func TestLengths(t *testing.T) {
	eachTier(t, func(t *testing.T, p *pair) {
		step := 1
		if testing.Short() {
			step = 11
		}
		for n := 0; n <= 1600; n += step {
			p.check(t, n, random(p.random, below(p.random, 301)))
			p.check(t, n, random(p.random, 12))
		}
		for n := 0; n <= 300; n += step {
			p.check(t, below(p.random, 400), random(p.random, n))
		}
		for _, n := range []int{2047, 2048, 2049, 4095, 4096, 4097, 65535} {
			p.check(t, n, random(p.random, n/7))
		}
	})
}

// One bit of a packet at a time, in every place.
func TestEachBit(t *testing.T) {
	eachTier(t, func(t *testing.T, p *pair) {
		for _, n := range []int{0, 1, 16, 40, 100, 250} {
			nonce, aad := [12]byte(random(p.random, 12)), random(p.random, 20)
			data := random(p.random, n+TagLen)
			p.Seal(&nonce, aad, data)
			sealed := bytes.Clone(data)
			for _, part := range [][]byte{data, aad, nonce[:]} {
				for bit := range 8 * len(part) {
					part[bit/8] ^= 1 << (bit % 8)
					was := bytes.Clone(data)
					if p.Open(&nonce, aad, data) || !bytes.Equal(data, was) {
						t.Fatalf("%d bytes, bit %d of %d: opened or changed", n, bit, len(part))
					}
					part[bit/8] ^= 1 << (bit % 8)
				}
			}
			if !bytes.Equal(data, sealed) || !p.Open(&nonce, aad, data) {
				t.Fatalf("%d bytes: the packet itself does not open", n)
			}
		}
	})
}

func TestAllocations(t *testing.T) {
	eachTier(t, func(t *testing.T, p *pair) {
		nonce, aad, data := new([12]byte), make([]byte, 12), make([]byte, 160+TagLen)
		if n := testing.AllocsPerRun(100, func() {
			p.Seal(nonce, aad, data)
			p.Open(nonce, aad, data)
			p.Open(nonce, aad, data) // no more authentic
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

func BenchmarkSeal(b *testing.B) { benchmark(b, (*Keys).Seal) }

func BenchmarkOpen(b *testing.B) {
	benchmark(b, func(k *Keys, nonce *[12]byte, aad, data []byte) {
		k.Open(nonce, aad, data)
	})
}

// benchmark runs packets of voice. Open refuses them, which takes as long but for
// the last addition.
func benchmark(b *testing.B, run func(k *Keys, nonce *[12]byte, aad, data []byte)) {
	for _, tier := range tier.Available() {
		for _, n := range []int{40, 80, 160, 320} {
			b.Run(tier.String()+"/"+map[int]string{40: "40", 80: "80", 160: "160", 320: "320"}[n], func(b *testing.B) {
				var k Keys
				k.Init(tier, make([]byte, 16))
				nonce, aad, data := new([12]byte), make([]byte, 12), make([]byte, n+TagLen)
				for b.Loop() {
					run(&k, nonce, aad, data)
				}
			})
		}
	}
}
