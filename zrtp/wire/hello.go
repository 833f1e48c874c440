package wire

import (
	"encoding/binary"
	"fmt"
)

// Hello introduces an endpoint and what it can do (RFC 6189 §5.2). Each list
// of algorithms stands in the sender's order of preference, holds at most
// seven, and leaves the mandatory ones to be understood at its end.
type Hello struct {
	Version  [4]byte
	ClientID [16]byte
	H3       [32]byte // last image of the hash chain, RFC 6189 §9
	ZID      ZID

	SASSigning bool // S: can verify signatures of the SAS
	MiTM       bool // M: may send SASrelay
	Passive    bool // P: never sends Commit

	Hashes, Ciphers, AuthTags, KeyAgreements, SASTypes []Algo

	MAC [MACLen]byte // keyed with the sender's H2

	unused uint32 // undefined bits of the flag word
}

const (
	// MaxHelloLen is the length in bytes of a Hello with five full lists.
	MaxHelloLen = helloFixedLen + 5*maxAlgos*4

	maxAlgos      = 7
	helloFixedLen = helloFlags + 4 + MACLen
	helloFlags    = messageHeadLen + 4 + 16 + 32 + 12 // offset of the flag word

	helloSASSigning = 1 << 30
	helloMiTM       = 1 << 29
	helloPassive    = 1 << 28
	helloUnused     = 0x8ff00000
)

// lists are the algorithm lists in wire order.
func (h *Hello) lists() [5]*[]Algo {
	return [5]*[]Algo{&h.Hashes, &h.Ciphers, &h.AuthTags, &h.KeyAgreements, &h.SASTypes}
}

func (h *Hello) fields(flags *[4]byte) [][]byte {
	fields := append(make([][]byte, 0, 6+5*maxAlgos), h.Version[:], h.ClientID[:], h.H3[:], h.ZID[:], flags[:])
	for _, list := range h.lists() {
		for i := range *list {
			fields = append(fields, (*list)[i][:])
		}
	}
	return append(fields, h.MAC[:])
}

// ParseHello reads a Hello of any protocol version that kept this layout.
func ParseHello(msg []byte) (Hello, error) {
	if len(msg) < helloFixedLen {
		return Hello{}, fmt.Errorf("%w: short Hello", ErrMalformed)
	}
	word := binary.BigEndian.Uint32(msg[helloFlags:])
	h := Hello{
		SASSigning: word&helloSASSigning != 0,
		MiTM:       word&helloMiTM != 0,
		Passive:    word&helloPassive != 0,
		unused:     word & helloUnused,
	}
	for i, list := range h.lists() {
		count := word >> (16 - 4*i) & 0xf
		if count > maxAlgos {
			return Hello{}, fmt.Errorf("%w: Hello with %d algorithms of a kind", ErrMalformed, count)
		}
		if count > 0 {
			*list = make([]Algo, count)
		}
	}
	var flags [4]byte
	if err := parseMessage(msg, TypeHello, h.fields(&flags)); err != nil {
		return Hello{}, err
	}
	return h, nil
}

// Append appends the message to dst. It panics if a list has more than seven
// algorithms: they come from the local configuration, which was validated.
func (h *Hello) Append(dst []byte) []byte {
	word := h.unused
	if h.SASSigning {
		word |= helloSASSigning
	}
	if h.MiTM {
		word |= helloMiTM
	}
	if h.Passive {
		word |= helloPassive
	}
	for i, list := range h.lists() {
		if len(*list) > maxAlgos {
			panic("wire: Hello with more than seven algorithms of a kind")
		}
		word |= uint32(len(*list)) << (16 - 4*i)
	}
	var flags [4]byte
	binary.BigEndian.PutUint32(flags[:], word)
	return appendMessage(dst, TypeHello, h.fields(&flags))
}
