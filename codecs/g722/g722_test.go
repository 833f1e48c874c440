package g722

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readPCM(t testing.TB, name string) []int16 {
	t.Helper()
	return samples(read(t, name))
}

func samples(b []byte) []int16 {
	pcm := make([]int16, len(b)/2)
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return pcm
}

// encode and decode go in frames of n samples.
func encode(t testing.TB, pcm []int16, n int) (code []byte) {
	t.Helper()
	enc := NewEncoder()
	for frame := range slices.Chunk(pcm, n) {
		pkt := make([]byte, len(frame)/2)
		if k, err := enc.Encode(pkt, frame); k != len(pkt) || err != nil {
			t.Fatal(k, err)
		}
		code = append(code, pkt...)
	}
	return code
}

func decode(t testing.TB, code []byte, n int) (pcm []int16) {
	t.Helper()
	dec := NewDecoder()
	for pkt := range slices.Chunk(code, n/2) {
		frame := make([]int16, 2*len(pkt))
		if k, err := dec.Decode(frame, pkt); k != len(frame) || err != nil {
			t.Fatal(k, err)
		}
		pcm = append(pcm, frame...)
	}
	return pcm
}

// differs says where two sequences do first; "" if nowhere.
func differs[T comparable](got, want []T) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("%v at %d, want %v", got[i], i, want[i])
		}
	}
	if len(got) != len(want) {
		return fmt.Sprintf("length %d, want %d", len(got), len(want))
	}
	return ""
}

// TestRecorded: both directions give the bits that another implementation
// gives, however the stream is cut into frames.
func TestRecorded(t *testing.T) {
	pcm, code, decoded := readPCM(t, "pcm.raw"), read(t, "coded.g722"), readPCM(t, "decoded.raw")
	for _, n := range []int{320, 2, 34, 1920} {
		if d := differs(encode(t, pcm, n), code); d != "" {
			t.Errorf("encoded in frames of %d: %s", n, d)
		}
		if d := differs(decode(t, code, n), decoded); d != "" {
			t.Errorf("decoded in frames of %d: %s", n, d)
		}
	}
}

// TestSaturation: the same where numbers run against their limits, after the
// ITU's tools.
func TestSaturation(t *testing.T) {
	code, decoded := read(t, "hard.g722"), readPCM(t, "hard.raw")
	square := make([]int16, 1600)
	for i := range square {
		square[i] = math.MaxInt16
		if i/27%2 == 1 {
			square[i] = math.MinInt16
		}
	}
	if d := differs(encode(t, square, 320), code[:800]); d != "" {
		t.Error("encoded:", d)
	}
	if d := differs(decode(t, code, 320), decoded); d != "" {
		t.Error("decoded:", d)
	}
}

// fit compares a tone with what became of it: the gain in dB, and how far
// below it is all that is not the tone.
func fit(pcm []int16, hz float64) (level, noise float64) {
	var re, im, total float64
	for i, s := range pcm {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / SampleRate)
		re, im = re+cos*float64(s), im+sin*float64(s)
		total += float64(s) * float64(s)
	}
	n := float64(len(pcm))
	tone := 2 * (re*re + im*im) / n
	return 10 * math.Log10(2*tone/n), 10 * math.Log10(tone/(total-tone))
}

func tone(hz, peak float64, n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(math.Round(peak * math.Sin(2*math.Pi*hz*float64(i)/SampleRate)))
	}
	return pcm
}

// TestTones: all that is to be heard comes through at its level. The higher
// band has two bits for a sample, and sounds like it.
func TestTones(t *testing.T) {
	const peak, second = 8000, SampleRate
	for _, c := range []struct{ hz, snr float64 }{
		{50, 55}, {100, 55}, {300, 55}, {1000, 44}, {2000, 44}, {3000, 38}, {5000, 20}, {6000, 20}, {7000, 20},
	} {
		pcm := tone(c.hz, peak, 2*second)
		level, snr := fit(decode(t, encode(t, pcm, 320), 320)[second:], c.hz)
		gain := level - 20*math.Log10(peak)
		t.Logf("%4.0f Hz: %+.2f dB, %.1f dB above noise", c.hz, gain, snr)
		if math.Abs(gain) > 0.2 {
			t.Errorf("%v Hz: gain of %.2f dB", c.hz, gain)
		}
		if snr < c.snr {
			t.Errorf("%v Hz: %.1f dB above noise, want %v", c.hz, snr, c.snr)
		}
	}
}

// TestDelay: the filters of both ends, 24 taps each, take 22 samples.
func TestDelay(t *testing.T) {
	pcm := readPCM(t, "pcm.raw")
	got := decode(t, encode(t, pcm, 320), 320)
	best, least := 0, math.Inf(1)
	for lag := range 50 {
		var off float64
		for i, s := range got[lag : lag+9600] { // the speech
			off += math.Pow(float64(s)-float64(pcm[i]), 2)
		}
		if off < least {
			best, least = lag, off
		}
	}
	if best != 22 {
		t.Errorf("%d samples", best)
	}
	if snr := 10 * math.Log10(energy(pcm[:9600])/least); snr < 20 {
		t.Errorf("speech is %.1f dB above noise", snr)
	}
}

func energy(pcm []int16) (e float64) {
	for _, v := range pcm {
		e += float64(v) * float64(v)
	}
	return e
}

// TestSilence: an encoder that hears nothing says nothing that is heard.
func TestSilence(t *testing.T) {
	for i, s := range decode(t, encode(t, make([]int16, SampleRate), 320), 320) {
		if s < -4 || s > 4 {
			t.Fatalf("%d at sample %d", s, i)
		}
	}
}

// TestLoss: a frame that is lost in speech makes no jump that speech has not,
// and half a second later the decoder is where it would have been, although
// nobody told it what it missed.
func TestLoss(t *testing.T) {
	code := encode(t, tone(200, 8000, 2*SampleRate), 320)
	want := decode(t, code, 320)
	dec, got := NewDecoder(), make([]int16, 0, len(want))
	const lost = 25
	for i := range len(code) / 160 {
		frame := make([]int16, 320)
		pkt := code[160*i:][:160]
		n, err := 0, error(nil)
		if i == lost {
			n, err = dec.DecodeFEC(frame, pkt)
		} else {
			n, err = dec.Decode(frame, pkt)
		}
		if n != 320 || err != nil {
			t.Fatal(n, err)
		}
		got = append(got, frame...)
	}
	off := make([]int16, len(got))
	for i := range got {
		off[i] = got[i] - want[i]
	}
	// For 10 ms it goes on as if nothing had happened.
	from := lost * 320
	if db := 10 * math.Log10(energy(want[from:from+160])/energy(off[from:from+160])); db < 30 {
		t.Errorf("the concealed tone is %.1f dB above what is wrong", db)
	}
	for i := 1; i < len(got); i++ {
		if step := int(got[i]) - int(got[i-1]); step > 1500 || step < -1500 {
			t.Errorf("step of %d at sample %d", step, i)
		}
	}
	if db := 10 * math.Log10(energy(want[from+SampleRate/2:])/energy(off[from+SampleRate/2:])); db < 40 {
		t.Errorf("half a second later the tone is %.1f dB above what is wrong", db)
	}
}

// A tone that comes back after a gap does not jump, however short packets are against
// its period.
func TestLossOfPacketTimes(t *testing.T) {
	for _, hz := range []float64{80, 103, 150, 233, 440} {
		pcm := make([]int16, SampleRate)
		for i := range pcm {
			pcm[i] = int16(8000 * math.Sin(2*math.Pi*hz*float64(i)/SampleRate))
		}
		code := make([]byte, len(pcm)/2)
		if _, err := NewEncoder().Encode(code, pcm); err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{20, 40, 80, 160} { // bytes of 2.5 to 20 ms
			for _, lost := range []int{1, 2, 5, 10} {
				for phase := range 4 {
					got := lossy(t, code, n, SampleRate/4/n/2+phase, lost)
					got = got[SampleRate/5:] // a decoder begins with a jump
					// The slope of 4 ms that leads back adds some.
					if step, most := steepest(got), steepest(pcm)+450; step > most {
						t.Errorf("%v Hz, packets of %d bytes, %d lost from phase %d on: a step of %d, more than %d", hz, n, lost, phase, step, most)
					}
				}
			}
		}
	}
}

// lossy is code, in packets of n bytes, of which some are lost.
func lossy(t *testing.T, code []byte, n, from, lost int) (got []int16) {
	t.Helper()
	dec, frame := NewDecoder(), make([]int16, 2*n)
	for i := range len(code) / n {
		var err error
		if i >= from && i < from+lost {
			_, err = dec.Conceal(frame)
		} else {
			_, err = dec.Decode(frame, code[n*i:][:n])
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, frame...)
	}
	return got
}

func steepest(pcm []int16) (most int) {
	for i := 1; i < len(pcm); i++ {
		most = max(most, int(pcm[i])-int(pcm[i-1]), int(pcm[i-1])-int(pcm[i]))
	}
	return most
}

func TestBounds(t *testing.T) {
	enc, dec := NewEncoder(), NewDecoder()
	b, pcm := make([]byte, 2000), make([]int16, 4000)
	for name, test := range map[string]struct {
		f    func() (int, error)
		n    int
		want error
	}{
		"encode nothing":         {func() (int, error) { return enc.Encode(b, nil) }, 0, ErrLength},
		"encode half a pair":     {func() (int, error) { return enc.Encode(b, pcm[:1]) }, 0, ErrLength},
		"encode an odd number":   {func() (int, error) { return enc.Encode(b, pcm[:321]) }, 0, ErrLength},
		"encode, short buffer":   {func() (int, error) { return enc.Encode(b[:159:200], pcm[:320]) }, 0, ErrBuffer},
		"encode the shortest":    {func() (int, error) { return enc.Encode(b, pcm[:2]) }, 1, nil},
		"decode nothing":         {func() (int, error) { return dec.Decode(pcm, nil) }, 0, ErrLength},
		"decode too much":        {func() (int, error) { return dec.Decode(pcm, b[:MaxBytes+1]) }, 0, ErrLength},
		"decode, short buffer":   {func() (int, error) { return dec.Decode(pcm[:319:400], b[:160]) }, 0, ErrBuffer},
		"decode the longest":     {func() (int, error) { return dec.Decode(pcm, b[:MaxBytes]) }, 2 * MaxBytes, nil},
		"decode the shortest":    {func() (int, error) { return dec.Decode(pcm, b[:1]) }, 2, nil},
		"conceal before a frame": {func() (int, error) { return NewDecoder().Conceal(pcm[:320]) }, 320, nil},
	} {
		if n, err := test.f(); n != test.n || !errors.Is(err, test.want) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}

// FuzzCodec: whatever is said and whatever arrives, numbers stay in 16 bits,
// and both ends of a stream stay in step.
func FuzzCodec(f *testing.F) {
	for _, name := range []string{"coded.g722", "hard.g722", "pcm.raw"} {
		f.Add(read(f, name)[:800])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = b[:min(len(b), 2*MaxBytes)]
		far, frame := NewDecoder(), make([]int16, 2*MaxBytes)
		arrived := b[:min(len(b), MaxBytes)]
		if n, err := far.Decode(frame, arrived); (err == nil) != (len(b) > 0) || err == nil && n != 2*len(arrived) {
			t.Fatal(n, err)
		}
		bounded(t, &far.low, maxLow)
		bounded(t, &far.high, maxHigh)

		enc, dec, pkt := NewEncoder(), NewDecoder(), make([]byte, MaxBytes)
		n, err := enc.Encode(pkt, samples(b))
		if err != nil {
			return // nothing, or odd in number
		}
		for i, c := range pkt[:n] {
			if c&0x3f < 4 {
				t.Fatalf("byte %d is %#x, which is not in use", i, c)
			}
		}
		if _, err := dec.Decode(frame, pkt[:n]); err != nil {
			t.Fatal(err)
		}
		if enc.low != dec.low || enc.high != dec.high {
			t.Fatal("the decoder is not where the encoder is")
		}
	})
}

func bounded(t *testing.T, b *band, limit int) {
	t.Helper()
	values := []int{b.det, b.s, b.sz}
	for _, list := range [][]int{b.a[:], b.b[:], b.r[:], b.p[:], b.d[:]} {
		values = append(values, list...)
	}
	for _, v := range values {
		if v != saturate(v) {
			t.Fatalf("%d in %+v", v, b)
		}
	}
	if b.det <= 0 || b.nb < 0 || b.nb > limit {
		t.Fatalf("step size in %+v", b)
	}
}

// TestSplitLimits: what drives the filter hardest makes a sample of 15 bits in
// either band.
func TestSplitLimits(t *testing.T) {
	for name, band := range map[string]int{"low": 1, "high": -1} {
		for peak, want := range map[int]int{math.MaxInt16: 1<<14 - 1, math.MinInt16: -1 << 14} {
			var q qmf
			var low, high int
			for i, c := range taps {
				// The value in each place has the sign of its coefficient.
				x0, x1 := peak*band, peak
				if c < 0 {
					x0 = -x0
				}
				if taps[11-i] < 0 {
					x1 = -x1
				}
				low, high = q.split(saturate(x0), saturate(x1))
			}
			if got := map[int]int{1: low, -1: high}[band]; got != want {
				t.Errorf("%s: %d, want %d", name, got, want)
			}
		}
	}
}
