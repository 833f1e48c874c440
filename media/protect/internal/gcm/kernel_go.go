//go:build !amd64 || purego

package gcm

import (
	"unsafe"

	"sotto/media/protect/internal/tier"
)

// kernel is nothing: tier.Go is the only tier.
type kernel struct{}

func (*kernel) init(t tier.Tier, _ []byte) { panic("gcm: no kernel for tier " + t.String()) }

// Seal encrypts data in place, but for its last TagLen bytes, and writes to
// these the tag of the ciphertext and of aad, which does not overlap data.
func (k *Keys) Seal(nonce *[12]byte, aad, data []byte) { k.std.seal(nonce, aad, data) }

// Open checks the tag in the last TagLen bytes of data and decrypts what is
// before it in place. Where the tag is wrong it says false and leaves data as
// it was.
func (k *Keys) Open(nonce *[12]byte, aad, data []byte) bool { return k.std.open(nonce, aad, data) }

// Prefetch does nothing here.
func (*Keys) Prefetch(_, _ unsafe.Pointer) {}
