package protect

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"sotto/media/protect/internal/tier"
)

// hexed is a byte string that JSON holds in hexadecimal.
type hexed []byte

func (h *hexed) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	*h = b
	return err
}

// vectors are those of RFC 3711, RFC 6188 and RFC 7714. The index of their SRTP
// packets has a roll-over counter of zero.
type vectors struct {
	Keystream []struct {
		Section          string
		Key, First, Last hexed // of 65282 blocks, 48 bytes each
	}
	Derivation []struct {
		Section                    string
		Key, Salt                  hexed
		Encryption, Authentication hexed
		SessionSalt                hexed `json:"session_salt"`
	}
	AEAD []struct {
		Section       string
		Kind          string // srtp; tag: the same, nothing encrypted; srtcp; clear srtcp: nothing encrypted
		Key           hexed
		Index         uint64
		Plain, Sealed hexed
	}
}

const (
	keystreamLen  = 65282 * 16
	keystreamSalt = "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd"
	aeadSalt      = "Quid pro quo"
)

func readVectors(t *testing.T) vectors {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Keystream) != 3 || len(v.Derivation) != 3 || len(v.AEAD) != 8 {
		t.Fatalf("%d, %d and %d vectors", len(v.Keystream), len(v.Derivation), len(v.AEAD))
	}
	return v
}

// eachTier runs test as a subtest for every tier of this processor.
func eachTier(t *testing.T, test func(*testing.T, tier.Tier)) {
	for _, tier := range tier.Available() {
		t.Run(tier.String(), func(t *testing.T) { test(t, tier) })
	}
}

// withSalt sets the salt of keys.
func (k *sessionKeys) withSalt(salt string) {
	var padded [16]byte
	copy(padded[:], salt)
	k.high, k.low = binary.BigEndian.Uint64(padded[:]), binary.BigEndian.Uint64(padded[8:])
}

// RFC 3711 §B.2, RFC 6188 §7.1 and RFC 6188 §7.3.
func TestKeystreamVectors(t *testing.T) {
	for _, v := range readVectors(t).Keystream {
		check := func(t *testing.T, stream []byte) {
			t.Helper()
			if got := stream[:48]; !bytes.Equal(got, v.First) {
				t.Errorf("%s: begins %x, want %x", v.Section, got, v.First)
			}
			if got := stream[keystreamLen-48:]; !bytes.Equal(got, v.Last) {
				t.Errorf("%s: ends %x, want %x", v.Section, got, v.Last)
			}
		}
		plain := plainKeys{key: v.Key, salt: []byte(keystreamSalt)}
		stream := make([]byte, keystreamLen)
		plain.xor(stream, 0, 0)
		check(t, stream)
		eachTier(t, func(t *testing.T, tier tier.Tier) {
			var k sessionKeys
			k.cm.Init(tier, v.Key, make([]byte, authenticationKeyLen))
			k.withSalt(keystreamSalt)
			stream := make([]byte, keystreamLen)
			k.xor(stream, 0, 0)
			check(t, stream)
		})
	}
}

// RFC 3711 §B.3, RFC 6188 §7.2 and RFC 6188 §7.4.
func TestKeyDerivationVectors(t *testing.T) {
	for _, v := range readVectors(t).Derivation {
		for label, want := range map[byte][]byte{labelEncryption: v.Encryption, labelAuthentication: v.Authentication, labelSalt: v.SessionSalt} {
			if got := deriveKey(v.Key, v.Salt, label, len(want)); !bytes.Equal(got, want) {
				t.Errorf("%s: label %d: %x, want %x", v.Section, label, got, want)
			}
			eachTier(t, func(t *testing.T, tier tier.Tier) {
				got := make([]byte, len(want))
				newDeriver(AESCM128HMACSHA1_80, v.Key, v.Salt, tier).derive(label, got)
				if !bytes.Equal(got, want) {
					t.Errorf("%s: label %d: %x, want %x", v.Section, label, got, want)
				}
			})
		}
	}
}

// RFC 7714 §16 and RFC 7714 §17, sealed and opened.
func TestAEADVectors(t *testing.T) {
	for _, v := range readVectors(t).AEAD {
		plain := plainKeys{key: v.Key, salt: []byte(aeadSalt)}
		ref := reference{aead: true, rtp: plain, rtcp: plain}
		p := map[int]Profile{16: AEADAES128GCM, 32: AEADAES256GCM}[len(v.Key)]
		eachTier(t, func(t *testing.T, tier tier.Tier) {
			s, o := newTierPair(t, p, tier)
			for _, k := range []*sessionKeys{&s.keys, &s.rtcp.keys, &o.keys, &o.rtcp.keys} {
				k.gcm.Init(tier, v.Key)
				k.withSalt(aeadSalt)
			}
			s.rtcp.index = uint32(v.Index) - 1
			var reference, sealed []byte
			var opened func([]byte) (int, error)
			buf := room(v.Plain, p.RTCPOverhead())
			switch v.Kind {
			case "srtp":
				reference = ref.seal(v.Plain, rtpHeaderLen, v.Index)
				n, err := s.Seal(buf, len(v.Plain))
				if err != nil {
					t.Fatal(err)
				}
				sealed, opened = buf[:n], o.Open
			case "tag":
				reference = ref.seal(v.Plain, len(v.Plain), v.Index)
				var iv [12]byte
				s.keys.nonce(&iv, rtpSSRC(v.Plain), v.Index)
				sealed = buf[:len(v.Sealed)]
				s.keys.gcm.Seal(&iv, v.Plain, sealed[len(v.Plain):])
				opened = func(pkt []byte) (int, error) {
					if !o.keys.gcm.Open(&iv, pkt[:len(v.Plain)], pkt[len(v.Plain):]) {
						return 0, ErrAuth
					}
					return len(v.Plain), nil
				}
			case "srtcp":
				reference = ref.sealRTCP(v.Plain, uint32(v.Index), true)
				n, err := s.SealRTCP(buf, len(v.Plain))
				if err != nil {
					t.Fatal(err)
				}
				sealed, opened = buf[:n], o.OpenRTCP
			case "clear srtcp": // no Sealer makes such a packet
				reference = ref.sealRTCP(v.Plain, uint32(v.Index), false)
				sealed = bytes.Clone(v.Sealed)
				wantError(t, o.OpenRTCP, sealed, ErrMalformed)
			}
			if !bytes.Equal(reference, v.Sealed) || !bytes.Equal(sealed, v.Sealed) {
				t.Errorf("%s: sealed %x, by the reference %x, want %x", v.Section, sealed, reference, v.Sealed)
			}
			if opened == nil {
				return
			}
			if n, err := opened(sealed); err != nil || !bytes.Equal(sealed[:n], v.Plain) {
				t.Errorf("%s: opened %x, %v", v.Section, sealed[:n], err)
			}
		})
	}
}
