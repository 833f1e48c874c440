package gcm

import (
	"bytes"
	"encoding/hex"
	"testing"

	"sotto/media/protect/internal/tier"
)

// vectors are test cases 2, 4, 14 and 16 of the GCM specification's appendix B, and
// the packets of RFC 7714 §16.1.1 and RFC 7714 §16.2.1.
var vectors = []struct{ key, nonce, aad, plain, sealed string }{
	{
		"00000000000000000000000000000000", "000000000000000000000000", "",
		"00000000000000000000000000000000",
		"0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf",
	},
	{
		"feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
		"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" +
			"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
		"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e" +
			"21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091" + "5bc94fbc3221a5db94fae95ae7121a47",
	},
	{
		"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
		"00000000000000000000000000000000",
		"cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
	},
	{
		"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
		"feedfacedeadbeeffeedfacedeadbeefabaddad2",
		"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" +
			"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa" +
			"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662" + "76fc6ece0f4e1768cddf8853bb2d551b",
	},
	{
		"000102030405060708090a0b0c0d0e0f", "51753c6580c2726f20718414", "8040f17b8041f8d35501a0b2",
		"47616c6c696120657374206f6d6e697320646976697361" + "20696e207061727465732074726573",
		"f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833" +
			"899d7f27beb16a9152cf765ee4390cce",
	},
	{
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "51753c6580c2726f20718414",
		"8040f17b8041f8d35501a0b2",
		"47616c6c696120657374206f6d6e697320646976697361" + "20696e207061727465732074726573",
		"32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b" +
			"7aa3db36dfffd6b0f9bb7878d7a76c13",
	},
}

func decode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectors(t *testing.T) {
	for _, tier := range tier.Available() {
		t.Logf("tier %v", tier)
		for i, v := range vectors {
			var k Keys
			k.Init(tier, decode(t, v.key))
			nonce, aad, plain, sealed := [12]byte(decode(t, v.nonce)), decode(t, v.aad), decode(t, v.plain), decode(t, v.sealed)
			data := append(bytes.Clone(plain), make([]byte, TagLen)...)
			if k.Seal(&nonce, aad, data); !bytes.Equal(data, sealed) {
				t.Errorf("%v, vector %d: sealed %x, want %x", tier, i, data, sealed)
			}
			data = bytes.Clone(sealed)
			if !k.Open(&nonce, aad, data) || !bytes.Equal(data[:len(plain)], plain) {
				t.Errorf("%v, vector %d: opened %x, want %x", tier, i, data, plain)
			}
		}
	}
}
