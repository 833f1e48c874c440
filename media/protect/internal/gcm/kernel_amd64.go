//go:build !purego

package gcm

import (
	"crypto/aes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"reflect"
	"unsafe"

	"sotto/internal/processor"
	"sotto/media/protect/internal/tier"
)

// kernel is a key as the assembly reads it: in one piece, without pointers.
type kernel struct {
	// powers are H^17 to H, times x: the product of two blocks turned round is a
	// bit too low. H is what SP 800-38D §6.4 names so. The bytes are turned round, too.
	powers [17][16]byte

	rounds uint8 // 10 or 14: FIPS 197 §5; 0 means none
	wide   bool  // two blocks in a register; four gain nothing worth having in packets this short
	_      [6]byte

	round [15][16]byte // keys: FIPS 197 §5.2
}

//go:noescape
func subWord(w uint32) uint32

//go:noescape
func multiply(z, x, y *[16]byte)

//go:noescape
func prefetch(k *kernel, a, b unsafe.Pointer)

//go:noescape
func seal16(k *kernel, nonce *[12]byte, aad, data []byte)

//go:noescape
func seal32(k *kernel, nonce *[12]byte, aad, data []byte)

//go:noescape
func open16(k *kernel, nonce *[12]byte, aad, data []byte) bool

//go:noescape
func open32(k *kernel, nonce *[12]byte, aad, data []byte) bool

// Seal encrypts data in place, but for its last TagLen bytes, and writes to
// these the tag of the ciphertext and of aad, which does not overlap data.
func (k *Keys) Seal(nonce *[12]byte, aad, data []byte) {
	_ = data[TagLen-1]
	switch {
	case k.std.aead != nil:
		k.std.seal(nonce, aad, data)
	case k.kernel.wide:
		seal32(&k.kernel, nonce, aad, data)
	case k.kernel.rounds != 0:
		seal16(&k.kernel, nonce, aad, data)
	default:
		panic(noKey)
	}
}

// Open checks the tag in the last TagLen bytes of data and decrypts what is
// before it in place. Where the tag is wrong it says false and leaves data as
// it was.
func (k *Keys) Open(nonce *[12]byte, aad, data []byte) bool {
	_ = data[TagLen-1]
	switch {
	case k.std.aead != nil:
		return k.std.open(nonce, aad, data)
	case k.kernel.wide:
		return open32(&k.kernel, nonce, aad, data)
	case k.kernel.rounds != 0:
		return open16(&k.kernel, nonce, aad, data)
	}
	panic(noKey)
}

const noKey = "gcm: there is no key"

// Prefetch says that Seal or Open will soon be called, and that what a and b point to
// will be needed then, too. In a loop over many keys, three turns ahead are enough.
func (k *Keys) Prefetch(a, b unsafe.Pointer) { prefetch(&k.kernel, a, b) }

func (k *kernel) init(t tier.Tier, encryption []byte) {
	words := len(encryption) / 4
	if len(encryption) != 16 && len(encryption) != 32 {
		panic(fmt.Sprintf("gcm: key of %d bytes", len(encryption)))
	}
	k.rounds = uint8(words + 6)
	k.wide = t >= tier.SHANI && processor.HasVectorAES
	k.expand(encryption)

	last := len(k.powers) - 1
	var h [16]byte
	block, err := aes.NewCipher(encryption)
	if err != nil {
		panic("gcm: " + err.Error())
	}
	block.Encrypt(h[:], h[:])
	reflect.ValueOf(block).Elem().SetZero() // as standard is wiped
	high, low := binary.BigEndian.Uint64(h[:]), binary.BigEndian.Uint64(h[8:])
	// Times x, modulo x^128 + x^127 + x^126 + x^121 + 1, as the bits stand here.
	carry := -(high >> 63)
	high, low = high<<1|low>>63, low<<1
	high ^= carry & (0xc2 << 56)
	low ^= carry & 1
	binary.LittleEndian.PutUint64(k.powers[last][:], low)
	binary.LittleEndian.PutUint64(k.powers[last][8:], high)
	for i := last; i > 0; i-- {
		multiply(&k.powers[i-1], &k.powers[i], &k.powers[last])
	}
	clear(h[:])
}

// expand is KeyExpansion of FIPS 197 §5.2. A word's first byte is its lowest here.
func (k *kernel) expand(encryption []byte) {
	words := len(encryption) / 4
	word := func(i int) []byte { return k.round[i/4][4*(i%4):][:4] }
	for i := range words {
		copy(word(i), encryption[4*i:])
	}
	constant := uint32(1)
	for i := words; i < 4*(int(k.rounds)+1); i++ {
		w := binary.LittleEndian.Uint32(word(i - 1))
		switch {
		case i%words == 0:
			w = subWord(bits.RotateLeft32(w, -8)) ^ constant
			constant = constant<<1 ^ constant>>7*0x11b
		case i%words == 4: // of a key of 32 bytes
			w = subWord(w)
		}
		w ^= binary.LittleEndian.Uint32(word(i - words))
		binary.LittleEndian.PutUint32(word(i), w)
	}
}
