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

// standard is Keys on the standard library: what the kernels are held against,
// and what there is without them. It is kept small, for bridges with thousands of
// them.
type standard struct {
	block        cipher.Block
	digest       sha1State
	inner, outer [TagLen]byte // states of SHA-1 after the key block of HMAC

	// In turn: keystream, the padded end of a message, and the digest's bytes.
	scratch [2 * sha1.BlockSize]byte
}

// sha1State takes on a state from bytes in less time than hash.Hash needs to copy
// itself.
type sha1State interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// The bytes of a digest: four that say what it is, its state, the block that is
// not full, and how much was written.
const (
	bytesLen = 96
	stateAt  = 4
)

// afterKey is the bytes of a digest that was given one block, without its state.
var afterKey = func() (b [bytesLen]byte) {
	digest := newSHA1()
	digest.Write(make([]byte, sha1.BlockSize))
	save(digest, b[:])
	clear(b[stateAt : stateAt+TagLen])
	return b
}()

func newSHA1() sha1State {
	digest, ok := sha1.New().(sha1State)
	if !ok {
		panic("cm: SHA-1 does not show its state")
	}
	return digest
}

// save writes a digest's bytes to b.
func save(digest sha1State, b []byte) {
	if out, err := digest.AppendBinary(b[:0]); err != nil || len(out) != bytesLen {
		panic("cm: SHA-1 of an unknown form")
	}
}

func newStandard(encryption, authentication []byte) *standard {
	block, err := aes.NewCipher(encryption)
	if err != nil || len(authentication) > sha1.BlockSize {
		panic(fmt.Sprintf("cm: keys of %d and %d bytes", len(encryption), len(authentication)))
	}
	s := &standard{block: block, digest: newSHA1()}
	s.keyed(&s.inner, authentication, 0x36)
	s.keyed(&s.outer, authentication, 0x5c)
	clear(s.scratch[:])
	return s
}

// keyed sets state to that of SHA-1 after key and pad (RFC 2104 §2).
func (s *standard) keyed(state *[TagLen]byte, key []byte, pad byte) {
	block := s.scratch[:sha1.BlockSize]
	clear(block)
	copy(block, key)
	for i := range block {
		block[i] ^= pad
	}
	s.digest.Reset()
	s.digest.Write(block)
	save(s.digest, s.scratch[:])
	copy(state[:], s.scratch[stateAt:])
}

// load gives the digest a state after the key block.
func (s *standard) load(state *[TagLen]byte) {
	b := s.scratch[:bytesLen]
	copy(b, afterKey[:])
	copy(b[stateAt:], state[:])
	if err := s.digest.UnmarshalBinary(b); err != nil {
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
		n := min(len(data), len(s.scratch))
		// All counters first: the processor waits until what was written in two
		// halves can be read as one block.
		for at := 0; at < n; at += aes.BlockSize {
			binary.BigEndian.PutUint64(s.scratch[at:], high)
			binary.BigEndian.PutUint64(s.scratch[at+8:], low)
			low++
		}
		for at := 0; at < n; at += aes.BlockSize {
			block := s.scratch[at : at+aes.BlockSize]
			s.block.Encrypt(block, block)
		}
		subtle.XORBytes(data, data[:n], s.scratch[:])
		data = data[n:]
	}
}

// sum pads as FIPS 180-4 §5.1.1 says, so that a digest is only ever given whole
// blocks, which it does not copy.
func (s *standard) sum(tag *[TagLen]byte, message []byte, word uint32) {
	whole := len(message) &^ (sha1.BlockSize - 1)
	s.load(&s.inner)
	s.digest.Write(message[:whole])
	n := copy(s.scratch[:], message[whole:])
	binary.BigEndian.PutUint32(s.scratch[n:], word)
	s.finish(tag, n+4, len(message)+4)
	s.load(&s.outer)
	n = copy(s.scratch[:], tag[:])
	s.finish(tag, n, n)
}

// finish pads the n bytes in scratch, which end a message of so many bytes behind
// the key block, and sets tag to the digest.
func (s *standard) finish(tag *[TagLen]byte, n, length int) {
	s.scratch[n] = 0x80
	end := sha1.BlockSize
	if n+9 > end {
		end = 2 * sha1.BlockSize
	}
	clear(s.scratch[n+1 : end-8])
	binary.BigEndian.PutUint64(s.scratch[end-8:], uint64(sha1.BlockSize+length)*8)
	s.digest.Write(s.scratch[:end])
	save(s.digest, s.scratch[:])
	copy(tag[:], s.scratch[stateAt:])
}
