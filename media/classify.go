package media

// Kind is what a datagram on a media port is, by its first bytes.
type Kind uint8

// The kinds that share a port (RFC 7983 §7). KindUnknown is the zero value:
// drop it.
const (
	KindUnknown Kind = iota
	KindSTUN
	KindZRTP
	KindDTLS
	KindTURN
	KindRTP  // or SRTP
	KindRTCP // or SRTCP
)

// String is the kind's name.
func (k Kind) String() string {
	switch k {
	case KindSTUN:
		return "STUN"
	case KindZRTP:
		return "ZRTP"
	case KindDTLS:
		return "DTLS"
	case KindTURN:
		return "TURN"
	case KindRTP:
		return "RTP"
	case KindRTCP:
		return "RTCP"
	}
	return "unknown"
}

// Classify tells what b is by its first byte (RFC 7983 §7), and RTCP from RTP
// by its second: RTCP packet types 192 to 223 are where RTP payload types 64
// to 95 with a marker would be, and those are not used (RFC 5761 §4). It says
// nothing about whether the rest is well formed.
func Classify(b []byte) Kind {
	if len(b) < 2 {
		return KindUnknown
	}
	switch first := b[0]; {
	case first <= 3:
		return KindSTUN
	case first >= 16 && first <= 19:
		return KindZRTP
	case first >= 20 && first <= 63:
		return KindDTLS
	case first >= 64 && first <= 79:
		return KindTURN
	case first < 128 || first > 191:
		return KindUnknown
	}
	if b[1] >= 192 && b[1] <= 223 {
		return KindRTCP
	}
	return KindRTP
}
