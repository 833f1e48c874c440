package protect

import (
	"encoding/binary"

	"sotto/media/protect/internal/cm"
	"sotto/media/protect/internal/gcm"
	"sotto/media/protect/internal/tier"
)

// Labels of the keys of SRTP in the key derivation; those of SRTCP are three
// higher (RFC 3711 §4.3.2).
const (
	labelEncryption     = 0
	labelAuthentication = 1
	labelSalt           = 2
	labelsRTCP          = 3
)

const authenticationKeyLen = 20 // n_a: RFC 3711 §5.2

// sessionKeys are the session keys of SRTP or of SRTCP. They stand in one piece,
// without pointers where kernels use them: a bridge with thousands of streams
// finds none of them in the cache.
type sessionKeys struct {
	// The session salt, the most significant byte first: fourteen bytes of it, or
	// twelve for the AEAD profiles, and zeros.
	high, low uint64

	gcm gcm.Keys // of the AEAD profiles
	cm  cm.Keys  // of the profiles in counter mode
}

// deriver runs the key derivation of RFC 3711 §4.3.1, at rate zero, from one
// master key. RFC 6188 §3 takes it to longer keys, RFC 7714 §11 to the AEAD
// profiles, whose shorter salt is padded with zeros.
type deriver struct {
	profile Profile
	tier    tier.Tier
	master  cm.Keys
	salt    [16]byte
}

// newDeriver expands keys that have been checked. The caller wipes it.
func newDeriver(p Profile, key, salt []byte, t tier.Tier) *deriver {
	d := &deriver{profile: p, tier: t}
	var none [authenticationKeyLen]byte
	d.master.Init(t, key, none[:])
	copy(d.salt[:], salt)
	return d
}

func (d *deriver) wipe() {
	d.master.Wipe()
	*d = deriver{}
}

// derive sets out to the first bytes of the keystream for a label.
func (d *deriver) derive(label byte, out []byte) {
	x := d.salt
	x[7] ^= label
	clear(out)
	d.master.XOR(&x, out)
	clear(x[:])
}

// session derives the keys of SRTP, or with labelsRTCP those of SRTCP.
func (d *deriver) session(k *sessionKeys, labels byte) {
	var secret struct {
		encryption     [32]byte
		authentication [authenticationKeyLen]byte
		salt           [16]byte
	}
	encryption := secret.encryption[:d.profile.KeyLen()]
	d.derive(labels+labelEncryption, encryption)
	d.derive(labels+labelSalt, secret.salt[:d.profile.SaltLen()])
	k.high, k.low = binary.BigEndian.Uint64(secret.salt[:]), binary.BigEndian.Uint64(secret.salt[8:])
	if d.profile.aead() {
		k.gcm.Init(d.tier, encryption)
	} else {
		d.derive(labels+labelAuthentication, secret.authentication[:])
		k.cm.Init(d.tier, encryption, secret.authentication[:])
	}
	clear(secret.encryption[:])
	clear(secret.authentication[:])
	clear(secret.salt[:])
}

func (k *sessionKeys) wipe() {
	k.cm.Wipe()
	k.gcm.Wipe()
	*k = sessionKeys{}
}

// counter sets iv to the first counter block of a packet (RFC 3711 §4.1.1).
func (k *sessionKeys) counter(iv *[16]byte, ssrc uint32, index uint64) {
	binary.BigEndian.PutUint64(iv[:], k.high^uint64(ssrc))
	binary.BigEndian.PutUint64(iv[8:], k.low^index<<16)
}

// nonce sets iv to the initialization vector of a packet (RFC 7714 §8.1 and
// RFC 7714 §9.1): two zero bytes, SSRC and index, under the salt.
func (k *sessionKeys) nonce(iv *[12]byte, ssrc uint32, index uint64) {
	binary.BigEndian.PutUint64(iv[:], k.high^uint64(ssrc)<<16^index>>32)
	binary.BigEndian.PutUint32(iv[8:], uint32(k.low>>32)^uint32(index))
}

// xor encrypts or decrypts in counter mode, in place.
func (k *sessionKeys) xor(data []byte, ssrc uint32, index uint64) {
	var iv [16]byte
	k.counter(&iv, ssrc, index)
	k.cm.XOR(&iv, data)
}

// truncate sets tag, which has ten or four bytes, to the beginning of want.
func truncate(tag []byte, want *[cm.TagLen]byte) {
	if len(tag) > 4 {
		*(*[10]byte)(tag) = [10]byte(want[:])
	} else {
		*(*[4]byte)(tag) = [4]byte(want[:])
	}
}

// single reports whether a packet of p gains nothing from being protected with
// others on t: only SHA-1 has kernels for several at once.
func single(p Profile, t tier.Tier) bool { return p.aead() || t == tier.Go }

// differs compares a tag of ten or four bytes with the beginning of want, in
// constant time.
func differs(tag []byte, want *[cm.TagLen]byte) bool {
	d := binary.LittleEndian.Uint32(tag) ^ binary.LittleEndian.Uint32(want[:])
	if len(tag) > 4 {
		_ = tag[9]
		d |= binary.LittleEndian.Uint32(tag[4:]) ^ binary.LittleEndian.Uint32(want[4:])
		d |= uint32(binary.LittleEndian.Uint16(tag[8:]) ^ binary.LittleEndian.Uint16(want[8:]))
	}
	return d != 0
}
