package wire

import (
	"encoding/binary"
	"fmt"
)

// Sealed is what Confirm1, which the responder sends, Confirm2, which the
// initiator sends, and SASrelay look like (RFC 6189 §5.7, RFC 6189 §5.13).
// Encrypted becomes a ConfirmPlain or a SASRelayPlain.
type Sealed struct {
	Type      Type
	MAC       [MACLen]byte // over Encrypted
	IV        [16]byte
	Encrypted []byte
}

const (
	minConfirmPlainLen = 32 + 4 + 4
	minRelayPlainLen   = 4 + 4 + 32 // the same, though the fields differ
	sealedFixedLen     = messageHeadLen + MACLen + 16
)

func (s *Sealed) fields() [][]byte { return [][]byte{s.MAC[:], s.IV[:], s.Encrypted} }

// ParseSealed reads a Confirm1, a Confirm2 or a SASrelay.
func ParseSealed(msg []byte) (Sealed, error) {
	t, err := MessageType(msg)
	if err != nil {
		return Sealed{}, err
	}
	known := t == TypeConfirm1 || t == TypeConfirm2 || t == TypeSASRelay
	if !known || len(msg) < sealedFixedLen+minConfirmPlainLen || len(msg) > MaxMessageLen {
		return Sealed{}, fmt.Errorf("%w: %q of %d bytes is not sealed", ErrMalformed, t, len(msg))
	}
	s := Sealed{Type: t, Encrypted: make([]byte, len(msg)-sealedFixedLen)}
	return s, parseMessage(msg, t, s.fields())
}

// Append appends the message to dst. It panics if Encrypted is not whole words.
func (s *Sealed) Append(dst []byte) []byte { return appendMessage(dst, s.Type, s.fields()) }

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
