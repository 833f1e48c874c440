package opus

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/hraban/opus"
)

const frameSamples = 960 // 20 ms

// voice is n frames of something like a voice: a buzz of changing pitch through
// three resonances of a mouth, in syllables.
func voice(n int) [][]int16 {
	r := rand.New(rand.NewPCG(7, 8))
	mouth := []*resonance{newResonance(600, 80), newResonance(1100, 100), newResonance(2500, 160)}
	frames, phase := make([][]int16, n), 0.0
	for i := range frames {
		frames[i] = make([]int16, frameSamples)
		for k := range frames[i] {
			s := float64(i*frameSamples+k) / SampleRate
			x := 0.01 * r.NormFloat64()
			if phase += (130 + 30*math.Sin(2*math.Pi*0.9*s)) / SampleRate; phase > 1 {
				phase--
				x++
			}
			y := 0.0
			for _, f := range mouth {
				y += f.next(x)
			}
			frames[i][k] = int16(min(max(4000*math.Max(0, math.Sin(4*math.Pi*s))*y, math.MinInt16), math.MaxInt16))
		}
	}
	return frames
}

// resonance is a filter of two poles.
type resonance struct{ a, b, y1, y2 float64 }

func newResonance(hz, width float64) *resonance {
	r := math.Exp(-math.Pi * width / SampleRate)
	return &resonance{a: 2 * r * math.Cos(2*math.Pi*hz/SampleRate), b: r * r}
}

func (f *resonance) next(x float64) float64 {
	f.y1, f.y2 = (1-f.b)*x*20+f.a*f.y1-f.b*f.y2, f.y1
	return f.y1
}

func newPair(t testing.TB, bitrate int) (*Encoder, *Decoder) {
	t.Helper()
	enc, err := NewEncoder(Options{Bitrate: bitrate})
	if err != nil {
		t.Fatal(err)
	}
	dec, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	return enc, dec
}

// packets encodes frames.
func packets(t testing.TB, frames [][]int16) [][]byte {
	t.Helper()
	enc, _ := newPair(t, 0)
	var all [][]byte
	for _, f := range frames {
		pkt := make([]byte, 80)
		if _, err := enc.Encode(pkt, f); err != nil {
			t.Fatal(err)
		}
		all = append(all, pkt)
	}
	return all
}

// TestOneSize: the size of packets tells nothing, whatever is said.
func TestOneSize(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	noise, loud := make([]int16, frameSamples), make([]int16, frameSamples)
	for i := range noise {
		noise[i] = int16(r.Uint32())
		loud[i] = math.MinInt16
	}
	frames := append(voice(200), noise, make([]int16, frameSamples), loud, noise)
	for range 500 { // ten seconds of silence: no DTX
		frames = append(frames, make([]int16, frameSamples))
	}
	frames = append(frames, voice(50)...)
	for _, bitrate := range []int{0, 8000, 16000, 24000, 64000, 128000} {
		enc, _ := newPair(t, bitrate)
		want := bitrate / 400
		if bitrate == 0 {
			want = 80
		}
		pkt := make([]byte, 1500)
		for i, f := range frames {
			if n, err := enc.Encode(pkt, f); n != want || err != nil {
				t.Fatalf("%d bit/s, frame %d: %d bytes, want %d (%v)", bitrate, i, n, want, err)
			}
		}
	}
}

// TestLossIsRepaired: what is put in place of a lost frame is closer to the
// frame when it is concealed than when it is silence, and much closer when the
// next packet tells about it.
func TestLossIsRepaired(t *testing.T) {
	pkts := packets(t, voice(300))
	lost := func(i int) bool { return i%5 == 3 && i+1 < len(pkts) }
	decode := func(repair func(dec *Decoder, dst []int16, next []byte) (int, error)) (frames [][]int16) {
		_, dec := newPair(t, 0)
		for i, pkt := range pkts {
			dst := make([]int16, frameSamples)
			n, err := 0, error(nil)
			if repair != nil && lost(i) {
				n, err = repair(dec, dst, pkts[i+1])
			} else {
				n, err = dec.Decode(dst, pkt)
			}
			if n != frameSamples || err != nil {
				t.Fatalf("packet %d: %d samples, %v", i, n, err)
			}
			frames = append(frames, dst)
		}
		return frames
	}
	clean := decode(nil)
	// distance of the repaired frames from the clean ones in dB
	distance := func(frames [][]int16) float64 {
		var diff, all float64
		for i, f := range frames {
			for k := range f {
				if want := float64(clean[i][k]); lost(i) {
					diff += (float64(f[k]) - want) * (float64(f[k]) - want)
					all += want * want
				}
			}
		}
		return 10 * math.Log10(diff/all)
	}
	concealed := distance(decode(func(dec *Decoder, dst []int16, _ []byte) (int, error) { return dec.Conceal(dst) }))
	recovered := distance(decode((*Decoder).DecodeFEC))
	t.Logf("concealed %.1f dB, recovered %.1f dB", concealed, recovered)
	if concealed > -1 || recovered > concealed-6 {
		t.Errorf("concealed %.1f dB, recovered %.1f dB off", concealed, recovered)
	}
}

// TestOtherSenders: packets of other lengths and of two channels, as peers may
// send them.
func TestOtherSenders(t *testing.T) {
	for name, test := range map[string]struct {
		channels, samples int
	}{
		"2.5 ms":        {1, 120},
		"10 ms":         {1, 480},
		"60 ms":         {1, 2880},
		"20 ms, stereo": {2, 960},
		"40 ms, stereo": {2, 1920},
	} {
		enc, err := opus.NewEncoder(SampleRate, test.channels, opus.AppAudio)
		if err != nil {
			t.Fatal(err)
		}
		_, dec := newPair(t, 0)
		pcm := make([]int16, test.samples*test.channels)
		for i := range pcm {
			pcm[i] = int16(8000 * math.Sin(2*math.Pi*400*float64(i/test.channels)/SampleRate))
		}
		pkt, dst := make([]byte, 1500), make([]int16, maxPacketSamples)
		for range 5 {
			n, err := enc.Encode(pcm, pkt)
			if err != nil {
				t.Fatal(err)
			}
			if n, err = dec.Decode(dst, pkt[:n]); n != test.samples || err != nil {
				t.Errorf("%s: %d samples, %v", name, n, err)
			}
		}
	}
}

// TestLongestPacket: 120 ms in six frames of one packet (RFC 6716 §3.2.5).
func TestLongestPacket(t *testing.T) {
	frame := packets(t, voice(1))[0]
	pkt := append([]byte{frame[0] | 3, 6}, bytes.Repeat(frame[1:], 6)...)
	_, dec := newPair(t, 0)
	dst := make([]int16, maxPacketSamples)
	if n, err := dec.Decode(dst, pkt); n != maxPacketSamples || err != nil {
		t.Errorf("%d samples, %v", n, err)
	}
	if n, err := dec.Decode(dst[:maxPacketSamples-1], pkt); n != 0 || err == nil {
		t.Errorf("into a short buffer: %d samples, %v", n, err)
	}
	pkt[1] = 7 // 140 ms
	if n, err := dec.Decode(dst, pkt); n != 0 || err == nil {
		t.Errorf("longer than allowed: %d samples, %v", n, err)
	}
}

// TestBounds: the C side never learns of what lies between len and cap.
func TestBounds(t *testing.T) {
	enc, dec := newPair(t, 0)
	frame := voice(20)[15]
	buf := bytes.Repeat([]byte{0xa5}, 400)
	if n, err := enc.Encode(buf[:80], frame); n != 80 || err != nil {
		t.Fatal(n, err)
	}
	if !bytes.Equal(buf[80:], bytes.Repeat([]byte{0xa5}, 320)) {
		t.Error("Encode wrote past len(dst)")
	}
	if n, err := enc.Encode(buf[:79], frame); n != 0 || !errors.Is(err, ErrBuffer) {
		t.Errorf("79 bytes: %d, %v", n, err)
	}
	for _, n := range []int{0, 1, 480, 959, 961, 1920} {
		if _, err := enc.Encode(buf, make([]int16, n)); err == nil {
			t.Errorf("a frame of %d samples was encoded", n)
		}
	}
	pcm := make([]int16, 4*frameSamples)
	fill := func() {
		for i := range pcm {
			pcm[i] = 0x5a5a
		}
	}
	for name, f := range map[string]func(dst []int16) (int, error){
		"Decode":    func(dst []int16) (int, error) { return dec.Decode(dst, buf[:80]) },
		"Conceal":   dec.Conceal,
		"DecodeFEC": func(dst []int16) (int, error) { return dec.DecodeFEC(dst, buf[:80]) },
	} {
		fill()
		if n, err := f(pcm[:frameSamples]); n != frameSamples || err != nil {
			t.Errorf("%s: %d samples, %v", name, n, err)
		}
		for _, v := range pcm[frameSamples:] {
			if v != 0x5a5a {
				t.Fatalf("%s wrote past len(dst)", name)
			}
		}
		for _, bad := range []int{0, 1, 119, 959} {
			if n, err := f(pcm[:bad:bad]); n != 0 || err == nil {
				t.Errorf("%s into %d samples: %d, %v", name, bad, n, err)
			}
		}
	}
	if n, err := dec.Decode(pcm, nil); n != 0 || err == nil {
		t.Errorf("empty packet: %d, %v", n, err)
	}
	if n, err := dec.DecodeFEC(pcm[:frameSamples], nil); n != 0 || err == nil {
		t.Errorf("empty packet for FEC: %d, %v", n, err)
	}
}

func TestBitrates(t *testing.T) {
	for _, bad := range []int{Off, -2, 1, 799, 7200, 32001, 32400, 128800, math.MaxInt} {
		if enc, err := NewEncoder(Options{Bitrate: bad}); err == nil || enc != nil {
			t.Errorf("%d bit/s accepted", bad)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	enc, dec := newPair(t, 0)
	frame, pkt, dst := voice(20)[15], make([]byte, 80), make([]int16, maxPacketSamples)
	for name, f := range map[string]func() (int, error){
		"Encode":    func() (int, error) { return enc.Encode(pkt, frame) },
		"Decode":    func() (int, error) { return dec.Decode(dst, pkt) },
		"Conceal":   func() (int, error) { return dec.Conceal(dst[:frameSamples]) },
		"DecodeFEC": func() (int, error) { return dec.DecodeFEC(dst[:frameSamples], pkt) },
	} {
		n := testing.AllocsPerRun(100, func() {
			if _, err := f(); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations a frame", name, n)
		}
	}
}

// FuzzDecode: any bytes decode to a bounded number of samples or to an error,
// and the decoder goes on working.
func FuzzDecode(f *testing.F) {
	pkts := packets(f, voice(20))
	f.Add(pkts[0], pkts[1])
	f.Add(pkts[15], pkts[16])
	f.Add([]byte{0xff}, []byte{0xff, 0xff})
	f.Add([]byte{0x7b, 0x06, 0, 0, 0, 0, 0, 0}, []byte{0x03, 0xbf, 0xff, 0xff})
	f.Add([]byte{}, pkts[10][:1])
	f.Fuzz(func(t *testing.T, a, b []byte) {
		_, dec := newPair(t, 0)
		dst := make([]int16, maxPacketSamples+8)
		for i := range dst {
			dst[i] = 0x5a5a
		}
		check := func(n int, err error) {
			if n < 0 || n > maxPacketSamples || (err != nil && n != 0) || (err == nil && n == 0) {
				t.Fatalf("%d samples, %v", n, err)
			}
		}
		check(dec.Decode(dst[:maxPacketSamples], a))
		check(dec.DecodeFEC(dst[:frameSamples], b))
		check(dec.Decode(dst[:maxPacketSamples], b))
		check(dec.Conceal(dst[:frameSamples]))
		for _, v := range dst[maxPacketSamples:] {
			if v != 0x5a5a {
				t.Fatal("wrote past len(dst)")
			}
		}
		if n, err := dec.Decode(dst[:frameSamples], pkts[12]); n != frameSamples || err != nil {
			t.Fatalf("afterwards: %d samples, %v", n, err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	enc, _ := newPair(b, 0)
	frames, pkt := voice(100), make([]byte, 80)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := enc.Encode(pkt, frames[i%len(frames)]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	_, dec := newPair(b, 0)
	pkts, dst := packets(b, voice(100)), make([]int16, frameSamples)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := dec.Decode(dst, pkts[i%len(pkts)]); err != nil {
			b.Fatal(err)
		}
	}
}
