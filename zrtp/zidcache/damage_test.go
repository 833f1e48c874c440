package zidcache_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"sotto/zrtp"
	"sotto/zrtp/wire"
	"sotto/zrtp/zidcache"
)

// sample is a cache file with everything in it: several pages of records, a
// branch above them, free pages, and what it held one update before.
type sample struct {
	data      []byte
	zid       wire.ZID
	now, past []zrtp.Record
}

func makeSample(t testing.TB) sample {
	t.Helper()
	path := filepath.Join(t.TempDir(), "zid")
	c, err := zidcache.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	f := sample{zid: c.ZID(), now: make([]zrtp.Record, 40)}
	s := c.Store(own, peer)
	for n := range 2 {
		for i := range f.now {
			f.past = append(f.past[:0], f.now...)
			f.now[i] = recordOf(i, 2*n+1)
			if err := put(s, zidOf(i), f.now[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if f.data, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return f
}

// verdict opens a damaged file. It must be refused, or hold exactly what the
// sample holds, or all of what it held one update before.
func (f sample) verdict(t testing.TB, path string) (refused bool) {
	t.Helper()
	c, err := zidcache.Open(path)
	if err != nil {
		if !errors.Is(err, zidcache.ErrDamaged) {
			t.Fatalf("refused with %v", err)
		}
		return true
	}
	defer c.Close()
	if c.ZID() != f.zid {
		t.Fatal("another ZID")
	}
	s := c.Store(own, peer)
	isNow, isPast := true, true
	for i := range f.now {
		got, err := s.Load(zidOf(i))
		if err != nil {
			t.Fatal(err) // the whole file was checked when it was opened
		}
		isNow = isNow && diff(got, f.now[i]) == ""
		isPast = isPast && diff(got, f.past[i]) == ""
		got.Wipe()
	}
	if !isNow && !isPast {
		t.Fatal("opened, but it holds something else")
	}
	return false
}

// TestAdversary_E5_Truncated cuts the file at every length near the ends of pages and at
// others between; in the long form at every length. Only what bbolt has not
// used yet may be missing.
func TestAdversary_E5_Truncated(t *testing.T) {
	f := makeSample(t)
	path := filepath.Join(t.TempDir(), "zid")
	refused, total := 0, 0
	for n := range len(f.data) {
		if near := n % 4096; !long && near > 80 && near < 4095 && n%97 != 0 {
			continue
		}
		total++
		if err := os.WriteFile(path, f.data[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if f.verdict(t, path) {
			refused++
			if !bytes.Equal(readFile(t, path), f.data[:n]) {
				t.Fatal("a damaged file was changed")
			}
		} else if refused < total/2 {
			t.Fatalf("%d bytes are enough", n)
		}
	}
	t.Logf("%d of %d refused", refused, total)
}

// TestAdversary_E5_BitFlips inverts one bit of every byte of the file, one at a time; of
// the zeros among zeros, most of which nothing uses, one in eight. In the long
// form it inverts every bit.
func TestAdversary_E5_BitFlips(t *testing.T) {
	f := makeSample(t)
	path := filepath.Join(t.TempDir(), "zid")
	if err := os.WriteFile(path, f.data, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	random := rand.New(rand.NewPCG(1, 2))
	refused, flips := 0, 0
	for at, good := range f.data {
		bits := []byte{1 << random.IntN(8)}
		if long {
			bits = []byte{1, 2, 4, 8, 16, 32, 64, 128}
		} else if at%8 != 0 && bytes.Count(f.data[max(0, at-8):min(len(f.data), at+8)], []byte{0}) >= 15 {
			continue
		}
		for _, bit := range bits {
			if _, err := file.WriteAt([]byte{good ^ bit}, int64(at)); err != nil {
				t.Fatal(err)
			}
			flips++
			if f.verdict(t, path) {
				refused++
			}
		}
		if _, err := file.WriteAt([]byte{good}, int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	if f.verdict(t, path) {
		t.Error("the file as it was is refused")
	}
	t.Logf("%d of %d flips refused", refused, flips)
	if refused < 40*150 { // the records alone are longer than that
		t.Error("too few flips refused")
	}
}

// FuzzDamage overwrites any bytes of the file: a run of (offset, byte).
func FuzzDamage(f *testing.F) {
	s := makeSample(f)
	dir := f.TempDir()
	f.Add([]byte{})
	for at := 0; at < len(s.data); at += 4096 {
		for field := range byte(16) { // zero and fill each byte of each header
			f.Add([]byte{byte(at >> 8), field, 0})
			f.Add([]byte{byte(at >> 8), field, 0xff})
		}
	}
	f.Fuzz(func(t *testing.T, patch []byte) {
		data := bytes.Clone(s.data)
		for ; len(patch) >= 3; patch = patch[3:] {
			at := int(patch[0])<<8 | int(patch[1])
			data[at%len(data)] = patch[2]
		}
		path := filepath.Join(dir, "zid")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s.verdict(t, path)
	})
}
