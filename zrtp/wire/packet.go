package wire

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// What can be wrong with a datagram. All three mean: drop it in silence.
var (
	ErrNotZRTP = errors.New("wire: not a ZRTP packet")
	ErrLength  = errors.New("wire: packet length is impossible")
	ErrCRC     = errors.New("wire: packet checksum mismatch")
)

const (
	packetHeadLen = 12
	crcLen        = 4
	cookie        = 0x5a525450 // "ZRTP"

	// PacketOverhead is how many bytes a packet adds to its message.
	PacketOverhead = packetHeadLen + crcLen
)

// castagnoli is the polynomial of SCTP, which RFC 6189 §5 takes over. Only read.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Packet is one ZRTP datagram around one message (RFC 6189 §5).
type Packet struct {
	Seq     uint16
	SSRC    uint32
	Message []byte // whole words; from ParsePacket it aliases the datagram

	unused uint16 // the twelve bits after 0001: ignored, but kept for re-encoding
}

// ParsePacket takes one whole datagram apart. The message's inside is not
// looked at. Errors: ErrNotZRTP, ErrLength, ErrCRC.
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
	return Packet{
		Seq:     binary.BigEndian.Uint16(b[2:]),
		SSRC:    binary.BigEndian.Uint32(b[8:]),
		Message: b[packetHeadLen:end:end],
		unused:  binary.BigEndian.Uint16(b) & 0x0fff,
	}, nil
}

// AppendPacket appends header, message and checksum to dst.
func AppendPacket(dst []byte, p Packet) []byte {
	start := len(dst)
	dst = binary.BigEndian.AppendUint16(dst, 0x1000|p.unused)
	dst = binary.BigEndian.AppendUint16(dst, p.Seq)
	dst = binary.BigEndian.AppendUint32(dst, cookie)
	dst = binary.BigEndian.AppendUint32(dst, p.SSRC)
	dst = append(dst, p.Message...)
	// As in SCTP, this one number goes least significant byte first.
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}
