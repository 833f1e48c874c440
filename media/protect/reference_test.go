package protect

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
)

// reference is SRTP written straight from RFC 3711 and RFC 7714 with the standard
// library alone, slow and plain. The vectors of RFC 3711 §B, RFC 6188 §7 and
// RFC 7714 §16 speak of session keys, which Sealer and Opener do not show; so the vectors
// check the reference, and the reference checks Sealer and Opener.
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

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// RFC 3711 §B.2, RFC 6188 §7.1.
func TestReferenceKeystream(t *testing.T) {
	for _, v := range []struct{ name, key, first, last string }{
		{
			"AES-128", "2B7E151628AED2A6ABF7158809CF4F3C",
			"E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0",
			"EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE 6A2CC3787889374FBEB4C81B17BA6C44",
		},
		{
			"AES-256", "57f82fe3613fd170a85ec93c40b1f092 2ec4cb0dc025b58272147cc438944a98",
			"92bdd28a93c3f52511c677d08b5515a4 9da71b2378a854f67050756ded165bac 63c4868b7096d88421b563b8c94c9a31",
			"cea518c90fd91ced9cbb18c078a54711 3dbc4814f4da5f00a08772b63c6a046d 6eb246913062a16891433e97dd01a57f",
		},
	} {
		keys := plainKeys{key: unhex(t, v.key), salt: unhex(t, "F0F1F2F3F4F5F6F7F8F9FAFBFCFD")}
		stream := make([]byte, 1044512)
		keys.xor(stream, 0, 0)
		if got, want := stream[:48], unhex(t, v.first); !bytes.Equal(got, want) {
			t.Errorf("%s: begins %x, want %x", v.name, got, want)
		}
		if got, want := stream[len(stream)-48:], unhex(t, v.last); !bytes.Equal(got, want) {
			t.Errorf("%s: ends %x, want %x", v.name, got, want)
		}
	}
}

// RFC 3711 §B.3, RFC 6188 §7.2.
func TestReferenceKeyDerivation(t *testing.T) {
	for _, v := range []struct {
		name, key, salt string
		derived         map[byte]string
	}{
		{"AES-128", "E1F97A0D3E018BE0D64FA32C06DE4139", "0EC675AD498AFEEBB6960B3AABE6", map[byte]string{
			0: "C61E7A93744F39EE10734AFE3FF7A087",
			2: "30CBBC08863D8C85D49DB34A9AE1",
			1: `CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE E049646C43D9327AD175578EF7227098
			    6371C10C9A369AC2F94A8C5FBCDDDC25 6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2`,
		}},
		{
			"AES-256", "f0f04914b513f2763a1b1fa130f10e29 98f6f6e43e4309d1e622a0e332b9f1b6",
			"3b04803de51ee7c96423ab5b78d2",
			map[byte]string{
				0: "5ba1064e30ec51613cad926c5a28ef73 1ec7fb397f70a960653caf06554cd8c4",
				2: "fa31791685ca444a9e07c6c64e93",
				1: "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05",
			},
		},
	} {
		for label, hexed := range v.derived {
			want := unhex(t, hexed)
			got := deriveKey(unhex(t, v.key), unhex(t, v.salt), label, len(want))
			if !bytes.Equal(got, want) {
				t.Errorf("%s: label %d: %x, want %x", v.name, label, got, want)
			}
		}
	}
}

// RFC 7714 §16.1.1, §16.2.1, §17.1 and §17.2, and without encryption
// RFC 7714 §17.3 and §17.4.
func TestReferenceGCM(t *testing.T) {
	const (
		rtp = `8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070
			61727465 73207472 6573`
		rtcp = `81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef
			deadbeef deadbeef deadbeef`
	)
	long := "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	for _, v := range []struct{ key, srtp, srtcp, tag string }{
		{
			long[:32],
			`8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a
			51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce`,
			`81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda
			4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4`,
			"841dd968 3dd78ec9 2ae58790 125f62b3",
		},
		{
			long,
			`8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02
			76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13`,
			`81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be
			8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4`,
			"91db4afb feee5a97 8fab4393 ed2615fe",
		},
	} {
		keys := plainKeys{key: unhex(t, v.key), salt: []byte("Quid pro quo")}
		ref := reference{aead: true, rtp: keys, rtcp: keys}
		if got, want := ref.seal(unhex(t, rtp), 12, 0xf17b), unhex(t, v.srtp); !bytes.Equal(got, want) {
			t.Errorf("%d-byte key: SRTP %x, want %x", len(keys.key), got, want)
		}
		report := unhex(t, rtcp)
		if got, want := ref.sealRTCP(report, 0x5d4, true), unhex(t, v.srtcp); !bytes.Equal(got, want) {
			t.Errorf("%d-byte key: SRTCP %x, want %x", len(keys.key), got, want)
		}
		want := append(append(report, unhex(t, v.tag)...), 0, 0, 5, 0xd4)
		if got := ref.sealRTCP(unhex(t, rtcp), 0x5d4, false); !bytes.Equal(got, want) {
			t.Errorf("%d-byte key: clear SRTCP %x, want %x", len(keys.key), got, want)
		}
	}
}
