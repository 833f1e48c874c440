package protect

import "encoding/binary"

const (
	rtpHeaderLen  = 12 // without CSRC list and extension: RFC 3550 §5.1
	rtcpHeaderLen = 8  // what SRTCP leaves in the clear: RFC 3711 §3.4
	version       = 2  // RFC 3550 §5.1
	extension     = 0x10

	// maxPacket is the length of the longest IP datagram. More than 2^16 blocks of a
	// packet would use the keystream of another index (RFC 3711 §4.1.1).
	maxPacket = 1<<16 - 1

	// Defined by profile: header extensions that are encrypted (RFC 9335).
	cryptexOneByte, cryptexTwoByte = 0xc0de, 0xc2de
)

// rtpHeader is the length of the header of an RTP packet, CSRC list and
// extension included, or 0 where pkt is none. What is in the extension is not
// SRTP's business.
func rtpHeader(pkt []byte) int {
	if len(pkt) < rtpHeaderLen || pkt[0]>>6 != version {
		return 0
	}
	n := rtpHeaderLen + 4*int(pkt[0]&0x0f)
	if pkt[0]&extension != 0 {
		if len(pkt) < n+4 {
			return 0
		}
		n += 4 + 4*int(binary.BigEndian.Uint16(pkt[n+2:]))
	}
	if n > len(pkt) {
		return 0
	}
	return n
}

// cryptex reports whether the header of an RTP packet asks for encrypted header
// extensions, which no ZRTP peer negotiates.
func cryptex(pkt []byte) bool {
	if pkt[0]&extension == 0 {
		return false
	}
	profile := binary.BigEndian.Uint16(pkt[rtpHeaderLen+4*int(pkt[0]&0x0f):])
	return profile == cryptexOneByte || profile == cryptexTwoByte
}

func rtpSequence(pkt []byte) uint16 { return binary.BigEndian.Uint16(pkt[2:]) }
func rtpSSRC(pkt []byte) uint32     { return binary.BigEndian.Uint32(pkt[8:]) }

// isRTCP reports whether the part of b's header that SRTCP leaves in the clear
// is that of RTCP.
func isRTCP(b []byte) bool { return len(b) >= rtcpHeaderLen && b[0]>>6 == version }

// rtcpSSRC is the sender of the first packet of a compound.
func rtcpSSRC(b []byte) uint32 { return binary.BigEndian.Uint32(b[4:]) }
