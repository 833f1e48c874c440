package hmac

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"testing"
)

// TestVector is a test case of RFC 4231 §4.3.
func TestVector(t *testing.T) {
	for _, v := range []struct {
		newHash func() hash.Hash
		want    string
	}{
		{sha256.New, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{sha512.New, "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
	} {
		if got := Sum(v.newHash, []byte("Jefe"), []byte("what do ya want for nothing?")); hex.EncodeToString(got) != v.want {
			t.Errorf("%x, want %s", got, v.want)
		}
	}
}

// TestSum holds Sum against the standard library, with keys of all lengths up to
// some that are longer than a block.
func TestSum(t *testing.T) {
	for _, newHash := range []func() hash.Hash{sha256.New, sha512.New384, sha512.New} {
		for n := range 140 {
			key, message := make([]byte, n), make([]byte, 3*n)
			rand.Read(key)
			rand.Read(message)
			before := bytes.Clone(key)
			m := hmac.New(newHash, key)
			m.Write(message)
			got, want := Sum(newHash, key, message), m.Sum(nil)
			if !bytes.Equal(got, want) || !bytes.Equal(key, before) {
				t.Fatalf("%d bytes of key: %x, want %x", n, got, want)
			}
			if behind := got[:len(got):cap(got)]; cap(got) != len(got) || len(behind) != newHash().Size() {
				t.Fatalf("room for %d bytes behind the MAC", cap(got)-len(got))
			}
		}
	}
}

// spy remembers the sums that it has handed out.
type spy struct {
	hash.Hash
	sums *[][]byte
}

func (s spy) Sum(b []byte) []byte {
	sum := s.Hash.Sum(b)
	*s.sums = append(*s.sums, sum)
	return sum
}

// TestWiped: of what the key was made into, nothing outlives Sum but the MAC.
// A key that is longer than a block is worth as much as its hash.
func TestWiped(t *testing.T) {
	for _, n := range []int{0, 32, sha512.BlockSize, sha512.BlockSize + 1} {
		var sums [][]byte
		key := bytes.Repeat([]byte{7}, n)
		mac := Sum(func() hash.Hash { return spy{sha512.New(), &sums} }, key, []byte("message"))
		if len(sums) < 2 {
			t.Fatalf("%d bytes of key: %d sums", n, len(sums))
		}
		for i, sum := range sums {
			rest := sum
			if &sum[0] == &mac[0] {
				rest = sum[len(mac):]
			}
			if !bytes.Equal(rest, make([]byte, len(rest))) {
				t.Errorf("%d bytes of key: of sum %d is left %x", n, i, rest)
			}
		}
	}
}
