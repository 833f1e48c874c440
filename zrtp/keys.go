package zrtp

import (
	"crypto/hmac"
	"encoding/binary"
	"hash"
	"slices"

	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

// Role says who sent the Commit that both sides follow (RFC 6189 §4.2).
type Role uint8

// The two roles. Initiator is the one whose Commit won.
const (
	Initiator Role = iota + 1
	Responder
)

// String is the RFC's word for the role.
func (r Role) String() string {
	switch r {
	case Initiator:
		return "initiator"
	case Responder:
		return "responder"
	}
	return "undecided"
}

// SRTPKeys is the master key and salt for one direction of the media stream.
// Whoever takes it out of an event owns it and wipes it.
type SRTPKeys struct {
	Cipher, AuthTag wire.Algo
	Key             *secret.Bytes // 16 or 32 bytes
	Salt            *secret.Bytes // 14 bytes, 12 for "GCM "
}

// Wipe overwrites the key and the salt.
func (k *SRTPKeys) Wipe() {
	if k == nil {
		return
	}
	k.Key.Wipe()
	k.Salt.Wipe()
}

// kdf is the key derivation of RFC 6189 §4.5.1 with its key and context set.
type kdf struct {
	mac     hash.Hash // HMAC, keyed: its state is made once for all labels
	context []byte    // ZIDi || ZIDr || total_hash
	message []byte    // room for what is authenticated, and the sum behind it
}

// newKDF does not keep key, which mostly is s0.
func newKDF(newHash func() hash.Hash, key *secret.Bytes, context []byte) kdf {
	return kdf{hmac.New(newHash, key.Reveal()), context, make([]byte, 0, 256)}
}

// derive gives bits/8 bytes of key for the label, until it is called again.
func (k kdf) derive(label string, bits int) []byte {
	message := append(k.message, 0, 0, 0, 1)
	message = append(message, label...)
	message = append(message, 0)
	message = append(message, k.context...)
	message = binary.BigEndian.AppendUint32(message, uint32(bits))
	k.mac.Reset()
	k.mac.Write(message)
	sum := k.mac.Sum(message[len(message):])
	secret.Wipe(sum[bits/8:])
	return sum[:bits/8]
}

func (k kdf) secret(label string, bits int) *secret.Bytes {
	return secret.From(k.derive(label, bits))
}

// hashBits is the negotiated hash length, the longest key the KDF gives.
func (k kdf) hashBits() int { return k.mac.Size() * 8 }

// sessionKeys are the keys of one media stream (RFC 6189 §4.5.2 and §4.5.3).
// Those above srtp exist in the first stream of a call only.
type sessionKeys struct {
	sashash            [32]byte
	zrtpSess, exported *secret.Bytes
	rs                 *secret.Bytes // the new retained secret (RFC 6189 §4.6.1)
	pbx                *secret.Bytes // only where one side asks for enrolment (RFC 6189 §7.3.1)
	srtp, confirm, mac [2]*secret.Bytes
	salt               [2]*secret.Bytes
}

// side is the index of a role's keys in sessionKeys.
func side(r Role) int { return int(r) - 1 }

// sessionKeys are those of a call's first stream.
func (k kdf) sessionKeys(suite Suite) *sessionKeys {
	keys := k.streamKeys(suite)
	keys.zrtpSess = k.secret("ZRTP Session Key", k.hashBits())
	keys.exported = k.secret("Exported key", k.hashBits())
	keys.rs = k.secret("retained secret", 256)
	copy(keys.sashash[:], k.derive("SAS", 256))
	return keys
}

// streamKeys are the keys that every stream has (RFC 6189 §4.5.3).
func (k kdf) streamKeys(suite Suite) *sessionKeys {
	keys, bits := &sessionKeys{}, cipherBits(suite.Cipher)
	for i, who := range []string{"Initiator", "Responder"} {
		keys.srtp[i] = k.secret(who+" SRTP master key", bits)
		keys.salt[i] = k.secret(who+" SRTP master salt", saltBits(suite.AuthTag))
		keys.mac[i] = k.secret(who+" HMAC key", k.hashBits())
		keys.confirm[i] = k.secret(who+" ZRTP key", bits)
	}
	return keys
}

func (k *sessionKeys) wipe() {
	if k == nil {
		return
	}
	secret.Wipe(k.sashash[:])
	own := []*secret.Bytes{k.zrtpSess, k.exported, k.rs, k.pbx}
	for _, s := range slices.Concat(own, k.srtp[:], k.salt[:], k.mac[:], k.confirm[:]) {
		s.Wipe()
	}
}

// deriveS0 computes s0 and wipes dhResult (RFC 6189 §4.4.1.4).
func deriveS0(newHash func() hash.Hash, dhResult, context []byte, known shared) *secret.Bytes {
	h := newHash()
	h.Write([]byte{0, 0, 0, 1})
	h.Write(dhResult)
	secret.Wipe(dhResult)
	h.Write([]byte("ZRTP-HMAC-KDF"))
	h.Write(context)
	return known.sum(h)
}
