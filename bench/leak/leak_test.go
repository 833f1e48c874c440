package main

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"sotto/media/audio"
	"sotto/media/audio/speech"
)

// clips are the two that come with the engine.
func clips(t *testing.T) (all []utterance) {
	t.Helper()
	for i, clip := range [][]byte{speech.Caller(), speech.Callee()} {
		wav, err := audio.NewWAVSource(bytes.NewReader(clip))
		if err != nil {
			t.Fatal(err)
		}
		pcm, err := audio.ReadAll(wav)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, utterance{language: i, sentence: 0, pcm: pcm})
	}
	return all
}

// In secure mode every packet of speech, pauses, mute and digits has one size,
// which tells nothing; the controls tell much.
func TestSizesTellNothing(t *testing.T) {
	utterances := clips(t)
	for _, m := range modes {
		s, err := m.measure(utterances)
		if err != nil {
			t.Fatal(err)
		}
		if m.leaks {
			if s.Distinct < 10 || s.Bits < s.Shuffled+0.2 {
				t.Errorf("the control gives nothing away: %+v", s)
			}
			continue
		}
		if s.Distinct != 1 || s.Bits != 0 || s.Packets < 700 {
			t.Errorf("%+v", s)
		}
	}
}

func TestInformation(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	var x, y, z, one []int
	for range 20_000 {
		v := r.IntN(8)
		x, y, z, one = append(x, v), append(y, v/2), append(z, r.IntN(8)), append(one, 7)
	}
	for _, test := range []struct {
		x, y []int
		want float64
	}{{x, x, 3}, {x, y, 2}, {x, z, 0}, {one, x, 0}, {one, one, 0}} {
		if got := information(test.x, test.y); math.Abs(got-test.want) > 0.01 || got < 0 {
			t.Errorf("%v bits, want %v", got, test.want)
		}
	}
	if got := information(one, x); got != 0 {
		t.Errorf("what never changes tells %v bits", got)
	}
	// The control is above what independent sequences show, and below what
	// dependent ones do.
	if c := control(x, z, turned); c < information(x, z) || c > 0.01 {
		t.Errorf("control %v, independent %v", c, information(x, z))
	}
	if c := control(x, x, turned); c > 0.01 {
		t.Errorf("control of a sequence with itself: %v", c)
	}
}

func TestQuantiles(t *testing.T) {
	var values []float64
	for i := range 800 {
		values = append(values, float64(i*7%800))
	}
	count := map[int]int{}
	for i, bin := range quantiles(values) {
		count[bin]++
		if want := int(values[i]) / 100; bin != want {
			t.Fatalf("%v in bin %d, want %d", values[i], bin, want)
		}
	}
	if len(count) != levels {
		t.Errorf("%v", count)
	}
	for _, bin := range quantiles([]float64{5, 5, 5, 5}) {
		if bin != levels-1 {
			t.Errorf("equal values in bin %d", bin)
		}
	}
}

// A language whose lengths follow each other in its own way is told; one length
// tells none.
func TestGuess(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 0))
	var different, same []seen
	for l := range languages {
		for sentence := range 10 {
			u := utterance{language: l, sentence: sentence}
			d, s := seen{utterance: u}, seen{utterance: u}
			size := 50
			for range 100 + r.IntN(100) {
				size = 50 + (size+l+r.IntN(3))%40
				d.sizes, s.sizes = append(d.sizes, size), append(s.sizes, 102)
			}
			different, same = append(different, d), append(same, s)
		}
	}
	if right := guess(different); right < 45 {
		t.Errorf("%d of 60 told", right)
	}
	if right := guess(same); right != 10 {
		t.Errorf("%d of 60 told by one length: chance is 10", right)
	}
}

func TestWilson(t *testing.T) {
	for _, test := range []struct {
		right, n  int
		low, high float64
	}{{40, 240, 0.125, 0.219}, {0, 10, 0, 0.278}, {10, 10, 0.722, 1}} {
		low, high := wilson(test.right, test.n)
		if math.Abs(low-test.low) > 0.001 || math.Abs(high-test.high) > 0.001 {
			t.Errorf("%d of %d: %.3f to %.3f", test.right, test.n, low, high)
		}
	}
}

// Every bar fails when it is not reached.
func TestVerdict(t *testing.T) {
	good := func() results {
		return results{
			Sizes: []sizes{
				{Mode: "secure mode", Distinct: 1, Low: 0.12, High: 0.22, Chance: 0.167},
				{Mode: "VBR", Leaks: true, Distinct: 100, Bits: 0.5, Shuffled: 0.01, Low: 0.3, High: 0.4, Chance: 0.167},
			},
			Intervals: []interval{{What: "secure mode", Bits: 0.01, Shuffled: 0.02}, {What: "DTX", Leaks: true, Bits: 0.2, Shuffled: 0.02}},
		}
	}
	if err := good().verdict(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*results){
		"sizes":               func(r *results) { r.Sizes[0].Distinct = 2 },
		"bits of energy":      func(r *results) { r.Sizes[0].Bits = 0.001 },
		"not chance":          func(r *results) { r.Sizes[0].Low = 0.17 },
		"VBR gives nothing":   func(r *results) { r.Sizes[1].Bits = 0.005 },
		"VBR gives nothing ":  func(r *results) { r.Sizes[1].Low = 0.16 },
		"intervals tell 0.03": func(r *results) { r.Intervals[0].Bits = 0.03 },
		"DTX tell nothing":    func(r *results) { r.Intervals[1].Bits = 0.01 },
	} {
		r := good()
		spoil(&r)
		if err := r.verdict(); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The page is what the tool makes of the results, and they are good.
func TestPage(t *testing.T) {
	text, err := os.ReadFile("results.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := page(text)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("README.md is not of results.json: run `go run ./bench/leak -report`")
	}
	if !bytes.Contains(got, []byte("Nothing failed.")) {
		t.Error("the results are not good")
	}
}

// All languages have as much to say.
func TestSentences(t *testing.T) {
	for _, l := range languages {
		if len(l.sentences) != len(languages[0].sentences) {
			t.Errorf("%s has %d sentences", l.name, len(l.sentences))
		}
	}
	if len(languages) != 6 {
		t.Errorf("%d languages", len(languages))
	}
}
