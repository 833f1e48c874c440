package g711

import (
	"bytes"
	"errors"
	"math"
	"testing"
)

// segments are the decision values of ITU-T G.711 as the recommendation
// tables them: each row is the end of a segment and the size of its steps,
// for positive values (µ-law in 14 bits, A-law in 13 bits).
var (
	muSegments = [][2]int{{31, 2}, {95, 4}, {223, 8}, {479, 16}, {991, 32}, {2015, 64}, {4063, 128}, {8159, 256}}
	aSegments  = [][2]int{{64, 2}, {128, 4}, {256, 8}, {512, 16}, {1024, 32}, {2048, 64}, {4096, 128}}
)

// reference encodes a magnitude by walking the recommendation's decision
// values, and returns the number of the step and the value it decodes to.
func referenceMu(v int) (step, out int) {
	if v < 1 {
		return 0, 0 // the first interval is half as wide
	}
	from, n := 1, 1
	for k, seg := range muSegments {
		size := seg[1]
		for ; from < seg[0]; from += size {
			if v < from+size {
				return n, from + size/2
			}
			n++
		}
		if k == len(muSegments)-1 {
			break
		}
	}
	return 127, 8031 // beyond the virtual last decision value
}

func referenceA(v int) (step, out int) {
	from, n := 0, 0
	for _, seg := range aSegments {
		size := seg[1]
		for ; from < seg[0]; from += size {
			if v < from+size {
				return n, from + size/2
			}
			n++
		}
	}
	panic("A-law magnitude beyond 4096")
}

func TestMuLawByTheTables(t *testing.T) {
	enc, dec := NewEncoder(MuLaw), NewDecoder(MuLaw)
	for s := math.MinInt16; s <= math.MaxInt16; s++ {
		// 14 bits; the negative half mirrors the positive, with -1 at 0.
		v, sign := s>>2, byte(0x80)
		if v < 0 {
			v, sign = ^v, 0
		}
		step, out := referenceMu(v)
		want := sign | byte(127-step)
		var b [1]byte
		var pcm [1]int16
		if _, err := enc.Encode(b[:], []int16{int16(s)}); err != nil || b[0] != want {
			t.Fatalf("%d is %#x, want %#x (%v)", s, b[0], want, err)
		}
		if sign == 0 {
			out = -out
		}
		if _, err := dec.Decode(pcm[:], b[:]); err != nil || int(pcm[0]) != out*4 {
			t.Fatalf("%#x is %d, want %d (%v)", b[0], pcm[0], out*4, err)
		}
	}
}

func TestALawByTheTables(t *testing.T) {
	enc, dec := NewEncoder(ALaw), NewDecoder(ALaw)
	for s := math.MinInt16; s <= math.MaxInt16; s++ {
		v, sign := s>>3, byte(0x80)
		if v < 0 {
			v, sign = ^v, 0
		}
		step, out := referenceA(v)
		want := (sign | byte(step)) ^ 0x55
		var b [1]byte
		var pcm [1]int16
		if _, err := enc.Encode(b[:], []int16{int16(s)}); err != nil || b[0] != want {
			t.Fatalf("%d is %#x, want %#x (%v)", s, b[0], want, err)
		}
		if sign == 0 {
			out = -out
		}
		if _, err := dec.Decode(pcm[:], b[:]); err != nil || int(pcm[0]) != out*8 {
			t.Fatalf("%#x is %d, want %d (%v)", b[0], pcm[0], out*8, err)
		}
	}
}

// TestRecoding: what was decoded encodes to the same byte. Only µ-law has two
// zeros, of which one remains.
func TestRecoding(t *testing.T) {
	for _, law := range []Law{MuLaw, ALaw} {
		enc, dec := NewEncoder(law), NewDecoder(law)
		var all, again [256]byte
		var pcm [256]int16
		for i := range all {
			all[i] = byte(i)
		}
		if _, err := dec.Decode(pcm[:], all[:]); err != nil {
			t.Fatal(err)
		}
		if _, err := enc.Encode(again[:], pcm[:]); err != nil {
			t.Fatal(err)
		}
		if law == MuLaw {
			all[0x7f] = 0xff
		}
		if !bytes.Equal(all[:], again[:]) {
			t.Errorf("law %d: decoded values do not encode to themselves", law)
		}
	}
}

// TestDigitalMilliwatt: the sequences of ITU-T G.711 tables 5 and 6 are a tone
// of 1 kHz at 0 dBm0, which is 3.17 dB below a full-scale sine in µ-law and
// 3.14 in A-law.
func TestDigitalMilliwatt(t *testing.T) {
	for law, test := range map[Law]struct {
		codes []byte
		below float64
	}{
		MuLaw: {[]byte{0x1e, 0x0b, 0x0b, 0x1e, 0x9e, 0x8b, 0x8b, 0x9e}, 3.17},
		ALaw:  {[]byte{0x34, 0x21, 0x21, 0x34, 0xb4, 0xa1, 0xa1, 0xb4}, 3.14},
	} {
		var pcm [8]int16
		if _, err := NewDecoder(law).Decode(pcm[:], test.codes); err != nil {
			t.Fatal(err)
		}
		var energy float64
		for _, v := range pcm {
			energy += float64(v) * float64(v)
		}
		full := map[Law]float64{MuLaw: 8159 * 4, ALaw: 4096 * 8}[law]
		if level := 10 * math.Log10(full*full/2/(energy/8)); math.Abs(level-test.below) > 0.02 {
			t.Errorf("law %d: %.3f dB below full scale, want %v", law, level, test.below)
		}
	}
}

func tone(n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*float64(i)/40)) // 200 Hz
	}
	return pcm
}

// conceal decodes frames of a tone of which the ones numbered from first on
// are missing.
func conceal(t *testing.T, frames, first, missing int) (got, want []int16) {
	t.Helper()
	enc, dec := NewEncoder(ALaw), NewDecoder(ALaw)
	want = tone(frames * 160)
	got = make([]int16, len(want))
	var pkt [160]byte
	for i := range frames {
		pcm := got[i*160:][:160]
		n, err := enc.Encode(pkt[:], want[i*160:][:160])
		if err == nil && i >= first && i < first+missing {
			_, err = dec.Conceal(pcm)
		} else if err == nil {
			_, err = dec.Decode(pcm, pkt[:n])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return got, want
}

func energy(pcm []int16) (e float64) {
	for _, v := range pcm {
		e += float64(v) * float64(v)
	}
	return e
}

func TestConcealContinuesTheVoice(t *testing.T) {
	got, want := conceal(t, 10, 5, 1)
	// The first 10 ms go on as if nothing had happened.
	diff := make([]int16, 80)
	for i := range diff {
		diff[i] = got[800+i] - want[800+i]
	}
	if ratio := energy(diff) / energy(want[800:880]); ratio > 0.01 {
		t.Errorf("the concealed tone is %.1f dB off", 10*math.Log10(ratio))
	}
	// Nowhere is a step greater than the tone's own.
	for i := 1; i < len(got); i++ {
		if step := int(got[i]) - int(got[i-1]); step > 2000 || step < -2000 {
			t.Errorf("step of %d at sample %d", step, i)
		}
	}
	// The last frame is not touched any more.
	for i := 7 * 160; i < len(got); i++ {
		if d := int(got[i]) - int(want[i]); d > 200 || d < -200 {
			t.Fatalf("sample %d after the gap is %d off", i, d)
		}
	}
}

func TestConcealFadesAway(t *testing.T) {
	got, _ := conceal(t, 20, 5, 10)
	last := math.Inf(1)
	for i := 5; i < 8; i++ {
		e := energy(got[i*160:][:160])
		if e >= last || e == 0 {
			t.Errorf("frame %d of the gap has energy %v after %v", i-5, e, last)
		}
		last = e
	}
	if e := energy(got[8*160 : 15*160]); e != 0 {
		t.Errorf("60 ms into the gap the energy is %v", e)
	}
	if energy(got[16*160:]) == 0 {
		t.Error("silence after the gap")
	}
}

func TestConcealBeforeAnything(t *testing.T) {
	dec := NewDecoder(MuLaw)
	pcm := tone(960)
	for range 3 {
		if n, err := dec.DecodeFEC(pcm, []byte{1}); n != len(pcm) || err != nil || energy(pcm) != 0 {
			t.Errorf("%d samples, %v, energy %v", n, err, energy(pcm))
		}
	}
}

func TestBounds(t *testing.T) {
	enc, dec := NewEncoder(MuLaw), NewDecoder(MuLaw)
	b, pcm := make([]byte, 2000), make([]int16, 2000)
	for name, test := range map[string]struct {
		f    func() (int, error)
		want error
	}{
		"encode nothing":       {func() (int, error) { return enc.Encode(b, nil) }, ErrLength},
		"encode, short buffer": {func() (int, error) { return enc.Encode(b[:159:200], pcm[:160]) }, ErrBuffer},
		"decode nothing":       {func() (int, error) { return dec.Decode(pcm, nil) }, ErrLength},
		"decode too much":      {func() (int, error) { return dec.Decode(pcm, b[:MaxSamples+1]) }, ErrLength},
		"decode, short buffer": {func() (int, error) { return dec.Decode(pcm[:159:200], b[:160]) }, ErrBuffer},
		"the longest":          {func() (int, error) { return dec.Decode(pcm, b[:MaxSamples]) }, nil},
		"the shortest":         {func() (int, error) { return dec.Decode(pcm, b[:1]) }, nil},
	} {
		if n, err := test.f(); !errors.Is(err, test.want) || (err != nil && n != 0) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}
