package gcm

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"reflect"
)

// standard is Keys on the standard library: what the kernels are held against,
// and what there is without them.
type standard struct {
	aead    cipher.AEAD
	block   cipher.Block // of the same key
	nonce   [12]byte
	counter [aes.BlockSize]byte // scratch of xor
}

func newStandard(encryption []byte) *standard {
	block, err := aes.NewCipher(encryption)
	if err != nil {
		panic(fmt.Sprintf("gcm: key of %d bytes", len(encryption)))
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("gcm: " + err.Error())
	}
	return &standard{aead: aead, block: block}
}

func (s *standard) wipe() {
	reflect.ValueOf(s.aead).Elem().SetZero()
	reflect.ValueOf(s.block).Elem().SetZero()
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
	case n <= 256:
		var backup [256]byte
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

// openLong opens what is longer. It decrypts first, which is its own
// inverse, so that sealing it again both restores the ciphertext and shows the
// tag that it should have.
func (s *standard) openLong(aad, data []byte) bool {
	text := data[:len(data)-TagLen]
	var was [TagLen]byte
	tag := data[len(text):]
	copy(was[:], tag)
	s.xor(text)
	s.aead.Seal(data[:0], s.nonce[:], text, aad)
	authentic := subtle.ConstantTimeCompare(was[:], tag) == 1
	copy(tag, was[:])
	if authentic {
		s.xor(text)
	}
	return authentic
}

// xor applies the keystream under nonce, which begins with counter 2
// (SP 800-38D §7.1), to text in place.
func (s *standard) xor(text []byte) {
	block := s.counter[:]
	for counter := uint32(2); len(text) > 0; counter++ {
		copy(block, s.nonce[:])
		binary.BigEndian.PutUint32(block[len(s.nonce):], counter)
		s.block.Encrypt(block, block)
		text = text[subtle.XORBytes(text, text[:min(len(text), len(block))], block):]
	}
	clear(block)
}
