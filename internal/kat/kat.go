// Package kat holds known answers: whole handshakes recorded between two
// copies of another implementation of ZRTP, libbzrtp, with the secrets they
// ended in. They serve tests and the self-test.
package kat

import (
	"bytes"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

//go:embed zrtp-bzrtp.json
var handshakes []byte

const handshakeCount = 9

// Hex is bytes that stand in the file in hexadecimal.
type Hex []byte

// UnmarshalText decodes hexadecimal.
func (h *Hex) UnmarshalText(text []byte) error {
	b, err := hex.AppendDecode(nil, text)
	*h = b
	return err
}

// Handshake is one recorded key agreement in DH mode between endpoints A and
// B. Fields that end in I or R belong to the initiator or the responder; names
// are those of RFC 6189 §4.4.1.4 and RFC 6189 §4.5.3.
type Handshake struct {
	Name  string
	RoleA string // "initiator" or "responder"
	Hash  string // "sha256" or "sha384", the negotiated one
	SAS   string // as shown to people: base32, or "word:word"

	DHResult, TotalHash          Hex
	S1, S2, S3                   Hex // empty if not shared
	S0, SASHash                  Hex
	SRTPKeyI, SRTPSaltI          Hex
	SRTPKeyR, SRTPSaltR          Hex
	MACKeyI, MACKeyR             Hex
	ZRTPKeyI, ZRTPKeyR           Hex
	ZRTPSess                     Hex
	ExportedKey                  Hex
	RetainedSecret               Hex // the new rs1
	ConfirmIPlain, ConfirmRPlain Hex // decrypted part of each Confirm
	H0I, H0R                     Hex

	PacketsA, PacketsB []Hex // whole datagrams which each side sent in the first stream, in order

	Stream2 *Stream // a second stream in Multistream mode, if there was one
}

// Stream is what a stream in Multistream mode derived (RFC 6189 §4.4.3.2). Both
// sides commit; the roles are those of the first stream.
type Stream struct {
	TotalHash, S0, SRTPKeyI Hex
	PacketsA, PacketsB      []Hex // as in Handshake
}

// Handshakes returns all recorded handshakes, in the order they were recorded:
// x255_cache2_retained goes on with what x255_cache1 left in the caches. It
// panics if the file which was compiled in is not whole.
func Handshakes() []Handshake {
	return decode[Handshake](handshakes, handshakeCount)
}

func decode[T any](file []byte, count int) []T {
	var all []T
	d := json.NewDecoder(bytes.NewReader(file))
	d.DisallowUnknownFields()
	if err := d.Decode(&all); err != nil {
		panic(fmt.Sprintf("kat: recorded handshakes: %v", err))
	}
	if len(all) != count {
		panic(fmt.Sprintf("kat: %d recorded handshakes where %d belong", len(all), count))
	}
	return all
}
