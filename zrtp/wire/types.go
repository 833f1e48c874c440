package wire

import (
	"encoding/hex"
	"strings"
)

// ZID names one ZRTP endpoint for the life of its cache (RFC 6189 §4.9).
type ZID [12]byte

// String is the ZID in hexadecimal.
func (z ZID) String() string { return hex.EncodeToString(z[:]) }

// Algo is a four-character algorithm name, padded with spaces (RFC 6189 §5.1.2).
type Algo [4]byte

// A makes an Algo of a name of at most four characters.
func A(name string) Algo {
	a := Algo{' ', ' ', ' ', ' '}
	copy(a[:], name)
	return a
}

// String is the name without its padding.
func (a Algo) String() string { return strings.TrimRight(string(a[:]), " ") }

// Type is a message's eight-character name, padded with spaces
// (RFC 6189 §5.1.1).
type Type [8]byte

// String is the name without its padding.
func (t Type) String() string { return strings.TrimRight(string(t[:]), " ") }

func typeNamed(name string) Type {
	t := Type{' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '}
	copy(t[:], name)
	return t
}

// The sixteen message types of RFC 6189 §5.1.1.
var (
	TypeHello    = typeNamed("Hello")
	TypeHelloACK = typeNamed("HelloACK")
	TypeCommit   = typeNamed("Commit")
	TypeDHPart1  = typeNamed("DHPart1")
	TypeDHPart2  = typeNamed("DHPart2")
	TypeConfirm1 = typeNamed("Confirm1")
	TypeConfirm2 = typeNamed("Confirm2")
	TypeConf2ACK = typeNamed("Conf2ACK")
	TypeError    = typeNamed("Error")
	TypeErrorACK = typeNamed("ErrorACK")
	TypeGoClear  = typeNamed("GoClear")
	TypeClearACK = typeNamed("ClearACK")
	TypeSASRelay = typeNamed("SASrelay")
	TypeRelayACK = typeNamed("RelayACK")
	TypePing     = typeNamed("Ping")
	TypePingACK  = typeNamed("PingACK")
)
