//go:build !purego

package cm

import (
	"crypto/sha1"
	"encoding"
	"encoding/binary"
	"math/bits"
	"unsafe"

	"sotto/internal/processor"
	"sotto/media/protect/internal/tier"
)

// kernels is what the assembly reads, in its order: what HMAC and AES-128 need
// is next to each other, so that a cold cache has few lines to fetch.
type kernels struct {
	inner, outer [5]uint32 // the states of SHA-1 after the key block (RFC 2104 §2)
	rounds       uint8     // of AES: 10, 12 or 14
	tier         tier.Tier
	_            [6]byte
	round        [15][16]byte // the key schedule (FIPS 197 §5.2)
}

// expand expands the keys for t. It reports whether the assembly does all there
// is to do with them.
func (k *kernels) expand(t tier.Tier, encryption, authentication []byte) bool {
	k.tier = t
	if t == tier.Go {
		return false
	}
	k.rounds = uint8(len(encryption)/4 + 6)
	k.schedule(encryption)
	k.inner = keyState(authentication, 0x36)
	k.outer = keyState(authentication, 0x5c)
	return t != tier.AESNI
}

// schedule is KeyExpansion of FIPS 197 §5.2.
func (k *kernels) schedule(key []byte) {
	words, constant := len(key)/4, uint32(1)
	word := func(i int) []byte { return k.round[i/4][i%4*4:][:4] }
	for i := range 4 * (int(k.rounds) + 1) {
		if i < words {
			copy(word(i), key[4*i:])
			continue
		}
		w := binary.LittleEndian.Uint32(word(i - 1))
		switch {
		case i%words == 0:
			w = bits.RotateLeft32(substitute(w), -8) ^ constant
			constant = constant<<1 ^ constant>>7*0x11b
		case words == 8 && i%words == 4:
			w = substitute(w)
		}
		binary.LittleEndian.PutUint32(word(i), w^binary.LittleEndian.Uint32(word(i-words)))
	}
}

// keyState is the state of SHA-1 after key and pad (RFC 2104 §2).
func keyState(key []byte, pad byte) (state [5]uint32) {
	var block [sha1.BlockSize]byte
	copy(block[:], key)
	for i := range block {
		block[i] ^= pad
	}
	digest := sha1.New()
	digest.Write(block[:])
	var room [128]byte
	// Four bytes that name the format, then the state; sha1 makes no error.
	exported, _ := digest.(encoding.BinaryAppender).AppendBinary(room[:0])
	for i := range state {
		state[i] = binary.BigEndian.Uint32(exported[4+4*i:])
	}
	digest.Reset()
	clear(block[:])
	clear(room[:])
	return state
}

// XOR applies the keystream that begins at iv to data in place. The last 16
// bits of iv are zero: they count the blocks.
func (k *Keys) XOR(iv *[16]byte, data []byte) {
	first := unsafe.SliceData(data)
	switch {
	case k.tier == tier.Go:
		k.std.xor(iv, data)
	case k.tier == tier.AVX512:
		xorAVX512(k, iv, first, len(data))
	case k.tier == tier.SHANI && processor.HasVectorAES:
		xorVAES(k, iv, first, len(data))
	default:
		xorAESNI(k, iv, first, len(data))
	}
}

// Sum sets tag to HMAC-SHA1 of message followed by word, the most significant
// byte first.
func (k *Keys) Sum(tag *[TagLen]byte, message []byte, word uint32) {
	if k.tier < tier.SHANI {
		k.std.sum(tag, message, word)
		return
	}
	sumSHANI(k, tag, message, word)
}

//go:noescape
func substitute(word uint32) uint32

//go:noescape
func xorAESNI(k *Keys, iv *[16]byte, data *byte, length int)

//go:noescape
func xorVAES(k *Keys, iv *[16]byte, data *byte, length int)

//go:noescape
func xorAVX512(k *Keys, iv *[16]byte, data *byte, length int)

//go:noescape
func sumSHANI(k *Keys, tag *[TagLen]byte, data []byte, word uint32)

//go:noescape
func sumPairSHANI(jobs *[2]*Job)

//go:noescape
func sumFourSHANI(jobs *[4]*Job)

//go:noescape
func sumLanesAVX2(jobs *[8]*Job)

//go:noescape
func sumLanesAVX512(jobs *[16]*Job)
