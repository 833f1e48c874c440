package cm

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"crypto/subtle"
	"encoding"
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
	digest interface {
		hash.Hash
		encoding.BinaryAppender
		encoding.BinaryUnmarshaler
	}

	// The states of SHA-1 after the key block of HMAC, as bytes: a digest takes one
	// on in less time than it needs to copy itself.
	inner, outer [stateLen]byte

	stream [blocks * aes.BlockSize]byte
	state  [stateLen]byte
	last   [2 * sha1.BlockSize]byte // the end of a message, padded
}

// A digest's bytes are four that say what it is, the state that Sum would show
// if nothing were to be padded, and what a block still lacks.
const (
	stateLen = 96
	stateAt  = 4
)

func newStandard(encryption, authentication []byte) *standard {
	block, err := aes.NewCipher(encryption)
	s := &standard{block: block}
	digest, ok := sha1.New().(interface {
		hash.Hash
		encoding.BinaryAppender
		encoding.BinaryUnmarshaler
	})
	if err != nil || !ok || len(authentication) > sha1.BlockSize {
		panic(fmt.Sprintf("cm: keys of %d and %d bytes", len(encryption), len(authentication)))
	}
	s.digest = digest
	s.keyed(&s.inner, authentication, 0x36)
	s.keyed(&s.outer, authentication, 0x5c)
	return s
}

// keyed sets state to that of SHA-1 after key and pad (RFC 2104 §2).
func (s *standard) keyed(state *[stateLen]byte, key []byte, pad byte) {
	block := s.last[:sha1.BlockSize]
	clear(block)
	copy(block, key)
	for i := range block {
		block[i] ^= pad
	}
	s.digest.Reset()
	s.digest.Write(block)
	s.save(state)
	clear(block)
}

func (s *standard) save(state *[stateLen]byte) {
	if b, err := s.digest.AppendBinary(state[:0]); err != nil || len(b) != stateLen {
		panic("cm: SHA-1 of an unknown form")
	}
}

func (s *standard) load(state *[stateLen]byte) {
	if err := s.digest.UnmarshalBinary(state[:]); err != nil {
		panic("cm: " + err.Error())
	}
}

func (s *standard) wipe() {
	reflect.ValueOf(s.block).Elem().SetZero()
	reflect.ValueOf(s.digest).Elem().SetZero()
	*s = standard{}
}

func (s *standard) xor(iv *[16]byte, data []byte) {
	high, low := binary.BigEndian.Uint64(iv[:8]), binary.BigEndian.Uint64(iv[8:])
	for len(data) > 0 {
		n := min(len(data), len(s.stream))
		// All counters first: the processor waits until what was written in two
		// halves can be read as one block.
		for at := 0; at < n; at += aes.BlockSize {
			binary.BigEndian.PutUint64(s.stream[at:], high)
			binary.BigEndian.PutUint64(s.stream[at+8:], low)
			low++
		}
		for at := 0; at < n; at += aes.BlockSize {
			block := s.stream[at : at+aes.BlockSize]
			s.block.Encrypt(block, block)
		}
		subtle.XORBytes(data, data[:n], s.stream[:])
		data = data[n:]
	}
}

// sum pads as FIPS 180-4 §5.1.1 says, so that a digest is only ever given whole
// blocks, which it does not copy.
func (s *standard) sum(tag *[TagLen]byte, message []byte, word uint32) {
	whole := len(message) &^ (sha1.BlockSize - 1)
	n := copy(s.last[:], message[whole:])
	binary.BigEndian.PutUint32(s.last[n:], word)
	s.load(&s.inner)
	s.digest.Write(message[:whole])
	s.finish(n+4, len(message)+4)
	n = copy(s.last[:], s.state[stateAt:stateAt+TagLen])
	s.load(&s.outer)
	s.finish(n, n)
	copy(tag[:], s.state[stateAt:])
}

// finish pads the n bytes in last, which end a message of so many bytes behind
// the key block, and sets state to the digest.
func (s *standard) finish(n, length int) {
	s.last[n] = 0x80
	end := sha1.BlockSize
	if n+9 > end {
		end = 2 * sha1.BlockSize
	}
	clear(s.last[n+1 : end-8])
	binary.BigEndian.PutUint64(s.last[end-8:], uint64(sha1.BlockSize+length)*8)
	s.digest.Write(s.last[:end])
	s.save(&s.state)
}
