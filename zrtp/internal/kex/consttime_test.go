//go:build consttime

package kex

import (
	"crypto/rand"
	"crypto/sha512"
	"testing"

	"sotto/internal/dudect"
)

// TestConstantTime: what the mechanism rejects takes as long as what it takes,
// and so does any coordinate for the curve.
func TestConstantTime(t *testing.T) {
	for _, row := range kems {
		m := lookupKEM(t, row.name, sha512.New384)
		key := generateKEM(t, m, randomBytes(m.SecretLen))
		public, err := key.Public()
		if err != nil {
			t.Fatal(err)
		}
		var valid [32][]byte
		for i := range valid {
			valid[i], _ = encapsulate(t, m, randomBytes(m.EncapsulateLen), public)
		}
		ciphertext := make([]byte, m.CiphertextLen)
		dudect.Constant(t, dudect.Case{
			Name: row.name + " decapsulation", Samples: 2_000, Repeat: 1,
			Prepare: func(class int) {
				random := randomBytes(3)
				copy(ciphertext, valid[random[0]%32])
				// Any bit but the last byte's, which X25519 ignores in part.
				at := (int(random[1])<<8 | int(random[2])) % (8 * (len(ciphertext) - 1))
				if m.lattice != nil {
					at = max(at, 8*m.curve.PublicLen)
				}
				ciphertext[at/8] ^= byte(class) << (at % 8)
			},
			Run: func() {
				if _, err := key.Decapsulate(ciphertext); err != nil {
					t.Fatal(err)
				}
			},
		})
	}
	for _, a := range table {
		peer := freshKey(t, &a, 128).Public()
		random := make([]byte, a.SecretLen(128))
		var key *Key
		dudect.Constant(t, dudect.Case{
			Name: a.Name.String(), Samples: 700, Repeat: 1,
			Prepare: func(class int) {
				rand.Read(random)
				if class == 0 {
					clear(random)
					random[len(random)/2-1], random[0] = 1, 1
				}
				key = generate(t, &a, random)
			},
			Run: func() {
				if _, err := key.Shared(peer); err != nil {
					t.Fatal(err)
				}
			},
		})
	}
}
