package wire_test

import (
	"bytes"
	"errors"
	"testing"

	"sotto/zrtp/wire"
)

// FuzzPacket: any datagram is refused with an error and nothing else, or
// appended again as it came; its message goes the same way.
func FuzzPacket(f *testing.F) {
	for _, datagram := range recorded(f) {
		f.Add(datagram)
	}
	f.Fuzz(func(t *testing.T, datagram []byte) {
		p, err := wire.ParsePacket(datagram)
		if err != nil {
			if !isZero(p) {
				t.Fatalf("%v with %+v", err, p)
			}
			return
		}
		if again := wire.AppendPacket(nil, p); !bytes.Equal(again, datagram) {
			t.Fatalf("appended %x", again)
		}
		checkRead(t, p.Message, read)
	})
}

// FuzzParse does the same for messages, which a checksum would hide from the
// fuzzer, and for what the encrypted ones hold.
func FuzzParse(f *testing.F) {
	for _, s := range samples {
		f.Add(s.message(f))
	}
	for _, form := range plainForms {
		f.Add(form.build(0))
		f.Add(form.build(2<<8|0xf, []byte("PGP sign")...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		checkRead(t, b, read)
		for _, form := range plainForms {
			checkRead(t, b, form.read)
		}
	})
}

func checkRead(t *testing.T, b []byte, read func([]byte) (any, []byte, error)) {
	t.Helper()
	original := bytes.Clone(b)
	m, again, err := read(b)
	switch {
	case !bytes.Equal(b, original):
		t.Fatal("the parser wrote into its input")
	case err == nil && !bytes.Equal(again, b):
		t.Fatalf("%x\nappended as\n%x", b, again)
	case err != nil && (!errors.Is(err, wire.ErrMalformed) || !isZero(m)):
		t.Fatalf("%v with %+v", err, m)
	}
}
