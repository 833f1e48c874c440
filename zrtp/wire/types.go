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
