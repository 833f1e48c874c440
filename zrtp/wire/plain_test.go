package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sotto/zrtp/wire"
)

// confirmPlain is the decrypted part of a Confirm with that flag word.
func confirmPlain(word uint32, rest ...byte) []byte {
	b := binary.BigEndian.AppendUint32(countBytes(0, 32), word)
	return append(binary.BigEndian.AppendUint32(b, 0x00015180), rest...)
}

// relayPlain is the decrypted part of a SASrelay with that flag word.
func relayPlain(word uint32, rest ...byte) []byte {
	b := append(binary.BigEndian.AppendUint32(nil, word), "B256"...)
	return append(append(b, countBytes(0x60, 32)...), rest...)
}

func TestConfirmPlain(t *testing.T) {
	plain := confirmPlain(3<<8|0b1101, []byte("X509a signed")...)
	got, err := wire.ParseConfirmPlain(plain)
	want := wire.ConfirmPlain{
		H0:          [32]byte(countBytes(0, 32)),
		Flags:       wire.Flags{Enrollment: true, Verified: true, Disclosure: true},
		CacheExpiry: 86400, SigType: wire.A("X509"), Signature: []byte("a signed"),
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if again := got.Append(nil); !bytes.Equal(again, plain) {
		t.Errorf("appended %x", again)
	}
}

func TestSASRelayPlain(t *testing.T) {
	plain := relayPlain(2<<8|0b0110, []byte("PGP sign")...)
	got, err := wire.ParseSASRelayPlain(plain)
	want := wire.SASRelayPlain{
		Flags:  wire.Flags{Verified: true, AllowClear: true},
		Scheme: wire.A("B256"), SASHash: [32]byte(countBytes(0x60, 32)),
		SigType: wire.A("PGP"), Signature: []byte("sign"),
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if again := got.Append(nil); !bytes.Equal(again, plain) {
		t.Errorf("appended %x", again)
	}
}

// plainForms are the two decrypted parts, which end alike.
var plainForms = map[string]struct {
	build func(word uint32, rest ...byte) []byte
	read  func([]byte) (any, []byte, error)
}{
	"Confirm":  {confirmPlain, readConfirmPlain},
	"SASrelay": {relayPlain, readSASRelayPlain},
}

func readConfirmPlain(b []byte) (any, []byte, error) {
	c, err := wire.ParseConfirmPlain(b)
	return appended(c, &c, err)
}

func readSASRelayPlain(b []byte) (any, []byte, error) {
	s, err := wire.ParseSASRelayPlain(b)
	return appended(s, &s, err)
}

// TestSignatureLength holds every announced length against several real ones.
func TestSignatureLength(t *testing.T) {
	for name, form := range plainForms {
		for announced := range uint32(512) {
			for _, there := range []uint32{0, 1, 2, announced, announced + 1} {
				b := form.build(announced<<8, make([]byte, 4*there)...)
				m, again, err := form.read(b)
				if fits := announced == there && there != 1; (err == nil) != fits {
					t.Fatalf("%s: %d words announced, %d there: %v", name, announced, there, err)
				}
				if err == nil && !bytes.Equal(again, b) {
					t.Fatalf("%s: appended %x", name, again)
				}
				if err != nil && (!errors.Is(err, wire.ErrMalformed) || !isZero(m)) {
					t.Fatalf("%s: %+v, %v", name, m, err)
				}
			}
		}
		whole := form.build(2<<8, []byte("PGP sign")...)
		for n := range whole {
			if _, _, err := form.read(whole[:n]); err == nil {
				t.Errorf("%s: prefix of %d bytes accepted", name, n)
			}
		}
	}
}

// TestPlainFlags: each flag is its own bit, and undefined bits are ignored but stay.
func TestPlainFlags(t *testing.T) {
	for name, form := range plainForms {
		for bit := range 32 {
			if bit >= 8 && bit < 17 {
				continue // signature length
			}
			b := form.build(1 << bit)
			m, again, err := form.read(b)
			if err != nil || !bytes.Equal(again, b) {
				t.Errorf("%s: bit %d: %x, %v", name, bit, again, err)
			}
			v := reflect.ValueOf(m)
			for i, flag := range []string{"Disclosure", "AllowClear", "Verified", "Enrollment"} {
				known := flag != "Enrollment" || name == "Confirm" // a SASrelay has none
				if f := v.FieldByName(flag); f.Bool() != (known && i == bit) {
					t.Errorf("%s: bit %d: %s is %v", name, bit, flag, f)
				}
			}
		}
	}
}

// TestSignaturePadding: zeros fill the last word (RFC 6189 §5.7).
func TestSignaturePadding(t *testing.T) {
	for n := 1; n <= 5; n++ {
		c := wire.ConfirmPlain{SigType: wire.A("PGP"), Signature: bytes.Repeat([]byte{7}, n)}
		got, err := wire.ParseConfirmPlain(c.Append(nil))
		want := append(c.Signature, make([]byte, (4-n%4)%4)...)
		if err != nil || !bytes.Equal(got.Signature, want) {
			t.Errorf("%d bytes: %x, %v", n, got.Signature, err)
		}
	}
}

func TestErrorCodes(t *testing.T) {
	// Every code of RFC 6189 §5.9.
	codes := []wire.ErrorCode{0x10, 0x20, 0x30, 0x40, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x61, 0x62, 0x63,
		0x70, 0x80, 0x90, 0x91, 0xa0, 0xb0, 0x100}
	texts := map[string]bool{}
	for _, c := range codes {
		if text := c.String(); strings.Contains(text, "unknown") || texts[text] {
			t.Errorf("%#x: %q", uint32(c), text)
		}
		texts[c.String()] = true
	}
	if got := fmt.Sprint(wire.ErrorCode(0x57)); got != "unknown error code 0x57" {
		t.Errorf("%q", got)
	}
}

func TestNames(t *testing.T) {
	if got := wire.A("B32"); got != (wire.Algo{'B', '3', '2', ' '}) || got.String() != "B32" {
		t.Errorf("%q", got)
	}
	if got := (wire.ZID{1, 0xab}).String(); got != "01ab00000000000000000000" {
		t.Errorf("%s", got)
	}
	if got := wire.TypeSASRelay; string(got[:]) != "SASrelay" || wire.TypePing.String() != "Ping" {
		t.Errorf("%q", got)
	}
}
