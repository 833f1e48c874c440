package zrtp

import (
	"encoding/binary"

	"sotto/zrtp/wire"
)

// base32Alphabet is the permuted alphabet of RFC 6189 §5.1.6.
const base32Alphabet = "ybndrfg8ejkmcpqxot1uwisza345h769"

// RenderSAS renders the short authentication string for people to compare:
// four characters for B32, two words joined by a colon for B256
// (RFC 6189 §5.1.6). Only the leftmost bits of sashash are used.
func RenderSAS(sasType wire.Algo, sashash [32]byte) string {
	if sasType == wire.A("B256") {
		return evenWords[sashash[0]] + ":" + oddWords[sashash[1]]
	}
	bits := binary.BigEndian.Uint32(sashash[:4])
	var text [4]byte
	for i := range text {
		text[i] = base32Alphabet[bits>>(27-5*i)&31]
	}
	return string(text[:])
}
