package zrtp

import (
	"encoding/binary"

	"sotto/internal/pgpwords"
	"sotto/zrtp/wire"
)

// base32Alphabet is the permuted alphabet of RFC 6189 §5.1.6.
const base32Alphabet = "ybndrfg8ejkmcpqxot1uwisza345h769"

// emojiAlphabet is that of B32E, which is not in RFC 6189: the code points that
// ZRTPCPP and GNU ZRTP 4J have in the places of the letters.
var emojiAlphabet = [32]rune{
	0x1f601, 0x1f63a, 0x1f465, 0x1f332, 0x1f45f, 0x270b, 0x1f44d, 0x1f435,
	0x1f434, 0x1f40d, 0x1f41f, 0x1f338, 0x1f310, 0x1f3e0, 0x1f31e, 0x1f698,
	0x1f535, 0x1f6a2, 0x1f53a, 0x1f42a, 0x1f525, 0x1f388, 0x1f426, 0x1f50d,
	0x1f4d7, 0x1f4a1, 0x1f536, 0x1f528, 0x1f55b, 0x1f31f, 0x274e, 0x1f6a9,
}

// RenderSAS renders the short authentication string for people to compare:
// four characters for B32, four pictures for B32E, two words joined by a colon for B256
// (RFC 6189 §5.1.6). Only the leftmost bits of sashash are used.
func RenderSAS(sasType wire.Algo, sashash [32]byte) string {
	if sasType == wire.A("B256") {
		return pgpwords.Even[sashash[0]] + ":" + pgpwords.Odd[sashash[1]]
	}
	bits := binary.BigEndian.Uint32(sashash[:4])
	alphabet := []rune(base32Alphabet)
	if sasType == wire.A("B32E") {
		alphabet = emojiAlphabet[:]
	}
	var text [4]rune
	for i := range text {
		text[i] = alphabet[bits>>(27-5*i)&31]
	}
	return string(text[:])
}
