package cm

import (
	"bytes"
	"math/rand/v2"
	"syscall"
	"testing"

	"sotto/media/protect/internal/tier"
)

// fenced is memory of so many pages between two that nobody may touch.
func fenced(t *testing.T, pages int) []byte {
	t.Helper()
	size := syscall.Getpagesize()
	all, err := syscall.Mmap(-1, 0, (pages+2)*size, syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(all); err != nil {
			t.Error(err)
		}
	})
	inside := all[size : (pages+1)*size]
	if err := syscall.Mprotect(inside, syscall.PROT_READ|syscall.PROT_WRITE); err != nil {
		t.Fatal(err)
	}
	return inside
}

// A message at either edge of the memory that may be touched: a read or write
// beyond it ends the program.
func TestEdges(t *testing.T) {
	room := fenced(t, 1)
	eachTier(t, func(t *testing.T, tier tier.Tier, keyLen int) {
		r := rand.NewChaCha8([32]byte{byte(tier), byte(keyLen), 4})
		keys := make([]Keys, 1)
		ref := newKeys(t, &keys[0], tier, r, keyLen)
		for _, n := range lengths() {
			if n > 600 && n%31 != 0 {
				continue
			}
			r.Read(room)
			first, last := room[:n], room[len(room)-n:]
			for _, message := range [][]byte{first, last} {
				iv, want := newIV(r), bytes.Clone(message)
				ref.xor(&iv, want)
				if keys[0].XOR(&iv, message); !bytes.Equal(message, want) {
					t.Fatalf("%d bytes: wrong keystream", n)
				}
				var tag [TagLen]byte
				if keys[0].Sum(&tag, message, 5); tag != ref.sum(message, 5) {
					t.Fatalf("%d bytes: wrong tag", n)
				}
			}
			for _, size := range []int{2, 8, 16} {
				jobs := make([]Job, size)
				for i := range jobs {
					jobs[i] = Job{Keys: &keys[0], Message: [][]byte{first, last}[i%2], Word: uint32(i)}
				}
				checkBatch(t, "edges", jobs, keys, []reference{ref})
			}
		}
	})
}
