package cm

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
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
	t.Logf("tiers: %v", tier.Available())
	for _, tier := range tier.Available() {
		for _, keyLen := range []int{16, 24, 32} {
			t.Run(fmt.Sprintf("%v/AES-%d", tier, 8*keyLen), func(t *testing.T) { test(t, tier, keyLen) })
		}
	}
}

// lengths are those up to more than an Ethernet frame; some of them, where the
// tests are to be short.
func lengths() (all []int) {
	for n := range 2101 {
		if !testing.Short() || n < 200 || n%61 == 0 {
			all = append(all, n)
		}
	}
	return all
}

// reference is Keys by the standard library, used as its manual says.
type reference struct {
	block          cipher.Block
	authentication []byte
}

// newKeys sets k to random keys.
func newKeys(t *testing.T, k *Keys, tier tier.Tier, r *rand.ChaCha8, keyLen int) reference {
	encryption, authentication := random(r, keyLen), random(r, 20)
	k.Init(tier, encryption, authentication)
	block, err := aes.NewCipher(encryption)
	if err != nil {
		t.Fatal(err)
	}
	return reference{block, authentication}
}

func (f reference) xor(iv *[16]byte, data []byte) {
	cipher.NewCTR(f.block, iv[:]).XORKeyStream(data, data)
}

func (f reference) sum(message []byte, word uint32) (tag [TagLen]byte) {
	mac := hmac.New(sha1.New, f.authentication)
	mac.Write(message)
	mac.Write(binary.BigEndian.AppendUint32(nil, word))
	mac.Sum(tag[:0])
	return tag
}

// newIV is a random one, with no blocks counted.
func newIV(r *rand.ChaCha8) (iv [16]byte) {
	copy(iv[:14], random(r, 14))
	return iv
}

// Test case 1 of HMAC-SHA1 in RFC 2202; the last four bytes of the message are
// the word.
func TestKnownAnswer(t *testing.T) {
	eachTier(t, func(t *testing.T, tier tier.Tier, keyLen int) {
		var k Keys
		k.Init(tier, make([]byte, keyLen), bytes.Repeat([]byte{0x0b}, 20))
		var tag [TagLen]byte
		k.Sum(&tag, []byte("Hi T"), 0x68657265)
		if got := hex.EncodeToString(tag[:]); got != "b617318655057264e28bc0b6fb378c8ef146be00" {
			t.Errorf("tag %s", got)
		}
	})
}

// Every length, from every place in 64 bytes: the same as by the standard
// library, and nothing beside the message is touched.
func TestStandardLibrary(t *testing.T) {
	eachTier(t, func(t *testing.T, tier tier.Tier, keyLen int) {
		r := rand.NewChaCha8([32]byte{byte(tier), byte(keyLen)})
		var k Keys
		ref := newKeys(t, &k, tier, r, keyLen)
		for _, n := range lengths() {
			at, iv, word := 64+n%67, newIV(r), uint32(r.Uint64())
			around := random(r, at+n+64)
			was := bytes.Clone(around)
			message := around[at : at+n]

			var room [3][TagLen]byte
			k.Sum(&room[1], message, word)
			if want := ref.sum(message, word); room[1] != want || room[0] != room[2] || !bytes.Equal(around, was) {
				t.Fatalf("%d bytes: tags %x, want %x", n, room, want)
			}

			k.XOR(&iv, message)
			ref.xor(&iv, was[at:at+n])
			if !bytes.Equal(around, was) {
				t.Fatalf("%d bytes: %x, want %x", n, around, was)
			}
		}
	})
}

// The longest packet that UDP carries, and a message of more blocks than their
// count's last byte counts.
func TestLong(t *testing.T) {
	eachTier(t, func(t *testing.T, tier tier.Tier, keyLen int) {
		r := rand.NewChaCha8([32]byte{byte(tier), byte(keyLen), 2})
		var k Keys
		ref := newKeys(t, &k, tier, r, keyLen)
		for _, n := range []int{4096 - 1, 4096 + 17, 65535} {
			message, iv := random(r, n), newIV(r)
			jobs := []Job{{Keys: &k, Message: message, Word: 1}, {Keys: &k, Message: message, Word: 2}}
			SumBatch(jobs)
			if jobs[0].Tag != ref.sum(message, 1) || jobs[1].Tag != ref.sum(message, 2) {
				t.Errorf("%d bytes: wrong tags", n)
			}
			want := bytes.Clone(message)
			ref.xor(&iv, want)
			if k.XOR(&iv, message); !bytes.Equal(message, want) {
				t.Errorf("%d bytes: wrong keystream", n)
			}
		}
	})
}

// Batches of every size give what the standard library gives for one message
// after the other, whatever their lengths and whoever shares a key.
func TestSumBatch(t *testing.T) {
	kinds := map[string]func(r *rand.ChaCha8) int{
		"one length": func(*rand.ChaCha8) int { return 92 },
		"voice":      func(r *rand.ChaCha8) int { return 12 + int(r.Uint64()%180) },
		"all":        func(r *rand.ChaCha8) int { return int(r.Uint64() % 2100) },
		"few long":   func(r *rand.ChaCha8) int { return map[bool]int{false: 60, true: 3000}[r.Uint64()%16 == 0] },
	}
	eachTier(t, func(t *testing.T, tier tier.Tier, keyLen int) {
		for kind, length := range kinds {
			r := rand.NewChaCha8([32]byte{byte(tier), byte(keyLen), 1})
			var keys [7]Keys
			var refs [7]reference
			for i := range keys {
				refs[i] = newKeys(t, &keys[i], tier, r, keyLen)
			}
			for size := 0; size < 70; size++ {
				if testing.Short() && size > 20 {
					size += 5
				}
				jobs := make([]Job, size)
				for i := range jobs {
					jobs[i] = Job{Keys: &keys[r.Uint64()%7], Message: random(r, length(r)), Word: uint32(r.Uint64())}
				}
				checkBatch(t, kind, jobs, keys[:], refs[:])
			}
		}
	})
}

// checkBatch sums the jobs and checks their tags, and that nothing else of them
// has changed.
func checkBatch(t *testing.T, kind string, jobs []Job, keys []Keys, refs []reference) {
	t.Helper()
	was := make([]Job, len(jobs))
	for i, job := range jobs {
		was[i] = job
		was[i].Message = bytes.Clone(job.Message)
		for k := range keys {
			if job.Keys == &keys[k] {
				was[i].Tag = refs[k].sum(job.Message, job.Word)
			}
		}
	}
	SumBatch(jobs)
	for i, job := range jobs {
		want := was[i]
		if job.Keys != want.Keys || job.Word != want.Word || job.Tag != want.Tag || !bytes.Equal(job.Message, want.Message) {
			t.Fatalf("%s: job %d of %d, %d bytes: %x, want %x", kind, i, len(jobs), len(job.Message), job.Tag, want.Tag)
		}
	}
}

// Jobs of several tiers in one batch.
func TestSumBatchTiers(t *testing.T) {
	r := rand.NewChaCha8([32]byte{3})
	all := tier.Available()
	keys, refs := make([]Keys, len(all)), make([]reference, len(all))
	for i := range keys {
		refs[i] = newKeys(t, &keys[i], all[i], r, 16)
	}
	for first := range all {
		jobs := make([]Job, 40)
		for i := range jobs {
			jobs[i] = Job{Keys: &keys[(first+i)%len(all)], Message: random(r, 80+i), Word: uint32(i)}
		}
		checkBatch(t, "tiers", jobs, keys, refs)
	}
}

// Nothing is allocated, nor does a batch of the caller's have to be.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	for _, tier := range tier.Available() {
		var k Keys
		k.Init(tier, make([]byte, 16), make([]byte, 20))
		data := make([]byte, 92)
		if n := testing.AllocsPerRun(100, func() {
			var (
				iv   [16]byte
				tag  [TagLen]byte
				jobs [33]Job
			)
			for i := range jobs {
				jobs[i] = Job{Keys: &k, Message: data[:len(data)-i]}
			}
			k.XOR(&iv, data)
			k.Sum(&tag, data, 7)
			SumBatch(jobs[:])
		}); n != 0 {
			t.Errorf("%v: %v allocations", tier, n)
		}
	}
}

func BenchmarkCM(b *testing.B) {
	for _, tier := range tier.Available() {
		var keys [32]Keys
		for i := range keys {
			keys[i].Init(tier, make([]byte, 16), make([]byte, 20))
		}
		k, data := &keys[0], make([]byte, 92)
		b.Run("xor80/"+tier.String(), func(b *testing.B) {
			var iv [16]byte
			for b.Loop() {
				k.XOR(&iv, data[12:])
			}
		})
		b.Run("sum80/"+tier.String(), func(b *testing.B) {
			var tag [TagLen]byte
			for b.Loop() {
				k.Sum(&tag, data, 7)
			}
		})
		for _, size := range []int{2, 4, 8, 16, 32} {
			b.Run(fmt.Sprintf("sum80x%d/%v", size, tier), func(b *testing.B) {
				jobs := make([]Job, size)
				for i := range jobs {
					jobs[i] = Job{Keys: &keys[i], Message: make([]byte, 92)}
				}
				for b.Loop() {
					SumBatch(jobs)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/packet")
			})
		}
	}
}
