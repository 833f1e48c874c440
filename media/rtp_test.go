package media

import (
	"bytes"
	"testing"
)

func TestParseRTP(t *testing.T) {
	plain := []byte{0x80, 0xe0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	with := func(first byte, more ...byte) []byte {
		b := append(bytes.Clone(plain), more...)
		b[0] = first
		return b
	}
	for name, c := range map[string]struct {
		pkt     []byte
		payload string // "-": malformed
	}{
		"empty payload":           {plain, ""},
		"payload":                 {with(0x80, 'a', 'b'), "ab"},
		"contributing sources":    {with(0x82, 1, 2, 3, 4, 5, 6, 7, 8, 'a'), "a"},
		"too few sources":         {with(0x82, 1, 2, 3, 4, 5, 6, 7), "-"},
		"extension":               {with(0x90, 0xbe, 0xde, 0, 1, 1, 2, 3, 4, 'a'), "a"},
		"empty extension":         {with(0x90, 0xbe, 0xde, 0, 0, 'a'), "a"},
		"extension cut short":     {with(0x90, 0xbe, 0xde, 0, 1, 1, 2, 3), "-"},
		"extension header short":  {with(0x90, 0xbe, 0xde, 0), "-"},
		"longest extension":       {with(0x90, 0xbe, 0xde, 0xff, 0xff), "-"},
		"padding":                 {with(0xa0, 'a', 'b', 0, 0, 3), "ab"},
		"nothing but padding":     {with(0xa0, 0, 2), ""},
		"padding of nothing":      {with(0xa0, 'a', 0), "-"},
		"padding into the header": {with(0xa0, 'a', 3), "-"},
		"padding without a byte":  {with(0xa0), "-"},
		"everything":              {with(0xb1, 1, 2, 3, 4, 0xbe, 0xde, 0, 1, 1, 2, 3, 4, 'a', 'b', 9, 2), "ab"},
		"version 1":               {with(0x40), "-"},
		"version 3":               {with(0xc0), "-"},
		"short":                   {plain[:11], "-"},
		"nothing":                 {nil, "-"},
	} {
		h, start, end, err := parseRTP(c.pkt)
		if c.payload == "-" {
			if err == nil || h != (rtpHeader{}) || start != 0 || end != 0 {
				t.Errorf("%s: %+v %d %d %v", name, h, start, end, err)
			}
			continue
		}
		if err != nil || string(c.pkt[start:end]) != c.payload {
			t.Errorf("%s: %d to %d, %v; want %q", name, start, end, err, c.payload)
			continue
		}
		want := rtpHeader{marker: true, payloadType: 96, sequence: 0x0102, timestamp: 0x03040506, ssrc: 0x0708090a}
		if h != want {
			t.Errorf("%s: %+v", name, h)
		}
	}
}

func TestHeaderRoundTrip(t *testing.T) {
	for _, want := range []rtpHeader{{}, {true, 127, 65535, 1<<32 - 1, 1<<32 - 1}, {false, 96, 1, 2, 3}} {
		var b [headerLen]byte
		want.put(b[:])
		if got, start, end, err := parseRTP(b[:]); got != want || start != headerLen || end != headerLen || err != nil {
			t.Errorf("%+v became %+v, %d, %d, %v", want, got, start, end, err)
		}
	}
}

// A payload's tag takes no byte of the payload, whatever the header is.
func TestTag(t *testing.T) {
	b := []byte{0x80, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 'a', 'b'}
	tagged := b[headerLen-tagLen:]
	putTag(tagged, 111, 0x01020304)
	payloadType, timestamp, payload := cutTag(tagged)
	if payloadType != 111 || timestamp != 0x01020304 || string(payload) != "ab" {
		t.Errorf("%d %x %q", payloadType, timestamp, payload)
	}
}
