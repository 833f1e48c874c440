package wire

import (
	"encoding/binary"
	"fmt"
)

// SASRelay is how a trusted MiTM shows one side the SAS of the other
// (RFC 6189 §5.13). Encrypted becomes a SASRelayPlain.
type SASRelay struct {
	MAC       [MACLen]byte // over Encrypted
	IV        [16]byte
	Encrypted []byte
}

// minRelayPlainLen is the length of a SASRelayPlain without signature: the
// same as a Confirm's, though its fields differ.
const minRelayPlainLen = 4 + 4 + 32

func (s *SASRelay) fields() [][]byte { return [][]byte{s.MAC[:], s.IV[:], s.Encrypted} }

// ParseSASRelay reads a SASrelay.
func ParseSASRelay(msg []byte) (SASRelay, error) {
	if len(msg) < confirmFixedLen+minRelayPlainLen || len(msg) > MaxMessageLen {
		return SASRelay{}, fmt.Errorf("%w: SASrelay of %d bytes", ErrMalformed, len(msg))
	}
	s := SASRelay{Encrypted: make([]byte, len(msg)-confirmFixedLen)}
	if err := parseMessage(msg, TypeSASRelay, s.fields()); err != nil {
		return SASRelay{}, err
	}
	return s, nil
}

// Append appends the message to dst. It panics if Encrypted is not whole words.
func (s *SASRelay) Append(dst []byte) []byte {
	return appendMessage(dst, TypeSASRelay, s.fields())
}

// SASRelayPlain is what a SASrelay holds encrypted (RFC 6189 §5.13).
type SASRelayPlain struct {
	Flags // the other party's, without Enrollment

	Scheme  Algo     // how the other party renders its SAS
	SASHash [32]byte // zero for a client that does not trust this MiTM

	SigType   Algo // as in ConfirmPlain, signed by the MiTM
	Signature []byte

	unused uint32 // undefined bits of the flag word
}

// ParseSASRelayPlain reads the decrypted part of a SASrelay.
func ParseSASRelayPlain(plain []byte) (SASRelayPlain, error) {
	if len(plain) < minRelayPlainLen {
		return SASRelayPlain{}, fmt.Errorf("%w: short SASrelay", ErrMalformed)
	}
	word := binary.BigEndian.Uint32(plain)
	s := SASRelayPlain{
		Flags: flagsOf(word & relayFlags), Scheme: Algo(plain[4:]), SASHash: [32]byte(plain[8:]),
		unused: word &^ (signatureWordsMask | relayFlags),
	}
	var err error
	if s.SigType, s.Signature, err = parseSignature(word, plain[minRelayPlainLen:]); err != nil {
		return SASRelayPlain{}, err
	}
	return s, nil
}

// Append appends the plain bytes, ready to be encrypted, to dst.
func (s *SASRelayPlain) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, s.unused|signatureWords(s.Signature)|s.Flags.word()&relayFlags)
	dst = append(dst, s.Scheme[:]...)
	dst = append(dst, s.SASHash[:]...)
	return appendSignature(dst, s.SigType, s.Signature)
}
