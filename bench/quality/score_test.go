package main

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"sotto/media/audio/speech"
)

// The distance is none to the same speech however late it is, little where a
// few hops are repeated or left out, and much to other speech and to silence.
func TestDistance(t *testing.T) {
	const frames = 250
	said, err := clip(speech.Caller(), frames)
	if err != nil {
		t.Fatal(err)
	}
	other, err := clip(speech.Callee(), frames)
	if err != nil {
		t.Fatal(err)
	}
	late := append(make([]int16, 48*100), said...)
	changed := append(slices.Clone(said[:100_800]), said[100_320:]...) // 10 ms twice
	changed = append(changed[:150_000:150_000], changed[150_480:]...)
	ref := newFeatures(said)
	for name, c := range map[string]struct {
		pcm         []int16
		least, most float64
	}{
		"the same":      {said, 0, 0},
		"late":          {late, 0, 0.01},
		"changed":       {changed, 0, 0.3},
		"other":         {other, 4, 20},
		"silence":       {make([]int16, len(said)), 10, 50},
		"other, and on": {append(slices.Clone(other), make([]int16, 48*2000)...), 4, 20},
		"half silent":   {append(slices.Clone(said[:len(said)/2]), make([]int16, len(said)/2)...), 4, 30},
	} {
		if got, _ := distance(ref, newFeatures(c.pcm)); got < c.least || got > c.most {
			t.Errorf("%s: %.2f dB, want %v to %v", name, got, c.least, c.most)
		}
	}
}

// On every trace, ours conceals no more than a fixed buffer of the same delay
// by more than a per cent and a half, and sounds like the speech that was said.
func TestShapes(t *testing.T) {
	talk, err := newTalk(750)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range shapes {
		rows, err := talk.compare(s.make(750, 3), nil)
		if err != nil {
			t.Fatal(err)
		}
		mine, same := rows[0], rows[1]
		t.Logf("%+v", mine)
		if mine.Concealed > same.Concealed+1.5 || mine.Distance > talk.control*recognised || mine.Step > click || mine.MeanMS <= 0 {
			t.Errorf("%s: ours %+v, fixed %+v", s.name, mine, same)
		}
	}
	if once := shapes[1].make(750, 3); !equal(once, shapes[1].make(750, 3)) || equal(once, shapes[1].make(750, 4)) {
		t.Error("a seed is not a trace")
	}
	if err := (options{seconds: 1, seeds: 1}).run(); err == nil {
		t.Error("a trace of a second")
	}
}

// What is lost in the first second is not counted.
func TestLost(t *testing.T) {
	tr := trace{packets: 60}
	for i := range tr.packets {
		if i != 10 && i != 55 {
			tr.arrivals = append(tr.arrivals, arrival{time.Duration(i) * frame, i})
		}
	}
	if got := tr.lost(); got != 1 {
		t.Errorf("%d", got)
	}
}

func equal(a, b trace) bool { return slices.Equal(a.arrivals, b.arrivals) }

// What is coded is what is said.
func TestRTP(t *testing.T) {
	talk, err := newTalk(3)
	if err != nil {
		t.Fatal(err)
	}
	var b [1500]byte
	if n := talk.rtp(b[:], 2); n != 12+len(talk.packets[2]) || !bytes.Equal(b[12:n], talk.packets[2]) || b[3] != 2 {
		t.Errorf("% x", b[:n])
	}
}
