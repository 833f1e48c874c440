package wire

import (
	"encoding/binary"
	"fmt"
)

// SASRelayPlain is what a SASrelay holds encrypted: how a trusted MiTM shows one
// side the SAS of the other (RFC 6189 §5.13).
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
