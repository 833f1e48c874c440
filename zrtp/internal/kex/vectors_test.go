package kex

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"sotto/internal/kat"
	"sotto/zrtp/wire"
)

// unhex takes hexadecimal with spaces.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type knownAnswer struct{ name, secretA, pvA, secretB, pvB, shared string }

// knownAnswers: RFC 7748 §6.1, RFC 7748 §6.2, RFC 5903 §8.1, RFC 5903 §8.2, and
// those of RFC 5114 for the curves of 256 and of 384 bits.
var knownAnswers = []knownAnswer{
	{
		name:    "X255",
		secretA: "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
		pvA:     "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
		secretB: "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
		pvB:     "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
		shared:  "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
	}, {
		name: "X448",
		secretA: "9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28d" +
			"d9c9baf574a9419744897391006382a6f127ab1d9ac2d8c0a598726b",
		pvA: "9b08f7cc31b7e3e67d22d5aea121074a273bd2b83de09c63faa73d2c" +
			"22c5d9bbc836647241d953d40c5b12da88120d53177f80e532c41fa0",
		secretB: "1c306a7ac2a0e2e0990b294470cba339e6453772b075811d8fad0d1d" +
			"6927c120bb5ee8972b0d3e21374c9c921b09d1b0366f10b65173992d",
		pvB: "3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b430" +
			"27d8b972fc3e34fb4232a13ca706dcb57aec3dae07bdc1c67bf33609",
		shared: "07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282b" +
			"b60c0b56fd2464c335543936521c24403085d59a449a5037514a879d",
	}, {
		name:    "EC25",
		secretA: "C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433",
		pvA: "DAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C3772581180" +
			"5271A0461CDB8252D61F1C456FA3E59AB1F45B33ACCF5F58389E0577B8990BB3",
		secretB: "C6EF9C5D78AE012A011164ACB397CE2088685D8F06BF9BE0B283AB46476BEE53",
		pvB: "D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF63" +
			"56FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB",
		shared: "D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE",
	}, {
		name:    "EC38",
		secretA: "099F3C7034D4A2C699884D73A375A67F7624EF7C6B3C0F160647B67414DCE655E35B538041E649EE3FAEF896783AB194",
		pvA: "667842D7D180AC2CDE6F74F37551F55755C7645C20EF73E31634FE72B4C55EE6DE3AC808ACB4BDB4C88732AEE95F41AA" +
			"9482ED1FC0EEB9CAFC4984625CCFC23F65032149E0E144ADA024181535A0F38EEB9FCFF3C2C947DAE69B4C634573A81C",
		secretB: "41CB0779B4BDB85D47846725FBEC3C9430FAB46CC8DC5060855CC9BDA0AA2942E0308312916B8ED2960E4BD55A7448FC",
		pvB: "E558DBEF53EECDE3D3FCCFC1AEA08A89A987475D12FD950D83CFA41732BC509D0D1AC43A0336DEF96FDA41D0774A3571" +
			"DCFBEC7AACF3196472169E838430367F66EEBE3C6E70C416DD5F0C68759DD1FFF83FA40142209DFF5EAAD96DB9E6386C",
		shared: "11187331C279962D93D604243FD592CB9D0A926F422E47187521287E7156C5C4D603135569B9E9D09CF5D4A270F59746",
	}, {
		name:    "EC25",
		secretA: "814264145F2F56F2E96A8E337A1284993FAF432A5ABCE59E867B7291D507A3AF",
		pvA: "2AF502F3BE8952F2C9B5A8D4160D09E97165BE50BC42AE4A5E8D3B4BA83AEB15" +
			"EB0FAF4CA986C4D38681A0F9872D79D56795BD4BFF6E6DE3C0F5015ECE5EFD85",
		secretB: "2CE1788EC197E096DB95A200CC0AB26A19CE6BCCAD562B8EEE1B593761CF7F41",
		pvB: "B120DE4AA36492795346E8DE6C2C8646AE06AAEA279FA775B3AB0715F6CE51B0" +
			"9F1B7EECE20D7B5ED8EC685FA3F071D83727027092A8411385C34DDE5708B2B6",
		shared: "DD0F5396219D1EA393310412D19A08F1F5811E9DC8EC8EEA7F80D21C820C2788",
	}, {
		name:    "EC38",
		secretA: "D27335EA71664AF244DD14E9FD1260715DFD8A7965571C48D709EE7A7962A156D706A90CBCB5DF2986F05FEADB9376F1",
		pvA: "793148F1787634D5DA4C6D9074417D05E057AB62F82054D10EE6B0403D6279547E6A8EA9D1FD77427D016FE27A8B8C66" +
			"C6C41294331D23E6F480F4FB4CD40504C947392E94F4C3F06B8F398BB29E42368F7A685923DE3B67BACED214A1A1D128",
		secretB: "52D1791FDB4B70F89C0F00D456C2F7023B6125262C36A7DF1F80231121CCE3D39BE52E00C194A4132C4A6C768BCD94D2",
		pvB: "5CD42AB9C41B5347F74B8D4EFB708B3D5B36DB65915359B44ABC17647B6B9999789D72A84865AE2F223F12B5A1ABC120" +
			"E171458FEAA939AAA3A8BFAC46B404BD8F6D5B348C0FA4D80CECA16356CA933240BDE8723415A8ECE035B0EDF36755DE",
		shared: "5EA1FC4AF7256D2055981B110575E0A8CAE53160137D904C59D926EB1B8456E427AA8A4540884C37DE159A58028ABC0E",
	},
}

func answer(t *testing.T, name string) knownAnswer {
	t.Helper()
	for _, k := range knownAnswers {
		if k.name == name {
			return k
		}
	}
	t.Fatalf("no known answer for %s", name)
	return knownAnswer{}
}

func TestKnownAnswers(t *testing.T) {
	for _, k := range knownAnswers {
		t.Run(k.name, func(t *testing.T) {
			a := lookup(t, k.name)
			key := func(secret string) *Key {
				s := unhex(t, secret)
				// Only the first candidate of a secret is used when it is in range.
				return generate(t, a, append(s, make([]byte, a.SecretLen(128)-len(s))...))
			}
			keyA, keyB := key(k.secretA), key(k.secretB)
			if got := keyA.Public(); !bytes.Equal(got, unhex(t, k.pvA)) {
				t.Errorf("public value A is %x", got)
			}
			if got := keyB.Public(); !bytes.Equal(got, unhex(t, k.pvB)) {
				t.Errorf("public value B is %x", got)
			}
			for _, side := range []struct{ own, peer *Key }{{keyA, keyB}, {keyB, keyA}} {
				got, err := side.own.Shared(side.peer.Public())
				if err != nil || !bytes.Equal(got, unhex(t, k.shared)) {
					t.Errorf("shared is %x, %v", got, err)
				}
			}
		})
	}
}

// TestRecordedPublicValues: what another implementation sent is valid here,
// and has the lengths announced here.
func TestRecordedPublicValues(t *testing.T) {
	seen := map[string]bool{}
	for _, h := range kat.Handshakes() {
		// The key agreement is told in the Commit, which precedes each DHPart1.
		var a *Agreement
		for _, b := range append(h.PacketsA, h.PacketsB...) {
			p, err := wire.ParsePacket(b)
			if err != nil {
				t.Fatal(err)
			}
			if c, err := wire.ParseCommit(p.Message); err == nil {
				if found, ok := Lookup(c.KeyAgreement); ok {
					a = found
				}
			}
		}
		if a == nil {
			t.Fatalf("%s: no key agreement found", h.Name)
		}
		if len(h.DHResult) != a.SharedLen {
			t.Errorf("%s: DHResult has %d bytes, announced are %d", h.Name, len(h.DHResult), a.SharedLen)
		}
		key := freshKey(t, a, 128)
		for _, b := range append(h.PacketsA, h.PacketsB...) {
			p, err := wire.ParsePacket(b)
			if err != nil {
				t.Fatal(err)
			}
			d, err := wire.ParseDHPart(p.Message)
			if err != nil {
				continue // another message
			}
			if _, err := key.Shared(d.PV); err != nil {
				t.Errorf("%s: recorded public value refused: %v", h.Name, err)
			}
			seen[a.Name.String()] = true
		}
	}
	for _, name := range []string{"DH2k", "DH3k", "X255", "X448"} {
		if !seen[name] {
			t.Errorf("no recorded public value of %s", name)
		}
	}
}
