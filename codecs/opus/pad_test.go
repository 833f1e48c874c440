package opus

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/hraban/opus"
)

// anything is speech, and then less each of silence, noise, and a square wave as
// loud as can be.
func anything() []int16 {
	const less = SampleRate * 3 / 10
	r := rand.New(rand.NewPCG(1, 2))
	all := slices.Concat(voice(60)...)
	all = append(all, make([]int16, less)...)
	for range less {
		all = append(all, int16(r.Uint32()))
	}
	for i := range less {
		all = append(all, [2]int16{math.MaxInt16, math.MinInt16}[i/60%2])
	}
	return all
}

// listener decodes packets, and what each tells of the one before it.
type listener struct{ dec, repair *Decoder }

func newListener(t *testing.T) listener {
	_, dec := newPair(t, 0)
	_, repair := newPair(t, 0)
	return listener{dec, repair}
}

func (l listener) hear(t *testing.T, pkt []byte, samples int) (heard, repaired []int16) {
	t.Helper()
	heard, repaired = make([]int16, samples), make([]int16, samples)
	if n, err := l.dec.Decode(heard, pkt); n != samples || err != nil {
		t.Fatalf("%d of %d samples, %v", n, samples, err)
	}
	if n, err := l.repair.DecodeFEC(repaired, pkt); n != samples || err != nil {
		t.Fatalf("%d of %d samples repaired, %v", n, samples, err)
	}
	return heard, repaired
}

// Whatever libopus makes, padded it is of one size and sounds the same to the
// sample, repairs the same, and looks the same to Inspect.
func TestPaddedSoundsTheSame(t *testing.T) {
	codes, redundant := map[byte]int{}, 0
	for _, packetTime := range PacketTimes {
		for _, bitrate := range []int{8000, 24000, 32000, 48000, 128000} {
			o := Options{PacketTime: packetTime, Bitrate: bitrate}
			bare, err := NewEncoder(o)
			if err != nil {
				t.Fatal(err)
			}
			e, err := NewEncoder(o)
			if err != nil {
				t.Fatal(err)
			}
			ours, theirs := newListener(t), newListener(t)
			size, samples := PacketBytes(o), int(packetTime*SampleRate/time.Second)
			pkt, padded := make([]byte, size), make([]byte, 1500)
			for pcm := anything(); len(pcm) >= samples; pcm = pcm[samples:] {
				n, err := bare.enc.Encode(pcm[:samples], pkt[:size:size])
				if err != nil {
					t.Fatal(err)
				}
				if m, err := e.Encode(padded, pcm[:samples]); m != size || err != nil {
					t.Fatalf("%v at %d bit/s: %d bytes, want %d, %v", packetTime, bitrate, m, size, err)
				}
				codes[pkt[0]&3]++
				heard, repaired := theirs.hear(t, pkt[:n], samples)
				heardToo, repairedToo := ours.hear(t, padded[:size], samples)
				if !slices.Equal(heard, heardToo) || !slices.Equal(repaired, repairedToo) {
					t.Fatalf("%v at %d bit/s: %x sounds otherwise than %x", packetTime, bitrate, padded[:size], pkt[:n])
				}
				r, _ := Inspect(pkt[:n])
				if r {
					redundant++
				}
				if rToo, quiet := Inspect(padded[:size]); rToo != r || quiet {
					t.Fatalf("%v at %d bit/s: redundant %v, was %v; quiet %v", packetTime, bitrate, rToo, r, quiet)
				}
			}
		}
	}
	t.Log(codes, redundant)
	if codes[0] == 0 || codes[1]+codes[2]+codes[3] == 0 || redundant < 100 {
		t.Errorf("packets by code: %v, %d redundant: nothing was compared", codes, redundant)
	}
}

// framed is a packet with a name.
type framed struct {
	name string
	pkt  []byte
}

// framings has a packet of each kind (RFC 6716 §3.2), of frames of 10 ms that
// libopus made, by CELT, to which each byte of them matters.
func framings(t testing.TB) []framed {
	enc, err := opus.NewEncoder(SampleRate, 1, opus.AppRestrictedLowdelay)
	if err != nil {
		t.Fatal(err)
	}
	var toc byte
	var frames [][]byte
	for _, f := range voice(20)[4:7] {
		pkt := make([]byte, 300)
		n, err := enc.Encode(f[:480], pkt)
		if err != nil {
			t.Fatal(err)
		}
		toc, frames = pkt[0], append(frames, pkt[1:n])
	}
	a, b, c := frames[0], frames[1], frames[2]
	long := bytes.Repeat([]byte{0x5a}, 300)
	length := func(b []byte) []byte {
		if n := len(b); n >= 252 {
			return []byte{byte(252 + n%4), byte((n - 252) / 4)}
		}
		return []byte{byte(len(b))}
	}
	join := func(code byte, parts ...[]byte) []byte {
		return slices.Concat([]byte{toc | code}, slices.Concat(parts...))
	}
	return []framed{
		{"one", join(0, a)},
		{"one, empty", join(0)},
		{"two of a length", join(1, a, a)},
		{"two", join(2, length(a), a, b)},
		{"two, the first long", join(2, length(long), long, a)},
		{"two, the last empty", join(2, length(a), a)},
		{"three of a length", join(3, []byte{3}, b, b, b)},
		{"three of a length, padded", join(3, []byte{3 | flagPadded, 7}, b, b, b, make([]byte, 7))},
		{"three", join(3, []byte{3 | flagVaries}, length(a), length(b), a, b, c)},
		{"three, padded", join(3, []byte{3 | flagVaries | flagPadded, 255, 2}, length(a), length(b), a, b, c, make([]byte, 256))},
		{"one, padded by none", join(3, []byte{1 | flagPadded, 0}, a)},
		{"one that could vary", join(3, []byte{1 | flagVaries}, a)},
	}
}

// Packets of each kind can be as long as one likes, from one byte more on.
func TestPadEveryFraming(t *testing.T) {
	for _, p := range framings(t) {
		want := decodeAfter(t, p.pkt)
		for more := range 520 {
			if distance := more % 255; distance > 10 && distance < 245 { // nothing but more zeros
				continue
			}
			size := len(p.pkt) + more
			padded := bytes.Repeat([]byte{0xa5}, size)
			copy(padded, p.pkt)
			if err := pad(padded, len(p.pkt)); err != nil {
				t.Fatalf("%s: %d to %d bytes: %v", p.name, len(p.pkt), size, err)
			}
			if size == len(p.pkt) {
				if !bytes.Equal(padded, p.pkt) {
					t.Errorf("%s: changed, with nothing to pad", p.name)
				}
				continue
			}
			if padded[0] != p.pkt[0]|3 {
				t.Fatalf("%s: TOC %#x in place of %#x", p.name, padded[0], p.pkt[0]|3)
			}
			if got := decodeAfter(t, padded); !slices.Equal(got, want) {
				t.Fatalf("%s: %d to %d bytes: sounds otherwise", p.name, len(p.pkt), size)
			}
			if bytes.HasSuffix(padded, []byte{0xa5}) && !bytes.HasSuffix(p.pkt, []byte{0xa5}) {
				t.Fatalf("%s: %d to %d bytes: what was there before is left", p.name, len(p.pkt), size)
			}
		}
	}
}

// decodeAfter is what a decoder makes of pkt after nothing else, and then of a
// frame that does not come.
func decodeAfter(t *testing.T, pkt []byte) []int16 {
	t.Helper()
	_, dec := newPair(t, 0)
	dst := make([]int16, maxPacketSamples+SampleRate/50)
	n, err := dec.Decode(dst[:maxPacketSamples], pkt)
	if err != nil {
		t.Fatalf("%x: %v", pkt, err)
	}
	m, err := dec.Conceal(dst[n:][:SampleRate/50])
	if err != nil {
		t.Fatal(err)
	}
	return dst[:n+m]
}

// malformed are packets that RFC 6716 §3.4 forbids, by its rule.
var malformed = map[string][]byte{
	"R1, nothing":                  {},
	"R2, a frame too long":         make([]byte, 1+1276),
	"R2, two frames too long":      append([]byte{1}, make([]byte, 2*1276)...),
	"R2, the last of two too long": append([]byte{2, 1}, make([]byte, 1+1276)...),
	"R3, two halves":               {1, 9, 9, 9},
	"R4, no length":                {2},
	"R4, half a length":            {2, 252},
	"R4, a length beyond":          {2, 3, 9, 9},
	"R4, a long length beyond":     append([]byte{2, 252, 12}, make([]byte, 299)...),
	"R5, no frame count":           {3},
	"R5, no frames":                {3, 0, 9},
	"R5, 140 ms":                   {3 | 1<<3, 7, 0, 0, 0, 0, 0, 0, 0},
	"R6, three in two":             {3, 3, 9, 9},
	"R6, padding without a length": {3, 1 | flagPadded},
	"R6, padding beyond":           {3, 1 | flagPadded, 3, 9, 9},
	"R6, long padding beyond":      {3, 1 | flagPadded, 255, 255, 0, 9, 9},
	"R7, lengths beyond":           {3, 3 | flagVaries, 9, 9, 9},
	"R7, no lengths":               {3, 3 | flagVaries, 9},
}

// What is no packet is not padded, nor touched, and libopus agrees that it is
// none.
func TestPadRefusesTheMalformed(t *testing.T) {
	for name, pkt := range malformed {
		padded := append(bytes.Clone(pkt), 1, 2, 3, 4)
		if err := pad(padded, len(pkt)); err == nil {
			t.Errorf("%s: padded to %x", name, padded)
		}
		if !bytes.Equal(padded, append(bytes.Clone(pkt), 1, 2, 3, 4)) {
			t.Errorf("%s: became %x", name, padded)
		}
		_, dec := newPair(t, 0)
		if n, err := dec.Decode(make([]int16, maxPacketSamples), pkt); err == nil {
			t.Errorf("%s: libopus decodes %d samples", name, n)
		}
	}
}

func TestPadAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	for _, p := range framings(t) {
		padded := make([]byte, len(p.pkt)+300)
		n := testing.AllocsPerRun(10, func() {
			copy(padded, p.pkt)
			if err := pad(padded, len(p.pkt)); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", p.name, n)
		}
	}
}

// FuzzPad: what libopus takes can be padded, and sounds the same; what it does not
// take is refused.
func FuzzPad(f *testing.F) {
	for _, p := range framings(f) {
		f.Add(p.pkt, uint16(1))
		f.Add(p.pkt, uint16(300))
	}
	f.Add(packets(f, voice(10))[5], uint16(20)) // padded, by SILK, with redundancy
	for _, pkt := range malformed {
		f.Add(pkt, uint16(3))
	}
	f.Fuzz(func(t *testing.T, pkt []byte, more uint16) {
		if len(pkt) > 20000 {
			return
		}
		_, dec := newPair(t, 0)
		want := make([]int16, maxPacketSamples)
		n, refused := dec.Decode(want, pkt)

		padded := append(bytes.Clone(pkt), make([]byte, more%1500)...)
		err := pad(padded, len(pkt))
		if (err != nil) != (refused != nil) {
			t.Fatalf("%x: libopus says %v, pad says %v", pkt, refused, err)
		}
		if err != nil {
			return
		}
		_, dec = newPair(t, 0)
		got := make([]int16, maxPacketSamples)
		if m, err := dec.Decode(got, padded); m != n || err != nil {
			t.Fatalf("%x: %d samples, were %d, %v", padded, m, n, err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%x sounds otherwise than %x", padded, pkt)
		}
		r, _ := Inspect(pkt)
		if rToo, _ := Inspect(padded); len(pkt) > maxPause && rToo != r {
			t.Fatalf("%x is redundant: %v; %x: %v", padded, rToo, pkt, r)
		}
	})
}

func BenchmarkPad(b *testing.B) {
	pkt := framings(b)[0].pkt
	padded := make([]byte, 160)
	b.ReportAllocs()
	for b.Loop() {
		copy(padded, pkt)
		if err := pad(padded, len(pkt)); err != nil {
			b.Fatal(err)
		}
	}
}
