package wire

import (
	"encoding/binary"
	"fmt"
)

// Confirm is Confirm1, sent by the responder, or Confirm2, sent by the
// initiator (RFC 6189 §5.7). Encrypted becomes a ConfirmPlain.
type Confirm struct {
	Second    bool
	MAC       [MACLen]byte // over Encrypted
	IV        [16]byte
	Encrypted []byte
}

const (
	minConfirmPlainLen = 32 + 4 + 4
	confirmFixedLen    = messageHeadLen + MACLen + 16
)

func (c *Confirm) messageType() Type {
	if c.Second {
		return TypeConfirm2
	}
	return TypeConfirm1
}

func (c *Confirm) fields() [][]byte { return [][]byte{c.MAC[:], c.IV[:], c.Encrypted} }

// ParseConfirm reads a Confirm1 or a Confirm2.
func ParseConfirm(msg []byte) (Confirm, error) {
	t, err := MessageType(msg)
	if err != nil {
		return Confirm{}, err
	}
	if len(msg) < confirmFixedLen+minConfirmPlainLen || len(msg) > MaxMessageLen {
		return Confirm{}, fmt.Errorf("%w: %s of %d bytes", ErrMalformed, t, len(msg))
	}
	c := Confirm{Second: t == TypeConfirm2, Encrypted: make([]byte, len(msg)-confirmFixedLen)}
	if err := parseMessage(msg, c.messageType(), c.fields()); err != nil {
		return Confirm{}, err
	}
	return c, nil
}

// Append appends the message to dst. It panics if Encrypted is not whole words.
func (c *Confirm) Append(dst []byte) []byte {
	return appendMessage(dst, c.messageType(), c.fields())
}

// ConfirmPlain is what a Confirm holds encrypted (RFC 6189 §5.7).
type ConfirmPlain struct {
	H0 [32]byte
	Flags

	// CacheExpiry is how many seconds the retained secret lives: 0 never
	// cached, 0xffffffff for ever (RFC 6189 §4.9).
	CacheExpiry uint32

	// SigType and Signature are empty, or both there (RFC 6189 §7.2).
	// Signature is padded with zeros to whole words, and from a parser it
	// includes its padding.
	SigType   Algo
	Signature []byte

	unused uint32 // undefined bits of the flag word
}

// Flags are those of a Confirm and, but for the first, of a SASrelay.
type Flags struct {
	Enrollment bool // E: the PBX asks to be trusted, RFC 6189 §7.3.1
	Verified   bool // V: the sender's user verified the SAS, RFC 6189 §7.1
	AllowClear bool // A: the sender accepts GoClear, RFC 6189 §4.7.2
	Disclosure bool // D: the sender discloses its keys, RFC 6189 §11
}

// Their bits in the flag word.
const (
	enrollment = 1 << 3
	relayFlags = 1<<3 - 1
	allFlags   = relayFlags | enrollment
)

func flagsOf(word uint32) Flags {
	return Flags{word&enrollment != 0, word&(1<<2) != 0, word&(1<<1) != 0, word&1 != 0}
}

func (f Flags) word() (word uint32) {
	for bit, set := range []bool{f.Disclosure, f.AllowClear, f.Verified, f.Enrollment} {
		if set {
			word |= 1 << bit
		}
	}
	return word
}

// ParseConfirmPlain reads the decrypted part of a Confirm.
func ParseConfirmPlain(plain []byte) (ConfirmPlain, error) {
	if len(plain) < minConfirmPlainLen {
		return ConfirmPlain{}, fmt.Errorf("%w: short Confirm", ErrMalformed)
	}
	word := binary.BigEndian.Uint32(plain[32:])
	c := ConfirmPlain{
		H0: [32]byte(plain), Flags: flagsOf(word), CacheExpiry: binary.BigEndian.Uint32(plain[36:]),
		unused: word &^ (signatureWordsMask | allFlags),
	}
	var err error
	if c.SigType, c.Signature, err = parseSignature(word, plain[minConfirmPlainLen:]); err != nil {
		return ConfirmPlain{}, err
	}
	return c, nil
}

// Append appends the plain bytes, ready to be encrypted, to dst.
func (c *ConfirmPlain) Append(dst []byte) []byte {
	dst = append(dst, c.H0[:]...)
	dst = binary.BigEndian.AppendUint32(dst, c.unused|signatureWords(c.Signature)|c.Flags.word())
	dst = binary.BigEndian.AppendUint32(dst, c.CacheExpiry)
	return appendSignature(dst, c.SigType, c.Signature)
}
