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
	std    standard // of tier.Go; first, as it is looked at on every tier
	kernel kernel   // of a tier above; both are zero once wiped
}

// Init expands an AES key of 16 or 32 bytes for the instructions of t. The
// caller keeps it and wipes it.
func (k *Keys) Init(t tier.Tier, encryption []byte) {
	*k = Keys{}
	if t == tier.Go {
		k.std.init(encryption)
	} else {
		k.kernel.init(t, encryption)
	}
}

// Wipe overwrites the key; nothing but Init may be called after it.
func (k *Keys) Wipe() {
	k.std.wipe()
	*k = Keys{}
}
