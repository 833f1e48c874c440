package protect

// Profile is one way to encrypt and authenticate: AES in counter mode with a
// truncated HMAC-SHA1 (RFC 3711 §4, RFC 6188 §2), or AES in Galois/counter
// mode, which does both (RFC 7714). The zero value is no profile and every
// constructor refuses it.
type Profile uint8

// The profiles that ZRTP's cipher and auth tag types lead to
// (RFC 6189 §5.1.3 and RFC 6189 §5.1.4; the AEAD ones are an addition), and
// those with AES-192, which ZRTP knows as AES2.
const (
	AESCM128HMACSHA1_80 Profile = iota + 1
	AESCM128HMACSHA1_32
	AESCM192HMACSHA1_80
	AESCM192HMACSHA1_32
	AESCM256HMACSHA1_80
	AESCM256HMACSHA1_32
	AEADAES128GCM
	AEADAES256GCM
)

// profiles is indexed by Profile; the zero entry has no lengths.
var profiles = [...]struct {
	name                       string
	key, salt, rtpTag, rtcpTag int
}{
	{name: "none"},
	{"AES_CM_128_HMAC_SHA1_80", 16, 14, 10, 10},
	{"AES_CM_128_HMAC_SHA1_32", 16, 14, 4, 10},
	{"AES_192_CM_HMAC_SHA1_80", 24, 14, 10, 10},
	{"AES_192_CM_HMAC_SHA1_32", 24, 14, 4, 10},
	{"AES_256_CM_HMAC_SHA1_80", 32, 14, 10, 10},
	{"AES_256_CM_HMAC_SHA1_32", 32, 14, 4, 10},
	{"AEAD_AES_128_GCM", 16, 12, 16, 16},
	{"AEAD_AES_256_GCM", 32, 12, 16, 16},
}

// Profiles lists all profiles.
func Profiles() []Profile {
	var all []Profile
	for p := Profile(1); p.valid(); p++ {
		all = append(all, p)
	}
	return all
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

// String is the crypto suite's IANA name, as RFC 4568 §6.2, RFC 6188 §5
// and RFC 7714 §14.1 register it.
func (p Profile) String() string { return profiles[p.row()].name }

// KeyLen is the length of the master key in bytes.
func (p Profile) KeyLen() int { return profiles[p.row()].key }

// SaltLen is the length of the master salt in bytes.
func (p Profile) SaltLen() int { return profiles[p.row()].salt }

// TagLen is the number of bytes that Seal adds to an RTP packet, at most
// [MaxTagLen].
func (p Profile) TagLen() int { return profiles[p.row()].rtpTag }

// RTCPOverhead is the number of bytes that SealRTCP adds to an RTCP packet: the
// tag, which is never shortened (RFC 3711 §5.2), and the index.
func (p Profile) RTCPOverhead() int { return profiles[p.row()].rtcpTag + rtcpIndexLen }

// aead reports whether p is one of RFC 7714.
func (p Profile) aead() bool { return p == AEADAES128GCM || p == AEADAES256GCM }

// rtcpIndexAt is where in an SRTCP packet of n bytes the E flag and the index
// stand: before the tag (RFC 3711 §3.4), or last (RFC 7714 §9.2).
func (p Profile) rtcpIndexAt(n int) int {
	if p.aead() {
		return n - rtcpIndexLen
	}
	return n - p.RTCPOverhead()
}

const rtcpIndexLen = 4 // E flag and SRTCP index: RFC 3711 §3.4

// MaxTagLen is the greatest TagLen of all profiles.
const MaxTagLen = 16
