package gcm

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"fmt"
	"reflect"
)

// standard is Keys on the standard library: what the kernels are held against,
// and what there is without them.
type standard struct {
	aead  cipher.AEAD
	nonce [12]byte // what aead gets is on the heap
}

func (s *standard) init(encryption []byte) {
	block, err := aes.NewCipher(encryption)
	if err != nil {
		panic(fmt.Sprintf("gcm: key of %d bytes", len(encryption)))
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("gcm: " + err.Error())
	}
	reflect.ValueOf(block).Elem().SetZero() // aead has its own
	s.aead = aead
}

func (s *standard) wipe() {
	if s.aead != nil {
		reflect.ValueOf(s.aead).Elem().SetZero()
	}
	*s = standard{}
}

func (s *standard) seal(nonce *[12]byte, aad, data []byte) {
	s.nonce = *nonce
	s.aead.Seal(data[:0], s.nonce[:], data[:len(data)-TagLen], aad)
}

// open keeps a copy of the ciphertext, since the standard library erases what it
// cannot authenticate: on the stack, where there is no cache to miss, and no more
// of it than has to be cleared.
func (s *standard) open(nonce *[12]byte, aad, data []byte) bool {
	s.nonce = *nonce
	switch n := len(data); {
	case n <= 384:
		var backup [384]byte
		return s.openShort(aad, data, backup[:])
	case n <= 2048:
		return s.openFrame(aad, data)
	default:
		return s.openLong(aad, data)
	}
}

// openFrame opens what an Ethernet frame holds.
func (s *standard) openFrame(aad, data []byte) bool {
	var backup [2048]byte
	return s.openShort(aad, data, backup[:])
}

func (s *standard) openShort(aad, data, backup []byte) bool {
	text := data[:len(data)-TagLen]
	copy(backup, text)
	if _, err := s.aead.Open(data[:0], s.nonce[:], data, aad); err != nil {
		copy(text, backup)
		return false
	}
	return true
}

// openLong opens what is longer. Sealing is its own inverse but for the tag: it
// makes of the ciphertext the plaintext, and of that the ciphertext again with the
// tag that it should have.
func (s *standard) openLong(aad, data []byte) bool {
	text := data[:len(data)-TagLen]
	tag := data[len(text):]
	was := [TagLen]byte(tag)
	s.aead.Seal(data[:0], s.nonce[:], text, aad)
	s.aead.Seal(data[:0], s.nonce[:], text, aad)
	authentic := subtle.ConstantTimeCompare(was[:], tag) == 1
	if authentic {
		s.aead.Seal(data[:0], s.nonce[:], text, aad)
	}
	copy(tag, was[:])
	return authentic
}
