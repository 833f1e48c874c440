package wire_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sotto/internal/kat"
	"sotto/zrtp/wire"
)

// sample is one message spelled out after its figure in RFC 6189 §5, and what
// must be read in it.
type sample struct {
	name  string
	words int
	typ   string
	body  string // hexadecimal, spaces ignored
	want  any
}

func ascii(s string) string { return hex.EncodeToString([]byte(s)) }

// count is n bytes that count up from first, in hexadecimal.
func count(first, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(first + i)
	}
	return hex.EncodeToString(b)
}

func countBytes(first, n int) []byte {
	b, _ := hex.DecodeString(count(first, n))
	return b
}

func (s sample) message(t testing.TB) []byte {
	t.Helper()
	h := fmt.Sprintf("505a%04x", s.words) + ascii(fmt.Sprintf("%-8s", s.typ)) + strings.ReplaceAll(s.body, " ", "")
	b, err := hex.DecodeString(h)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	if len(b) != 4*s.words {
		t.Fatalf("sample %s has %d bytes, the figure says %d words", s.name, len(b), s.words)
	}
	return b
}

var (
	commitHead = count(0x20, 32) + count(0x40, 12) + ascii("S256AES1HS32")
	mac        = count(0xf0, 8)
)

func commitWant(ka string) wire.Commit {
	c := wire.Commit{
		H2: [32]byte(countBytes(0x20, 32)), ZID: wire.ZID(countBytes(0x40, 12)),
		Hash: wire.A("S256"), Cipher: wire.A("AES1"), AuthTag: wire.A("HS32"),
		KeyAgreement: wire.A(ka), SAS: wire.A("B32"), MAC: [8]byte(countBytes(0xf0, 8)),
	}
	switch ka {
	case "Mult":
		c.Nonce = [16]byte(countBytes(0x50, 16))
	case "Prsh":
		c.Nonce, c.KeyID = [16]byte(countBytes(0x50, 16)), [8]byte(countBytes(0x70, 8))
	case "X1M1":
		c.PV = countBytes(0x90, 16)
		fallthrough
	default:
		c.HVI = [32]byte(countBytes(0x50, 32))
	}
	return c
}

func dhPartWant(part2 bool) wire.DHPart {
	return wire.DHPart{
		Part2: part2, H1: [32]byte(countBytes(0x10, 32)),
		RS1ID: [8]byte(countBytes(0x30, 8)), RS2ID: [8]byte(countBytes(0x38, 8)),
		AuxSecretID: [8]byte(countBytes(0x40, 8)), PBXSecretID: [8]byte(countBytes(0x48, 8)),
		PV: countBytes(0x50, 32), MAC: [8]byte(countBytes(0xf0, 8)),
	}
}

var samples = []sample{
	{"Hello", 29, "Hello",
		ascii("1.10") + ascii("sixteen letters.") + count(0, 32) + count(0x40, 12) +
			"6 00 2 1 0 3 1" + ascii("S384S256AES3X255DH3kEC25B256") + mac,
		wire.Hello{
			Version: [4]byte{'1', '.', '1', '0'}, ClientID: [16]byte([]byte("sixteen letters.")),
			H3: [32]byte(countBytes(0, 32)), ZID: wire.ZID(countBytes(0x40, 12)),
			SASSigning: true, MiTM: true,
			Hashes: []wire.Algo{wire.A("S384"), wire.A("S256")}, Ciphers: []wire.Algo{wire.A("AES3")},
			KeyAgreements: []wire.Algo{wire.A("X255"), wire.A("DH3k"), wire.A("EC25")},
			SASTypes:      []wire.Algo{wire.A("B256")}, MAC: [8]byte(countBytes(0xf0, 8)),
		}},
	{"Hello without lists", 22, "Hello",
		ascii("1.10") + count(1, 16) + count(0, 32) + count(0x40, 12) + "1 00 0 0 0 0 0" + mac,
		wire.Hello{
			Version: [4]byte{'1', '.', '1', '0'}, ClientID: [16]byte(countBytes(1, 16)),
			H3: [32]byte(countBytes(0, 32)), ZID: wire.ZID(countBytes(0x40, 12)),
			Passive: true, MAC: [8]byte(countBytes(0xf0, 8)),
		}},
	{"Commit with hvi", 29, "Commit", commitHead + ascii("DH3kB32 ") + count(0x50, 32) + mac, commitWant("DH3k")},
	{"Commit in KEM mode", 33, "Commit", commitHead + ascii("X1M1B32 ") + count(0x50, 32) + count(0x90, 16) + mac, commitWant("X1M1")},
	{"Commit with nonce", 25, "Commit", commitHead + ascii("MultB32 ") + count(0x50, 16) + mac, commitWant("Mult")},
	{"Commit with keyID", 27, "Commit", commitHead + ascii("PrshB32 ") + count(0x50, 16) + count(0x70, 8) + mac, commitWant("Prsh")},
	{"DHPart1", 29, "DHPart1", count(0x10, 32) + count(0x30, 32) + count(0x50, 32) + mac, dhPartWant(false)},
	{"DHPart2", 29, "DHPart2", count(0x10, 32) + count(0x30, 32) + count(0x50, 32) + mac, dhPartWant(true)},
	{"Confirm1", 19, "Confirm1", mac + count(0x10, 16) + count(0x20, 40),
		wire.Sealed{Type: wire.TypeConfirm1, MAC: [8]byte(countBytes(0xf0, 8)), IV: [16]byte(countBytes(0x10, 16)), Encrypted: countBytes(0x20, 40)}},
	{"Confirm2", 21, "Confirm2", mac + count(0x10, 16) + count(0x20, 48),
		wire.Sealed{Type: wire.TypeConfirm2, MAC: [8]byte(countBytes(0xf0, 8)), IV: [16]byte(countBytes(0x10, 16)), Encrypted: countBytes(0x20, 48)}},
	{"Conf2ACK", 3, "Conf2ACK", "", wire.TypeConf2ACK},
	{"HelloACK", 3, "HelloACK", "", wire.TypeHelloACK},
	{"Error", 4, "Error", "00000061", wire.Error{Code: wire.ErrorPublicValue}},
	{"Error beyond the table", 4, "Error", "fffffff1", wire.Error{Code: 0xfffffff1}},
	{"ErrorACK", 3, "ErrorACK", "", wire.TypeErrorACK},
	{"GoClear", 5, "GoClear", mac, wire.GoClear{ClearMAC: [8]byte(countBytes(0xf0, 8))}},
	{"ClearACK", 3, "ClearACK", "", wire.TypeClearACK},
	{"SASrelay", 19, "SASrelay", mac + count(0x10, 16) + count(0x20, 40),
		wire.Sealed{Type: wire.TypeSASRelay, MAC: [8]byte(countBytes(0xf0, 8)), IV: [16]byte(countBytes(0x10, 16)), Encrypted: countBytes(0x20, 40)}},
	{"RelayACK", 3, "RelayACK", "", wire.TypeRelayACK},
	{"Ping", 6, "Ping", ascii("1.10") + count(0x10, 8),
		wire.Ping{Version: [4]byte{'1', '.', '1', '0'}, EndpointHash: [8]byte(countBytes(0x10, 8))}},
	{"PingACK", 9, "PingACK", ascii("1.10") + count(0x10, 8) + count(0x20, 8) + "a1b2c3d4",
		wire.PingACK{Version: [4]byte{'1', '.', '1', '0'}, EndpointHash: [8]byte(countBytes(0x10, 8)),
			PeerEndpointHash: [8]byte(countBytes(0x20, 8)), PeerSSRC: 0xa1b2c3d4}},
}

// read parses msg by its type. The second result is what appending the parsed
// message gives. A type that is not of RFC 6189 is an error too.
func read(msg []byte) (parsed any, again []byte, err error) {
	t, err := wire.MessageType(msg)
	if err != nil {
		return t, nil, err
	}
	switch t {
	case wire.TypeHello:
		m, err := wire.ParseHello(msg)
		return appended(m, &m, err)
	case wire.TypeCommit:
		m, err := wire.ParseCommit(msg)
		return appended(m, &m, err)
	case wire.TypeDHPart1, wire.TypeDHPart2:
		m, err := wire.ParseDHPart(msg)
		return appended(m, &m, err)
	case wire.TypeConfirm1, wire.TypeConfirm2, wire.TypeSASRelay:
		m, err := wire.ParseSealed(msg)
		return appended(m, &m, err)
	case wire.TypeError:
		m, err := wire.ParseError(msg)
		return appended(m, &m, err)
	case wire.TypeGoClear:
		m, err := wire.ParseGoClear(msg)
		return appended(m, &m, err)
	case wire.TypePing:
		m, err := wire.ParsePing(msg)
		return appended(m, &m, err)
	case wire.TypePingACK:
		m, err := wire.ParsePingACK(msg)
		return appended(m, &m, err)
	}
	t, err = wire.ParseACK(msg)
	if err != nil {
		return t, nil, err
	}
	return t, wire.AppendACK(nil, t), nil
}

func appended(m any, a interface{ Append([]byte) []byte }, err error) (any, []byte, error) {
	if err != nil {
		return m, nil, err
	}
	return m, a.Append(nil), nil
}

// isZero says whether a parsed message is the zero value of its type.
func isZero(m any) bool { return reflect.ValueOf(m).IsZero() }

func TestSamples(t *testing.T) {
	types := map[wire.Type]bool{}
	for _, s := range samples {
		t.Run(s.name, func(t *testing.T) {
			msg := s.message(t)
			original := bytes.Clone(msg)
			got, again, err := read(msg)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(again, original) {
				t.Errorf("appended\n%x, want\n%x", again, original)
			}
			clear(msg) // a parsed message owns its bytes
			if !reflect.DeepEqual(got, s.want) {
				t.Errorf("parsed\n%+v, want\n%+v", got, s.want)
			}
			mt, err := wire.MessageType(original)
			if err != nil || mt.String() != s.typ {
				t.Errorf("type %v, %v", mt, err)
			}
			types[mt] = true
		})
	}
	if len(types) != 16 {
		t.Errorf("samples of %d of the 16 types", len(types))
	}
}

// recorded returns every datagram of the recorded handshakes.
func recorded(t testing.TB) [][]byte {
	t.Helper()
	var packets [][]byte
	for _, h := range kat.Handshakes() {
		sent := append(h.PacketsA, h.PacketsB...)
		if s := h.Stream2; s != nil {
			sent = slices.Concat(sent, s.PacketsA, s.PacketsB)
		}
		for _, p := range sent {
			packets = append(packets, p)
		}
	}
	if len(packets) != 108 {
		t.Fatalf("%d recorded packets", len(packets))
	}
	return packets
}

func TestRecordedPackets(t *testing.T) {
	types := map[wire.Type]int{}
	for _, datagram := range recorded(t) {
		p, err := wire.ParsePacket(datagram)
		if err != nil {
			t.Fatalf("%x: %v", datagram, err)
		}
		if got := wire.AppendPacket(nil, p); !bytes.Equal(got, datagram) {
			t.Errorf("appended\n%x, want\n%x", got, datagram)
		}
		_, again, err := read(p.Message)
		if err != nil || !bytes.Equal(again, p.Message) {
			t.Errorf("appended\n%x, %v, want\n%x", again, err, p.Message)
		}
		mt, _ := wire.MessageType(p.Message)
		types[mt]++
	}
	for _, mt := range []wire.Type{wire.TypeHello, wire.TypeHelloACK, wire.TypeCommit, wire.TypeDHPart1,
		wire.TypeDHPart2, wire.TypeConfirm1, wire.TypeConfirm2, wire.TypeConf2ACK} {
		if types[mt] < 9 {
			t.Errorf("%d packets of type %s", types[mt], mt)
		}
	}
}

// TestRecordedConfirms reads the decrypted parts of the recorded Confirms.
func TestRecordedConfirms(t *testing.T) {
	for _, h := range kat.Handshakes() {
		for _, c := range []struct{ plain, h0 []byte }{{h.ConfirmIPlain, h.H0I}, {h.ConfirmRPlain, h.H0R}} {
			got, err := wire.ParseConfirmPlain(c.plain)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.H0[:], c.h0) || got.CacheExpiry != 0xffffffff || got.Signature != nil {
				t.Errorf("%s: %+v", h.Name, got)
			}
			if again := got.Append(nil); !bytes.Equal(again, c.plain) {
				t.Errorf("%s: appended\n%x, want\n%x", h.Name, again, c.plain)
			}
		}
	}
}
