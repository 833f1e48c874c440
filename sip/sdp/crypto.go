package sdp

import (
	"encoding/base64"
	"strings"
)

// Crypto is one a=crypto of a description, RFC 4568 §4: an SRTP master key
// that its author has put into the signalling. It never keys our media; ZRTP
// can mix it into its own, RFC 6189 §8.2. A description of ours has none.
type Crypto struct {
	Suite     string // such as "AES_CM_128_HMAC_SHA1_80"
	Key, Salt []byte
}

// suites gives the lengths of key and salt in bytes: RFC 4568 §6.2,
// RFC 6188 §5 and RFC 7714 §14.1.
var suites = map[string]struct{ key, salt int }{
	"AES_CM_128_HMAC_SHA1_80": {16, 14},
	"AES_CM_128_HMAC_SHA1_32": {16, 14},
	"AES_256_CM_HMAC_SHA1_80": {32, 14},
	"AES_256_CM_HMAC_SHA1_32": {32, 14},
	"AEAD_AES_128_GCM":        {16, 12},
	"AEAD_AES_256_GCM":        {32, 12},
}

// parseCrypto reads "1 SUITE inline:KEY||SALT|2^20|1:4", RFC 4568 §9.1, and of
// several keys the first. What is not of this form, or of another suite, is no
// key to us and no fault of the description.
func parseCrypto(arg string) (Crypto, bool) {
	f := strings.Fields(arg)
	if len(f) < 3 {
		return Crypto{}, false
	}
	first, _, _ := strings.Cut(f[2], ";")
	info, inline := strings.CutPrefix(first, "inline:")
	encoded, _, _ := strings.Cut(info, "|")
	both, err := base64.StdEncoding.Strict().DecodeString(encoded)
	lengths, known := suites[f[1]]
	if !inline || !known || err != nil || len(both) != lengths.key+lengths.salt {
		return Crypto{}, false
	}
	return Crypto{Suite: f[1], Key: both[:lengths.key:lengths.key], Salt: both[lengths.key:]}, true
}
