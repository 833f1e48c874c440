package media

import (
	"encoding/binary"
	"errors"
)

// headerLen is an RTP header without CSRC list and extension (RFC 3550 §5.1):
// the only one we send, and the least that can arrive.
const headerLen = 12

const (
	rtpVersion = 2 << 6
	rtpPadding = 1 << 5
)

var errHeader = errors.New("media: malformed RTP packet")

// Sendable reports whether voice can have this payload type: it fits, and its
// packets are not taken for RTCP (RFC 5761 §4).
func Sendable(payloadType uint8) bool {
	return payloadType < 64 || payloadType > 95 && payloadType < 128
}

// rtpHeader is what matters of an RTP header.
type rtpHeader struct {
	marker      bool
	payloadType uint8
	sequence    uint16
	timestamp   uint32
	ssrc        uint32
}

// put writes h to b, which holds headerLen bytes.
func (h rtpHeader) put(b []byte) {
	b[0] = rtpVersion
	b[1] = h.payloadType
	if h.marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], h.sequence)
	binary.BigEndian.PutUint32(b[4:], h.timestamp)
	binary.BigEndian.PutUint32(b[8:], h.ssrc)
}

// parseRTP reads an RTP packet. Its payload is b[start:end], without CSRC
// list, header extension and padding.
func parseRTP(b []byte) (h rtpHeader, start, end int, err error) {
	if len(b) < headerLen || b[0]&0xc0 != rtpVersion {
		return rtpHeader{}, 0, 0, errHeader
	}
	start, end = headerLen+4*int(b[0]&0x0f), len(b)
	if b[0]&0x10 != 0 { // extension: RFC 3550 §5.3.1
		if start+4 > end {
			return rtpHeader{}, 0, 0, errHeader
		}
		start += 4 + 4*int(binary.BigEndian.Uint16(b[start+2:]))
	}
	if b[0]&rtpPadding != 0 { // its last byte counts all of it
		padding := int(b[end-1])
		if padding == 0 {
			return rtpHeader{}, 0, 0, errHeader
		}
		end -= padding
	}
	if start > end {
		return rtpHeader{}, 0, 0, errHeader
	}
	return rtpHeader{
		marker:      b[1]&0x80 != 0,
		payloadType: b[1] & 0x7f,
		sequence:    binary.BigEndian.Uint16(b[2:]),
		timestamp:   binary.BigEndian.Uint32(b[4:]),
		ssrc:        binary.BigEndian.Uint32(b[8:]),
	}, start, end, nil
}
