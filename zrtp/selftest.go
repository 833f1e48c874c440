package zrtp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

// SelfTest computes the key schedule of one recorded handshake and compares
// every key with what another implementation got. It guards against a broken
// build or processor, not against an attacker.
func SelfTest() error {
	var zidI, zidR wire.ZID
	copy(zidI[:], unhex("aaac48d088641dbebcb34c43"))
	copy(zidR[:], unhex("e7c8a4c0ede612c3ced4297f"))
	context := slices.Concat(zidI[:], zidR[:], unhex("fb4bdd8aa1531501f902190cf7499eaf3911ff3d2207300b2f3536e7a56832ad"))
	hashOf := newHash(wire.A("S256"))
	s0 := deriveS0(hashOf, unhex("c2fe6597f38f23b10e610f6f9e22ccdcbd0eec2611aab6e544b7633e95a01175"), context, shared{})
	defer s0.Wipe()
	keys := newKDF(hashOf, s0, context).sessionKeys(Suite{Cipher: wire.A("AES1"), AuthTag: wire.A("HS32")})
	defer keys.wipe()
	for _, k := range []struct {
		name string
		got  *secret.Bytes
		want string
	}{
		{"initiator SRTP key", keys.srtp[0], "9aeef9e5fdf0dbb8d1b581cc033c757d"},
		{"initiator SRTP salt", keys.salt[0], "600aa54f43041c1fcdc599279a44"},
		{"responder SRTP key", keys.srtp[1], "7c9df5b9749e9ecc2f4f1ce94243da45"},
		{"responder SRTP salt", keys.salt[1], "7317ee03cb3700324a6dffcbe07c"},
		{"initiator MAC key", keys.mac[0], "5e3d1430b421237cb4f2dee92facac6161708da6379d3aa2a69f3ef1ec7c5af4"},
		{"responder ZRTP key", keys.confirm[1], "93a4856ab29d4d3acfc1531f467ce7d3"},
		{"retained secret", keys.rs, "9c62a19148a349e619b038d3e617039d7e9237ae1d12b0080be3643167323d4a"},
		{"session key", keys.zrtpSess, "496e262c473a7b0c38f2b469c4f02d2407139585966f1ec719d0fbf03b5aab58"},
	} {
		if !bytes.Equal(k.got.Reveal(), unhex(k.want)) {
			return fmt.Errorf("zrtp: self-test: wrong %s", k.name)
		}
	}
	if sas := RenderSAS(wire.A("B32"), keys.sashash); sas != "gkrz" {
		return errors.New("zrtp: self-test: wrong SAS")
	}
	return nil
}

// unhex decodes a constant of this file.
func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic("zrtp: self-test constant: " + err.Error())
	}
	return b
}
