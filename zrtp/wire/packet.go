package wire

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
)

// What can be wrong with a datagram. All three mean: drop it in silence.
var (
	ErrNotZRTP = errors.New("wire: not a ZRTP packet")
	ErrLength  = errors.New("wire: packet length is impossible")
	ErrCRC     = errors.New("wire: packet checksum mismatch")
)

const (
	packetHeadLen   = 12
	fragmentHeadLen = 8 // more, in a packet with a part of a message
	crcLen          = 4
	cookie          = 0x5a525450 // "ZRTP"
	fragmented      = 0x100      // the four bits after 0001 are 0001 too

	// PacketOverhead is how many bytes a packet adds to its message.
	PacketOverhead = packetHeadLen + crcLen

	// FragmentOverhead is how many bytes it adds to a part of one.
	FragmentOverhead = PacketOverhead + fragmentHeadLen
)

// castagnoli is the polynomial of SCTP, which RFC 6189 §5 takes over. Only read.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Packet is one ZRTP datagram around one message (RFC 6189 §5), or around a
// part of one that is too long for a datagram, which is not in RFC 6189 but in
// "Post Quantum Cryptography integration in Linphone", version 1.1.
type Packet struct {
	Seq      uint16
	SSRC     uint32
	Message  []byte   // whole words; from ParsePacket it aliases the datagram
	Fragment Fragment // zero: Message is whole

	unused uint16 // the twelve bits after 0001: ignored, but kept for re-encoding
}

// Fragment says which part of a message a packet holds.
type Fragment struct {
	ID            uint16 // of the message, the same each time it is sent
	Total, Offset uint16 // words: the message's length, where the part begins
}

// ParsePacket takes one whole datagram apart. The message's inside is not
// looked at. A fragment is not empty and lies within its message. Errors:
// ErrNotZRTP, ErrLength, ErrCRC.
func ParsePacket(b []byte) (Packet, error) {
	// The first four bits are 0001, the twelve after them must be ignored.
	if len(b) < 8 || b[0]>>4 != 1 || binary.BigEndian.Uint32(b[4:]) != cookie {
		return Packet{}, ErrNotZRTP
	}
	if len(b) < PacketOverhead+messageHeadLen || len(b)%4 != 0 {
		return Packet{}, ErrLength
	}
	end := len(b) - crcLen
	if crc32.Checksum(b[:end], castagnoli) != binary.LittleEndian.Uint32(b[end:]) {
		return Packet{}, ErrCRC
	}
	p := Packet{
		Seq:     binary.BigEndian.Uint16(b[2:]),
		SSRC:    binary.BigEndian.Uint32(b[8:]),
		Message: b[packetHeadLen:end:end],
		unused:  binary.BigEndian.Uint16(b) & 0x0fff,
	}
	if p.unused&0xf00 == fragmented {
		return p.fragment()
	}
	return p, nil
}

// fragment takes the head of a part off p.
func (p Packet) fragment() (Packet, error) {
	p.unused &^= fragmented
	head := p.Message[:fragmentHeadLen]
	p.Message = p.Message[fragmentHeadLen:]
	p.Fragment = Fragment{
		ID:     binary.BigEndian.Uint16(head),
		Total:  binary.BigEndian.Uint16(head[2:]),
		Offset: binary.BigEndian.Uint16(head[4:]),
	}
	n := int(binary.BigEndian.Uint16(head[6:]))
	if n == 0 || 4*n != len(p.Message) || int(p.Fragment.Offset)+n > int(p.Fragment.Total) {
		return Packet{}, ErrLength
	}
	return p, nil
}

// AppendPacket appends header, message and checksum to dst.
func AppendPacket(dst []byte, p Packet) []byte {
	start := len(dst)
	dst = slices.Grow(dst, FragmentOverhead+len(p.Message))
	word := 0x1000 | p.unused
	if p.Fragment != (Fragment{}) {
		word |= fragmented
	}
	dst = binary.BigEndian.AppendUint16(dst, word)
	dst = binary.BigEndian.AppendUint16(dst, p.Seq)
	dst = binary.BigEndian.AppendUint32(dst, cookie)
	dst = binary.BigEndian.AppendUint32(dst, p.SSRC)
	if p.Fragment != (Fragment{}) {
		dst = binary.BigEndian.AppendUint16(dst, p.Fragment.ID)
		dst = binary.BigEndian.AppendUint16(dst, p.Fragment.Total)
		dst = binary.BigEndian.AppendUint16(dst, p.Fragment.Offset)
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(p.Message)/4))
	}
	dst = append(dst, p.Message...)
	// As in SCTP, this one number goes least significant byte first.
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}
