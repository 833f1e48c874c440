package protect

import "github.com/pion/srtp/v3"

// Profile is one way to encrypt and authenticate: AES in counter mode with a
// truncated HMAC-SHA1 (RFC 3711 §4, RFC 6188 §2). The zero value is no profile
// and every constructor refuses it.
type Profile uint8

// The profiles that ZRTP's cipher and auth tag types lead to
// (RFC 6189 §5.1.3 and RFC 6189 §5.1.4).
const (
	AESCM128HMACSHA1_80 Profile = iota + 1
	AESCM128HMACSHA1_32
	AESCM256HMACSHA1_80
	AESCM256HMACSHA1_32
)

// profiles is indexed by Profile; the zero entry has no lengths.
var profiles = [...]struct {
	name              string
	key, salt, rtpTag int
	pion              srtp.ProtectionProfile
}{
	{name: "none"},
	{"AES_CM_128_HMAC_SHA1_80", 16, 14, 10, srtp.ProtectionProfileAes128CmHmacSha1_80},
	{"AES_CM_128_HMAC_SHA1_32", 16, 14, 4, srtp.ProtectionProfileAes128CmHmacSha1_32},
	{"AES_256_CM_HMAC_SHA1_80", 32, 14, 10, srtp.ProtectionProfileAes256CmHmacSha1_80},
	{"AES_256_CM_HMAC_SHA1_32", 32, 14, 4, srtp.ProtectionProfileAes256CmHmacSha1_32},
}

// valid reports whether p is one of the constants above.
func (p Profile) valid() bool { return p > 0 && int(p) < len(profiles) }

// row is p's entry; an unknown profile has the zero entry's lengths.
func (p Profile) row() int {
	if !p.valid() {
		return 0
	}
	return int(p)
}

// String is the crypto suite's IANA name, as RFC 4568 §6.2 and RFC 6188 §5
// register it.
func (p Profile) String() string { return profiles[p.row()].name }

// KeyLen is the length of the master key in bytes.
func (p Profile) KeyLen() int { return profiles[p.row()].key }

// SaltLen is the length of the master salt in bytes.
func (p Profile) SaltLen() int { return profiles[p.row()].salt }

// TagLen is the number of bytes that Seal adds to an RTP packet, at most
// [MaxTagLen].
func (p Profile) TagLen() int { return profiles[p.row()].rtpTag }

const (
	rtcpTagLen   = 10 // whatever the RTP tag: RFC 3711 §5.2
	rtcpIndexLen = 4  // E flag and SRTCP index: RFC 3711 §3.4
)

// MaxTagLen is the greatest TagLen of all profiles.
const MaxTagLen = 10

// RTCPOverhead is the number of bytes that SealRTCP adds to an RTCP packet,
// with every profile.
const RTCPOverhead = rtcpIndexLen + rtcpTagLen
