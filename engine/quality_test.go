package engine

import (
	"context"
	"encoding/base64"
	"testing"
	"time"

	"sotto/media"
)

// A score that wavers about a border tells of one change, and one that is not
// known of none.
func TestQualityClasses(t *testing.T) {
	var q quality
	told := 0
	for i, step := range []struct {
		mos     float64
		class   QualityClass
		changed bool
	}{
		{0, 0, false},
		{4.05, QualityHigh, true}, // the first needs no margin
		{4.0, QualityHigh, false},
		{3.94, QualityHigh, false},
		{3.92, QualityMedium, true},
		{4.04, QualityMedium, false},
		{4.12, QualityMedium, false},
		{4.14, QualityHigh, true},
		{1, QualityPoor, true},
		{0, QualityPoor, false},
		{3.15, QualityPoor, false},
		{3.21, QualityLow, true},
		{4.4, QualityHigh, true},
		{3.3, QualityLow, true},
	} {
		if changed := q.rate(step.mos); changed != step.changed || q.class != step.class {
			t.Errorf("step %d, MOS %v: %v, changed %v", i, step.mos, q.class, changed)
		} else if changed {
			told++
		}
	}
	if told != 7 {
		t.Errorf("told %d times", told)
	}
	for i := range 1000 {
		if q.rate(3.1 + 0.09*float64(i%3-1)) {
			t.Fatal("a waver was told")
		}
	}
}

// Both directions are told apart, each when it changes.
func TestQualityEvents(t *testing.T) {
	l := waiting(t, Config{})
	rating := func(mos float64) media.Quality { return media.Quality{R: 20 * mos, MOSLQ: mos, MOSCQ: mos} }
	stats := func(heard, byPeer float64) (s media.Stats) {
		s.Quality, s.PeerVoIP.Quality = rating(heard), rating(byPeer)
		return s
	}
	for _, s := range []media.Stats{{}, stats(4.2, 0), stats(4.15, 0), stats(4.2, 3.3), stats(2, 3.3)} {
		l.tellQuality(s)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for _, want := range []Quality{
		{Class: QualityHigh, Rating: rating(4.2)},
		{Remote: true, Class: QualityLow, Rating: rating(3.3)},
		{Class: QualityPoor, Rating: rating(2)},
	} {
		if got, err := l.call.Next(ctx); err != nil || got != want {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if got, err := l.call.Next(short); err == nil {
		t.Errorf("also %+v", got)
	}
}

// Two calls have two names in RTCP, of 96 bits.
func TestCNAME(t *testing.T) {
	a, b := cname(), cname()
	raw, err := base64.StdEncoding.DecodeString(a)
	if err != nil || len(raw) != 12 || len(a) != 16 || a == b {
		t.Errorf("%q and %q: %v", a, b, err)
	}
}
