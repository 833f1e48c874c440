package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"sotto/zrtp/wire"
)

// packetOf wraps a message in a packet.
func packetOf(msg []byte) []byte {
	return wire.AppendPacket(nil, wire.Packet{Seq: 0x0102, SSRC: 0xa1b2c3d4, Message: msg})
}

func TestPacket(t *testing.T) {
	msg := []byte("whole words!")
	datagram := packetOf(msg)
	want := append([]byte{0x10, 0, 1, 2, 'Z', 'R', 'T', 'P', 0xa1, 0xb2, 0xc3, 0xd4}, msg...)
	if !bytes.Equal(datagram[:len(datagram)-4], want) {
		t.Fatalf("appended %x", datagram)
	}
	if got := wire.AppendPacket([]byte("before"), wire.Packet{Seq: 0x0102, SSRC: 0xa1b2c3d4, Message: msg}); !bytes.Equal(got, append([]byte("before"), datagram...)) {
		t.Errorf("appended to a prefix: %x", got)
	}
	p, err := wire.ParsePacket(datagram)
	if err != nil || p.Seq != 0x0102 || p.SSRC != 0xa1b2c3d4 || !bytes.Equal(p.Message, msg) {
		t.Fatalf("%+v, %v", p, err)
	}
	if &p.Message[0] != &datagram[12] {
		t.Error("the message does not alias the datagram")
	}
	_ = append(p.Message, 0xee)
	if datagram[12+len(msg)] == 0xee {
		t.Error("appending to the message writes into the datagram")
	}
}

// TestPacketUnusedBits: the twelve bits after 0001 are ignored, but they stay.
func TestPacketUnusedBits(t *testing.T) {
	datagram := packetOf([]byte("whole words!"))
	datagram[0], datagram[1] = 0x1a, 0x5f
	fixCRC(datagram)
	p, err := wire.ParsePacket(datagram)
	if err != nil {
		t.Fatal(err)
	}
	if got := wire.AppendPacket(nil, p); !bytes.Equal(got, datagram) {
		t.Errorf("appended %x", got)
	}
}

// fixCRC makes the checksum right again, bit by bit as SCTP defines it.
func fixCRC(datagram []byte) {
	end := len(datagram) - 4
	var crc uint32 = 0xffffffff
	for _, b := range datagram[:end] {
		crc ^= uint32(b)
		for range 8 {
			crc = crc>>1 ^ 0x82f63b78*(crc&1)
		}
	}
	binary.LittleEndian.PutUint32(datagram[end:], ^crc)
}

func TestBadPackets(t *testing.T) {
	good := packetOf([]byte("whole words!"))
	edit := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(good)) }
	for name, c := range map[string]struct {
		datagram []byte
		want     error
	}{
		"empty":         {nil, wire.ErrNotZRTP},
		"RTP":           {edit(func(b []byte) []byte { b[0] = 0x80; return b }), wire.ErrNotZRTP},
		"STUN":          {edit(func(b []byte) []byte { b[0] = 0; return b }), wire.ErrNotZRTP},
		"cookie":        {edit(func(b []byte) []byte { b[7] = 'Q'; return b }), wire.ErrNotZRTP},
		"no message":    {packetOf(nil), wire.ErrLength},
		"short message": {packetOf(make([]byte, 8)), wire.ErrLength},
		"half a word":   {packetOf(make([]byte, 14)), wire.ErrLength},
		"checksum":      {edit(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), wire.ErrCRC},
	} {
		p, err := wire.ParsePacket(c.datagram)
		if !errors.Is(err, c.want) || !isZero(p) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

// TestPacketPrefixes: no strict prefix of a real packet is a packet, nor is one
// with a byte more, nor one with a bit flipped anywhere.
func TestPacketPrefixes(t *testing.T) {
	for _, datagram := range recorded(t) {
		for n := range datagram {
			if _, err := wire.ParsePacket(datagram[:n]); err == nil {
				t.Fatalf("prefix of %d of %d bytes accepted", n, len(datagram))
			}
		}
		if _, err := wire.ParsePacket(append(bytes.Clone(datagram), 0)); err == nil {
			t.Fatal("one byte more accepted")
		}
	}
	datagram := bytes.Clone(recorded(t)[0])
	for bit := range 8 * len(datagram) {
		datagram[bit/8] ^= 1 << (bit % 8)
		if _, err := wire.ParsePacket(datagram); err == nil {
			t.Errorf("bit %d flipped, accepted", bit)
		}
		datagram[bit/8] ^= 1 << (bit % 8)
	}
}

// variable says whether a type's last field may have more lengths than one.
func variable(mt wire.Type) bool {
	switch mt {
	case wire.TypeDHPart1, wire.TypeDHPart2, wire.TypeConfirm1, wire.TypeConfirm2, wire.TypeSASRelay:
		return true
	}
	return false
}

// TestMessagePrefixes cuts and lengthens each message, once as it is and once
// with the length word made to fit.
func TestMessagePrefixes(t *testing.T) {
	for _, s := range samples {
		msg := s.message(t)
		mt, _ := wire.MessageType(msg)
		for n := range msg {
			if m, again, err := read(msg[:n]); !errors.Is(err, wire.ErrMalformed) || again != nil || !isZero(m) {
				t.Errorf("%s: prefix of %d bytes: %+v, %v", s.name, n, m, err)
			}
		}
		for words := 0; words < s.words+40; words++ {
			b := append(bytes.Clone(msg), make([]byte, 4*40)...)[:4*words]
			if words > 0 {
				binary.BigEndian.PutUint16(b[2:], uint16(words))
			}
			m, again, err := read(b)
			switch {
			case err != nil && (!errors.Is(err, wire.ErrMalformed) || again != nil):
				t.Errorf("%s of %d words: %v", s.name, words, err)
			case err != nil && words >= 3 && !isZero(m), err != nil && words == s.words:
				t.Errorf("%s of %d words: %+v, %v", s.name, words, m, err)
			case err == nil && words != s.words && !variable(mt) && (s.name != "Commit with hvi" && s.name != "Commit in KEM mode" || words < 29):
				t.Errorf("%s of %d words accepted", s.name, words)
			case err == nil && !bytes.Equal(again, b):
				t.Errorf("%s of %d words appended as %x", s.name, words, again)
			}
		}
	}
}

// TestShortestVariable: what a message must hold before its lengths vary.
func TestShortestVariable(t *testing.T) {
	for typ, words := range map[string]int{"DHPart1": 22, "DHPart2": 22, "Confirm1": 19, "Confirm2": 19, "SASrelay": 19} {
		for extra := -1; extra <= 0; extra++ {
			s := sample{typ, words + extra, typ, strings.Repeat("00", 4*(words+extra)-12), nil}
			_, _, err := read(s.message(t))
			if (err == nil) != (extra == 0) {
				t.Errorf("%s of %d words: %v", typ, words+extra, err)
			}
		}
	}
}

// TestLongestConfirm: the signature's nine bits bound the message.
func TestLongestConfirm(t *testing.T) {
	for _, typ := range []string{"Confirm1", "SASrelay"} {
		for extra := 0; extra <= 1; extra++ {
			words := wire.MaxMessageLen/4 + extra
			s := sample{typ, words, typ, strings.Repeat("00", 4*words-12), nil}
			if _, _, err := read(s.message(t)); (err == nil) != (extra == 0) {
				t.Errorf("%s of %d words: %v", typ, words, err)
			}
		}
	}
}

func TestMessageHead(t *testing.T) {
	good := []byte("\x50\x5a\x00\x03Unknown!")
	if mt, err := wire.MessageType(good); err != nil || mt.String() != "Unknown!" {
		t.Errorf("unknown type: %v, %v", mt, err)
	}
	if _, _, err := read(good); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("unknown type read: %v", err)
	}
	for _, bad := range []string{"", "\x50\x5a\x00\x00", "\x50\x5a\x00\x01", "\x51\x5a\x00\x03HelloACK",
		"\x50\x5b\x00\x03HelloACK", "\x50\x5a\x00\x02HelloACK", "\x50\x5a\x01\x03HelloACK", "\x50\x5a\x00\x03HelloACK\x00"} {
		if mt, err := wire.MessageType([]byte(bad)); !errors.Is(err, wire.ErrMalformed) || !isZero(mt) {
			t.Errorf("%q: %v, %v", bad, mt, err)
		}
	}
}

// TestWrongType gives each parser every other type's sample.
func TestWrongType(t *testing.T) {
	parsers := map[string]func([]byte) (any, error){
		"Hello":                    func(b []byte) (any, error) { return wire.ParseHello(b) },
		"Commit":                   func(b []byte) (any, error) { return wire.ParseCommit(b) },
		"DHPart1 DHPart2":          func(b []byte) (any, error) { return wire.ParseDHPart(b) },
		"Confirm1Confirm2SASrelay": func(b []byte) (any, error) { return wire.ParseSealed(b) },
		"Error":                    func(b []byte) (any, error) { return wire.ParseError(b) },
		"GoClear":                  func(b []byte) (any, error) { return wire.ParseGoClear(b) },
		"Ping":                     func(b []byte) (any, error) { return wire.ParsePing(b) },
		"PingACK":                  func(b []byte) (any, error) { return wire.ParsePingACK(b) },
		"HelloACKConf2ACKErrorACKClearACKRelayACK": func(b []byte) (any, error) { return wire.ParseACK(b) },
	}
	for names, parse := range parsers {
		var own []string
		for i := 0; i < len(names); i += 8 {
			own = append(own, strings.TrimSpace(names[i:min(i+8, len(names))]))
		}
		for _, s := range samples {
			m, err := parse(s.message(t))
			if slices.Contains(own, s.typ) {
				if err != nil {
					t.Errorf("%s refused by its parser: %v", s.name, err)
				}
			} else if !errors.Is(err, wire.ErrMalformed) || !isZero(m) {
				t.Errorf("%s taken for %s: %+v, %v", s.name, names, m, err)
			}
		}
	}
}

// TestHelloCounts tries every count in every place, and every undefined bit.
func TestHelloCounts(t *testing.T) {
	const flags = 76 // offset of the flag word, RFC 6189 §5.2
	base := samples[1].message(t)
	for place := range 5 {
		for n := range 16 {
			body := append(bytes.Clone(base[:flags+4]), bytes.Repeat([]byte("TEST"), n)...)
			b := append(body, base[flags+4:]...)
			binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4))
			binary.BigEndian.PutUint32(b[flags:], uint32(n)<<(16-4*place))
			h, err := wire.ParseHello(b)
			if (err == nil) != (n <= 7) {
				t.Errorf("%d algorithms in place %d: %v", n, place, err)
			}
			lists := [][]wire.Algo{h.Hashes, h.Ciphers, h.AuthTags, h.KeyAgreements, h.SASTypes}
			if err == nil && (len(lists[place]) != n || !bytes.Equal(h.Append(nil), b)) {
				t.Errorf("%d algorithms in place %d: %+v", n, place, h)
			}
		}
	}
	eight := bytes.Clone(base) // no algorithm there, and none if one bit is lost
	eight[flags+1] |= 0x08
	if h, err := wire.ParseHello(eight); err == nil {
		t.Errorf("eight hashes of which none is there: %+v", h)
	}
	full := wire.Hello{}
	for _, list := range []*[]wire.Algo{&full.Hashes, &full.Ciphers, &full.AuthTags, &full.KeyAgreements, &full.SASTypes} {
		*list = make([]wire.Algo, 7)
	}
	if n := len(full.Append(nil)); n != wire.MaxHelloLen {
		t.Errorf("the longest Hello has %d bytes", n)
	}
	for bit := 20; bit < 32; bit++ { // undefined ones are ignored, and stay
		b := bytes.Clone(base)
		binary.BigEndian.PutUint32(b[flags:], 1<<bit)
		h, err := wire.ParseHello(b)
		if err != nil || !bytes.Equal(h.Append(nil), b) {
			t.Errorf("flag bit %d: %v", bit, err)
		}
		if h.SASSigning != (bit == 30) || h.MiTM != (bit == 29) || h.Passive != (bit == 28) {
			t.Errorf("flag bit %d: %+v", bit, h)
		}
	}
}

// TestAppendPanics: what the caller may not ask for.
func TestAppendPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"eight hashes":   func() { (&wire.Hello{Hashes: make([]wire.Algo, 8)}).Append(nil) },
		"half a word":    func() { (&wire.DHPart{PV: make([]byte, 33)}).Append(nil) },
		"huge value":     func() { (&wire.DHPart{PV: make([]byte, 4*0x10000)}).Append(nil) },
		"long signature": func() { (&wire.ConfirmPlain{Signature: make([]byte, wire.MaxSignatureLen+1)}).Append(nil) },
		"no ACK":         func() { wire.AppendACK(nil, wire.TypeHello) },
	} {
		func() {
			defer func() {
				if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "wire: ") {
					t.Errorf("%s: no panic of ours", name)
				}
			}()
			f()
		}()
	}
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Log("ALLOCATIONS NOT CHECKED: the race detector allocates by itself")
		return
	}
	msg := samples[6].message(t)
	datagram := packetOf(msg)
	buf := make([]byte, 0, 4096)
	dh, err := wire.ParseDHPart(msg)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(){
		"ParsePacket":   func() { _, _ = wire.ParsePacket(datagram) },
		"MessageType":   func() { _, _ = wire.MessageType(msg) },
		"AppendPacket":  func() { wire.AppendPacket(buf, wire.Packet{Message: msg}) },
		"AppendACK":     func() { wire.AppendACK(buf, wire.TypeHelloACK) },
		"DHPart.Append": func() { dh.Append(buf) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
