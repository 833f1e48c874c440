package cm

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"
	"reflect"
)

// blocks is how many blocks of keystream are made before they are used.
const blocks = 8

// standard is Keys on the standard library: what the kernels are held against,
// and what there is without them.
type standard struct {
	block  cipher.Block
	digest hash.Hash // at work

	// The states of SHA-1 after the key block of HMAC. Set copies one of them to
	// work without the detour through bytes that BinaryUnmarshaler takes, which
	// costs as much as a block.
	work, inner, outer reflect.Value

	stream [blocks * aes.BlockSize]byte
	word   [4]byte
	tag    [TagLen]byte
}

func newStandard(encryption, authentication []byte) *standard {
	block, err := aes.NewCipher(encryption)
	if err != nil || len(authentication) > sha1.BlockSize {
		panic(fmt.Sprintf("cm: keys of %d and %d bytes", len(encryption), len(authentication)))
	}
	s := &standard{block: block, digest: sha1.New()}
	s.work = reflect.ValueOf(s.digest).Elem()
	s.inner = keyed(authentication, 0x36)
	s.outer = keyed(authentication, 0x5c)
	return s
}

// keyed is the state of SHA-1 after key and pad (RFC 2104 §2).
func keyed(key []byte, pad byte) reflect.Value {
	var block [sha1.BlockSize]byte
	copy(block[:], key)
	for i := range block {
		block[i] ^= pad
	}
	digest := sha1.New()
	digest.Write(block[:])
	clear(block[:])
	return reflect.ValueOf(digest).Elem()
}

func (s *standard) wipe() {
	reflect.ValueOf(s.block).Elem().SetZero()
	s.work.SetZero()
	s.inner.SetZero()
	s.outer.SetZero()
	*s = standard{}
}

func (s *standard) xor(iv *[16]byte, data []byte) {
	high, low := binary.BigEndian.Uint64(iv[:8]), binary.BigEndian.Uint64(iv[8:])
	for len(data) > 0 {
		n := min(len(data), len(s.stream))
		for at := 0; at < n; at += aes.BlockSize {
			counter := s.stream[at : at+aes.BlockSize]
			binary.BigEndian.PutUint64(counter, high)
			binary.BigEndian.PutUint64(counter[8:], low)
			s.block.Encrypt(counter, counter)
			low++
		}
		subtle.XORBytes(data, data[:n], s.stream[:])
		data = data[n:]
	}
}

func (s *standard) sum(tag *[TagLen]byte, message []byte, word uint32) {
	binary.BigEndian.PutUint32(s.word[:], word)
	s.work.Set(s.inner)
	s.digest.Write(message)
	s.digest.Write(s.word[:])
	s.digest.Sum(s.tag[:0])
	s.work.Set(s.outer)
	s.digest.Write(s.tag[:])
	s.digest.Sum(s.tag[:0])
	*tag = s.tag
}
