package main

// messageMutants are the checks of what comes off the network, and of public
// values.
func messageMutants() []mutant {
	return []mutant{
		off("zrtp/wire/packet.go", "crc32.Checksum(b[:end], castagnoli) != binary.LittleEndian.Uint32(b[end:])", "TestBadPackets"),
		{"zrtp/wire/packet.go", "b[0]>>4 != 1 || ", "", "TestBadPackets"},
		{"zrtp/wire/packet.go", " || binary.BigEndian.Uint32(b[4:]) != cookie", "", "TestBadPackets"},
		{"zrtp/wire/packet.go", "len(b) < PacketOverhead+messageHeadLen || len(b)%4 != 0", "len(b) < PacketOverhead+messageHeadLen", "TestBadPackets"},
		{"zrtp/wire/packet.go", "len(b) < PacketOverhead+messageHeadLen || len(b)%4 != 0", "len(b)%4 != 0", "TestBadPackets"},
		{"zrtp/wire/packet.go", "n == 0 || 4*n != len(p.Message) || ", "n == 0 || ", "Fragment"},
		{"zrtp/wire/packet.go", " || int(p.Fragment.Offset)+n > int(p.Fragment.Total)", "", "Fragment"},
		off("zrtp/wire/fragment.go", "4*int(f.Total) > MaxMessageLen", "Assembler"),
		{"zrtp/wire/fragment.go", "a.msg == nil || a.id != f.ID || a.total != f.Total", "a.msg == nil || a.total != f.Total", "Assembler"},
		{"zrtp/wire/fragment.go", "a.msg == nil || a.id != f.ID || a.total != f.Total", "a.msg == nil || a.id != f.ID", "Assembler|Fragment"},
		{"zrtp/wire/message.go", " || binary.BigEndian.Uint16(msg) != preamble", "", "TestMessageHead"},
		off("zrtp/wire/message.go", "words := binary.BigEndian.Uint16(msg[2:]); len(msg) != 4*int(words)", "TestMessageHead|TestMessagePrefixes"),
		off("zrtp/wire/message.go", "got != t", "TestWrongType"),
		off("zrtp/wire/message.go", "len(body) != want", "TestMessagePrefixes"),
		off("zrtp/wire/hello.go", "len(msg) < helloFixedLen", "TestMessagePrefixes"),
		off("zrtp/wire/hello.go", "count > maxAlgos", "TestHelloCounts"),
		off("zrtp/wire/commit.go", "len(msg) < minCommitLen", "TestMessagePrefixes"),
		off("zrtp/wire/dhpart.go", "len(msg) <= dhPartFixedLen", "TestShortestVariable"),
		{"zrtp/wire/confirm.go", "len(msg) < sealedFixedLen+minConfirmPlainLen || ", "", "TestShortestVariable"},
		{"zrtp/wire/confirm.go", " || len(msg) > MaxMessageLen", "", "TestLongest"},
		{"zrtp/wire/confirm.go", "!known || ", "!known && false || ", "TestWrongType"},
		off("zrtp/wire/message.go", "isACK(t) && len(msg) != messageHeadLen", "TestMessagePrefixes|TestMessageHead"),
		{"zrtp/wire/short.go", "if !isACK(t) {\n\t\treturn Type{}", "if false {\n\t\treturn Type{}", "TestMessageHead|TestWrongType"},
		off("zrtp/wire/confirm.go", "len(plain) < minConfirmPlainLen", "TestSignatureLength|TestConfirmPlain"),
		off("zrtp/wire/sasrelay.go", "len(plain) < minRelayPlainLen", "TestSignatureLength|TestSASRelayPlain"),
		{"zrtp/wire/signature.go", "len(b) != 4*words || words == 1", "words == 1", "TestSignatureLength"},
		{"zrtp/wire/signature.go", "len(b) != 4*words || words == 1", "len(b) != 4*words", "TestSignatureLength"},

		off("zrtp/internal/kex/kex.go", "len(peerPV) != len(k.pv)", "TestInvalidPublicValues"),
		off("zrtp/internal/kex/modp.go", "bytes.Equal(pv, trivial)", "TestInvalidPublicValues"),
		{"zrtp/internal/kex/modp.go", "\tif !ok {\n\t\treturn nil, ErrPublicValue", "\tif false && !ok {\n\t\treturn nil, ErrPublicValue", "TestInvalidPublicValues"},
		off("zrtp/internal/kex/modp.go", "subtle.ConstantTimeCompare(random, make([]byte, len(random))) == 1", "Test"),
		off("zrtp/internal/kex/rfc7748.go", "subtle.ConstantTimeCompare(result, make([]byte, len(result))) == 1", "TestInvalidPublicValues"),
		{"zrtp/internal/kex/curve.go", "if err != nil {\n\t\treturn nil, ErrPublicValue\n\t}\n\tresult", "if false {\n\t\treturn nil, ErrPublicValue\n\t}\n\tresult", "TestInvalidPublicValues"},
		off("zrtp/internal/kex/kem.go", "len(public) != m.PublicLen", "KEM"),
		off("zrtp/internal/kex/kem.go", "len(ciphertext) != m.CiphertextLen", "KEM"),
		{"zrtp/internal/kex/kem.go", "if err != nil { // a coefficient beyond the modulus", "if false {", "KEM"},
	}
}
