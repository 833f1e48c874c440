package kex

import (
	"bytes"
	"crypto/ecdh"
	"testing"

	"github.com/cloudflare/circl/dh/x448"
)

// TestX25519Vectors has the vectors of RFC 7748 §5.2. Those of X448 are with
// its arithmetic.
func TestX25519Vectors(t *testing.T) {
	for _, v := range []struct{ scalar, u, want string }{
		{
			"a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
			"e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
			"c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
		}, {
			"4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
			"e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
			"95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
		},
	} {
		got := make([]byte, 32)
		curve25519.multiply(got, unhex(t, v.scalar), unhex(t, v.u))
		if !bytes.Equal(got, unhex(t, v.want)) {
			t.Errorf("%s · %s is %x, want %s", v.scalar, v.u, got, v.want)
		}
	}
	k, u, result := make([]byte, 32), make([]byte, 32), make([]byte, 32)
	k[0], u[0] = 9, 9
	for i := range 1_000 {
		curve25519.multiply(result, k, u)
		copy(u, k)
		copy(k, result)
		want := map[int]string{
			0:   "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079",
			999: "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51",
		}[i]
		if want != "" && !bytes.Equal(k, unhex(t, want)) {
			t.Fatalf("after %d: %x, want %s", i+1, k, want)
		}
	}
}

// TestX25519AgainstStandardLibrary and its neighbour: random scalars, and
// coordinates that are on the curve or on its twist.
func TestX25519AgainstStandardLibrary(t *testing.T) {
	for range 200 {
		scalar, u := randomBytes(32), randomBytes(32)
		key, err := ecdh.X25519().NewPrivateKey(scalar)
		if err != nil {
			t.Fatal(err)
		}
		peer, err := ecdh.X25519().NewPublicKey(u)
		if err != nil {
			t.Fatal(err)
		}
		want, err := key.ECDH(peer)
		if err != nil {
			t.Fatal(err)
		}
		pv, got := make([]byte, 32), make([]byte, 32)
		curve25519.base(pv, scalar)
		curve25519.multiply(got, scalar, u)
		if !bytes.Equal(got, want) || !bytes.Equal(pv, key.PublicKey().Bytes()) {
			t.Fatalf("scalar %x, u %x: %x and %x, want %x", scalar, u, pv, got, want)
		}
	}
}

func TestX448AgainstCircl(t *testing.T) {
	for range 200 {
		scalar, u := x448.Key(randomBytes(56)), x448.Key(randomBytes(56))
		var wantPV, want x448.Key
		x448.KeyGen(&wantPV, &scalar)
		x448.Shared(&want, &scalar, &u)
		pv, got := make([]byte, 56), make([]byte, 56)
		goldilocks.base(pv, scalar[:])
		goldilocks.multiply(got, scalar[:], u[:])
		if !bytes.Equal(got, want[:]) || !bytes.Equal(pv, wantPV[:]) {
			t.Fatalf("scalar %x, u %x: %x and %x, want %x and %x", scalar, u, pv, got, wantPV, want)
		}
	}
}
