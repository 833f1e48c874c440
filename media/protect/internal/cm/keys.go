// Package cm is AES in counter mode (RFC 3711 §4.1.1) and HMAC-SHA1 (RFC 2104)
// under keys that are expanded once. It knows no packets.
package cm

import "sotto/media/protect/internal/tier"

// TagLen is the length of HMAC-SHA1 in bytes, before it is truncated.
const TagLen = 20

// Keys are the keys of one direction, expanded. They belong to one goroutine at
// a time: the functions below work in them.
type Keys struct {
	kernels           // what the assembly reads
	std     *standard // nil where the assembly does all, and once wiped
}

// Init expands an AES key of 16, 24 or 32 bytes and an authentication key of
// 20 for the instructions of t. The caller keeps both and wipes them.
func (k *Keys) Init(t tier.Tier, encryption, authentication []byte) {
	*k = Keys{}
	if !k.expand(t, encryption, authentication) {
		k.std = newStandard(encryption, authentication)
	}
}

// Wipe overwrites the keys; nothing but Init may be called after it.
func (k *Keys) Wipe() {
	if k.std != nil {
		k.std.wipe()
	}
	*k = Keys{}
}

// Job is one message to be authenticated, beside others of other keys.
type Job struct {
	Keys    *Keys
	Message []byte
	Word    uint32
	Tag     [TagLen]byte // what Sum would set
}
