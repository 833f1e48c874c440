package cm

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
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
		for _, keyLen := range []int{16, 24, 32} {
			t.Run(tier.String()+"/"+map[int]string{16: "AES-128", 24: "AES-192", 32: "AES-256"}[keyLen], func(t *testing.T) {
				test(t, tier, keyLen)
			})
		}
	}
}

// Every length from none to more than an Ethernet frame, against the standard
// library used as its manual says, and nothing beside the message is touched.
func TestStandardLibrary(t *testing.T) {
	eachTier(t, func(t *testing.T, tier tier.Tier, keyLen int) {
		r := rand.NewChaCha8([32]byte{byte(tier), byte(keyLen)})
		encryption, authentication := random(r, keyLen), random(r, 20)
		var k Keys
		k.Init(tier, encryption, authentication)
		block, err := aes.NewCipher(encryption)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 1600 {
			var iv [16]byte
			copy(iv[:14], random(r, 14))
			around := random(r, n+32)
			was := bytes.Clone(around)
			message, word := around[16:16+n], uint32(r.Uint64())

			mac := hmac.New(sha1.New, authentication)
			mac.Write(message)
			mac.Write(binary.BigEndian.AppendUint32(nil, word))
			var tag [TagLen]byte
			k.Sum(&tag, message, word)
			if want := mac.Sum(nil); !bytes.Equal(tag[:], want) || !bytes.Equal(around, was) {
				t.Fatalf("%d bytes: tag %x, want %x", n, tag, want)
			}

			k.XOR(&iv, message)
			cipher.NewCTR(block, iv[:]).XORKeyStream(was[16:16+n], was[16:16+n])
			if !bytes.Equal(around, was) {
				t.Fatalf("%d bytes: %x, want %x", n, around, was)
			}
		}
	})
}

// Batches of every size give what one message after the other gives, whatever
// their lengths and whoever shares a key.
func TestSumBatch(t *testing.T) {
	eachTier(t, func(t *testing.T, tier tier.Tier, keyLen int) {
		r := rand.NewChaCha8([32]byte{byte(tier), byte(keyLen), 1})
		keys := make([]Keys, 5)
		for i := range keys {
			keys[i].Init(tier, random(r, keyLen), random(r, 20))
		}
		for size := range 70 {
			jobs := make([]Job, size)
			for i := range jobs {
				n := r.Uint64() % 400
				jobs[i] = Job{Keys: &keys[r.Uint64()%5], Message: random(r, int(n)), Word: uint32(r.Uint64())}
			}
			SumBatch(jobs)
			for i := range jobs {
				var want [TagLen]byte
				jobs[i].Keys.Sum(&want, jobs[i].Message, jobs[i].Word)
				if jobs[i].Tag != want {
					t.Fatalf("job %d of %d, %d bytes: %x, want %x", i, size, len(jobs[i].Message), jobs[i].Tag, want)
				}
			}
		}
	})
}

func BenchmarkCM(b *testing.B) {
	for _, tier := range tier.Available() {
		var k Keys
		k.Init(tier, make([]byte, 16), make([]byte, 20))
		data := make([]byte, 92)
		b.Run("xor80/"+tier.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				k.XOR(new([16]byte), data[12:])
			}
		})
		b.Run("sum80/"+tier.String(), func(b *testing.B) {
			var tag [TagLen]byte
			b.ReportAllocs()
			for b.Loop() {
				k.Sum(&tag, data, 7)
			}
		})
	}
}
