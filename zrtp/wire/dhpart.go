package wire

import "fmt"

// DHPart is DHPart1, the responder's half of the exchange, or DHPart2, the
// initiator's (RFC 6189 §5.5, RFC 6189 §5.6).
type DHPart struct {
	Part2 bool

	H1                                     [32]byte
	RS1ID, RS2ID, AuxSecretID, PBXSecretID [8]byte

	// PV is the public value: at least one word, whole words. Whether its
	// length suits the key agreement is for the caller to check.
	PV []byte

	MAC [MACLen]byte // keyed with the sender's H0
}

// dhPartFixedLen is the length of a DHPart without its public value.
const dhPartFixedLen = messageHeadLen + 32 + 4*8 + MACLen

func (d *DHPart) messageType() Type {
	if d.Part2 {
		return TypeDHPart2
	}
	return TypeDHPart1
}

func (d *DHPart) fields() [][]byte {
	return [][]byte{d.H1[:], d.RS1ID[:], d.RS2ID[:], d.AuxSecretID[:], d.PBXSecretID[:], d.PV, d.MAC[:]}
}

// ParseDHPart reads a DHPart1 or a DHPart2.
func ParseDHPart(msg []byte) (DHPart, error) {
	t, err := MessageType(msg)
	if err != nil {
		return DHPart{}, err
	}
	if len(msg) <= dhPartFixedLen {
		return DHPart{}, fmt.Errorf("%w: %s without public value", ErrMalformed, t)
	}
	d := DHPart{Part2: t == TypeDHPart2, PV: make([]byte, len(msg)-dhPartFixedLen)}
	if err := parseMessage(msg, d.messageType(), d.fields()); err != nil {
		return DHPart{}, err
	}
	return d, nil
}

// Append appends the message to dst. It panics if PV is not whole words.
func (d *DHPart) Append(dst []byte) []byte {
	return appendMessage(dst, d.messageType(), d.fields())
}
