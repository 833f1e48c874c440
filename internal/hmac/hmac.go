// Package hmac authenticates single messages with HMAC (RFC 2104). That of the
// standard library prepares for a second message under the same key, which
// leaves five times as much to be collected, and does not overwrite the key.
package hmac

import (
	"hash"

	"sotto/internal/secret"
)

// What the key is combined with for the inner and for the outer hash.
const ipad, opad = 0x36, 0x5c

// Sum gives the MAC of a message, as long as the hash.
func Sum(newHash func() hash.Hash, key, message []byte) []byte {
	h := newHash()
	block, size := h.BlockSize(), h.Size()
	b := make([]byte, block+size)
	if len(key) > block {
		h.Write(key)
		h.Sum(b[:0])
		h.Reset()
	} else {
		copy(b, key)
	}
	for i := range block {
		b[i] ^= ipad
	}
	h.Write(b[:block])
	h.Write(message)
	h.Sum(b[:block])
	for i := range block {
		b[i] ^= ipad ^ opad
	}
	h.Reset()
	h.Write(b)
	h.Sum(b[:0])
	secret.Wipe(b[size:])
	return b[:size:size]
}
