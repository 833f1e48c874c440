package protect

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
)

// reference is SRTP written straight from RFC 3711 and RFC 7714 with the standard
// library alone, slow and plain. The vectors of RFC 3711 §B, RFC 6188 §7 and
// RFC 7714 §16 check it, and it checks Sealer and Opener.
type reference struct {
	tagLen    int
	aead      bool
	rtp, rtcp plainKeys
}

type plainKeys struct{ key, salt, auth []byte }

func newReference(p Profile, masterKey, masterSalt []byte) *reference {
	derive := func(label byte) plainKeys {
		return plainKeys{
			key:  deriveKey(masterKey, masterSalt, label, len(masterKey)),
			auth: deriveKey(masterKey, masterSalt, label+1, 20),
			salt: deriveKey(masterKey, masterSalt, label+2, len(masterSalt)),
		}
	}
	return &reference{tagLen: p.TagLen(), aead: p.aead(), rtp: derive(0), rtcp: derive(3)}
}

// deriveKey is the key derivation of RFC 3711 §4.3.1 at rate zero.
func deriveKey(masterKey, masterSalt []byte, label byte, n int) []byte {
	x := make([]byte, 16)
	copy(x, masterSalt)
	x[7] ^= label
	return keystream(masterKey, x, n)
}

func keystream(key, iv []byte, n int) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	out := make([]byte, n)
	cipher.NewCTR(block, iv).XORKeyStream(out, out)
	return out
}

// xor encrypts or decrypts in place, with the counter of RFC 3711 §4.1.1.
func (k plainKeys) xor(b []byte, ssrc uint32, index uint64) {
	iv := make([]byte, 16)
	copy(iv, k.salt)
	var x [16]byte
	binary.BigEndian.PutUint32(x[4:], ssrc)
	binary.BigEndian.PutUint64(x[8:], index<<16)
	for i := range iv {
		iv[i] ^= x[i]
	}
	for i, s := range keystream(k.key, iv, len(b)) {
		b[i] ^= s
	}
}

func (k plainKeys) tag(n int, parts ...[]byte) []byte {
	mac := hmac.New(sha1.New, k.auth)
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)[:n]
}

// gcm seals plain with the initialization vector of RFC 7714 §8.1 and §9.1:
// index, which an RTP packet has 48 bits of and an RTCP packet 31, under the
// salt.
func (k plainKeys) gcm(plain, aad []byte, ssrc uint32, index uint64) []byte {
	iv := binary.BigEndian.AppendUint32(make([]byte, 2), ssrc)
	iv = append(iv, binary.BigEndian.AppendUint64(nil, index)[2:]...)
	for i := range iv {
		iv[i] ^= k.salt[i]
	}
	block, err := aes.NewCipher(k.key)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead.Seal(nil, iv, plain, aad)
}

func (r *reference) seal(pkt []byte, headerLen int, index uint64) []byte {
	if r.aead {
		header := pkt[:headerLen:headerLen]
		return append(header, r.rtp.gcm(pkt[headerLen:], header, binary.BigEndian.Uint32(pkt[8:]), index)...)
	}
	out := bytes.Clone(pkt)
	r.rtp.xor(out[headerLen:], binary.BigEndian.Uint32(pkt[8:]), index)
	roc := binary.BigEndian.AppendUint32(nil, uint32(index>>16))
	return append(out, r.rtp.tag(r.tagLen, out, roc)...)
}

func (r *reference) sealRTCP(pkt []byte, index uint32, encrypt bool) []byte {
	if r.aead {
		return r.rtcp.sealAEAD(pkt, index, encrypt)
	}
	out := bytes.Clone(pkt)
	if encrypt {
		r.rtcp.xor(out[8:], binary.BigEndian.Uint32(pkt[4:]), uint64(index))
		index |= 1 << 31
	}
	out = binary.BigEndian.AppendUint32(out, index)
	return append(out, r.rtcp.tag(10, out)...)
}

// sealAEAD is SRTCP by RFC 7714 §9.2 and, where nothing is to be encrypted,
// RFC 7714 §9.3.
func (k plainKeys) sealAEAD(pkt []byte, index uint32, encrypt bool) []byte {
	clear, ssrc := len(pkt), binary.BigEndian.Uint32(pkt[4:])
	word := binary.BigEndian.AppendUint32(nil, index)
	if encrypt {
		clear, word[0] = 8, word[0]|0x80
	}
	out := bytes.Clone(pkt[:clear])
	aad := append(bytes.Clone(out), word...)
	return append(append(out, k.gcm(pkt[clear:], aad, ssrc, uint64(index))...), word...)
}
