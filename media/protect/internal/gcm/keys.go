// Package gcm is AES in Galois/counter mode (SP 800-38D, RFC 5116) with a
// nonce of 12 bytes and a tag of 16, under keys that are expanded once. It
// knows no packets.
package gcm

import "sotto/media/protect/internal/tier"

// TagLen is the length of the authentication tag in bytes.
const TagLen = 16

// Keys is the key of one direction, expanded. It belongs to one goroutine at a
// time: the functions below work in it.
type Keys struct {
	std *standard // nil once wiped
}

// Init expands an AES key of 16 or 32 bytes for the instructions of t. The
// caller keeps it and wipes it.
func (k *Keys) Init(t tier.Tier, encryption []byte) { *k = Keys{std: newStandard(encryption)} }

// Wipe overwrites the key; nothing but Init may be called after it.
func (k *Keys) Wipe() {
	if k.std != nil {
		k.std.wipe()
	}
	*k = Keys{}
}

// Seal encrypts data in place, but for its last TagLen bytes, and writes to
// these the tag of the ciphertext and of aad, which does not overlap data.
func (k *Keys) Seal(nonce *[12]byte, aad, data []byte) { k.std.seal(nonce, aad, data) }

// Open checks the tag in the last TagLen bytes of data and decrypts what is
// before it in place. Where the tag is wrong it says false and leaves data as
// it was.
func (k *Keys) Open(nonce *[12]byte, aad, data []byte) bool { return k.std.open(nonce, aad, data) }
