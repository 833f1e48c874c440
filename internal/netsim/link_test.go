package netsim_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"testing"
	"time"

	"sotto/internal/netsim"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// arrival is one datagram that came out of a link.
type arrival struct {
	n     uint32        // its number, from its first four bytes
	b     []byte        // all of it
	at    time.Duration // since epoch
	flips int           // bits that differ from what was sent
}

const size = 40

// datagram is number n, sent after n milliseconds.
func datagram(n uint32) []byte {
	b := bytes.Repeat([]byte{0xa5}, size)
	binary.BigEndian.PutUint32(b, n)
	// A second copy tells the number of a datagram with one bit flipped.
	binary.BigEndian.PutUint32(b[4:], n)
	binary.BigEndian.PutUint32(b[8:], n)
	return b
}

// number reads the number by majority, so that one flipped bit is no matter.
func number(b []byte) uint32 {
	x, y, z := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	return x&y | y&z | x&z
}

// run sends count datagrams, one a millisecond, and drains the link by its
// own deadlines, as two endpoints in virtual time would.
func run(t *testing.T, cfg netsim.Config, count uint32) []arrival {
	t.Helper()
	var got []arrival
	link := netsim.NewLink(cfg)
	drain := func(until time.Time) {
		for due := link.Deadline(); !due.IsZero() && !due.After(until); due = link.Deadline() {
			if _, early := link.Receive(due.Add(-1)); early {
				t.Fatal("arrived before its deadline")
			}
			b, ok := link.Receive(due)
			if !ok {
				t.Fatal("nothing arrived at the deadline")
			}
			a := arrival{n: number(b), b: b, at: due.Sub(epoch)}
			for i, want := range datagram(a.n) {
				a.flips += bits.OnesCount8(b[i] ^ want)
			}
			got = append(got, a)
		}
	}
	for n := range count {
		now := epoch.Add(time.Duration(n) * time.Millisecond)
		drain(now)
		b := datagram(n)
		link.Send(now, b)
		clear(b) // the link must have its own copy
	}
	drain(epoch.Add(time.Hour))
	if !link.Deadline().IsZero() {
		t.Fatal("a deadline with nothing in flight")
	}
	return got
}

func TestLinkPerfect(t *testing.T) {
	got := run(t, netsim.Config{Delay: 30 * time.Millisecond}, 100)
	if len(got) != 100 {
		t.Fatalf("%d of 100 arrived", len(got))
	}
	for i, a := range got {
		want := time.Duration(i+30) * time.Millisecond
		if a.n != uint32(i) || a.at != want || a.flips != 0 {
			t.Fatalf("datagram %d: got number %d at %v with %d flips", i, a.n, a.at, a.flips)
		}
	}
}

func TestLinkWithoutDelay(t *testing.T) {
	link := netsim.NewLink(netsim.Config{})
	link.Send(epoch, []byte("a"))
	link.Send(epoch, []byte("b"))
	for _, want := range []string{"a", "b"} {
		if b, ok := link.Receive(epoch); !ok || string(b) != want {
			t.Fatalf("got %q, want %q", b, want)
		}
	}
	if _, ok := link.Receive(epoch); ok {
		t.Fatal("a third datagram")
	}
}

func TestLinkJitterKeepsOrder(t *testing.T) {
	got := run(t, netsim.Config{Seed: 7, Delay: 30 * time.Millisecond, Jitter: 20 * time.Millisecond}, 1000)
	if len(got) != 1000 {
		t.Fatalf("%d of 1000 arrived", len(got))
	}
	var late int
	for i, a := range got {
		travel := a.at - time.Duration(i)*time.Millisecond
		if a.n != uint32(i) || travel < 30*time.Millisecond || travel > 50*time.Millisecond {
			t.Fatalf("datagram %d: number %d after %v", i, a.n, travel)
		}
		if travel > 40*time.Millisecond {
			late++
		}
	}
	if late < 300 {
		t.Errorf("only %d of 1000 felt the jitter", late)
	}
}

// TestLinkRates checks each impairment alone, within five standard deviations.
func TestLinkRates(t *testing.T) {
	const count, rate = 10000, 0.3
	near := func(what string, got int) {
		t.Helper()
		if dev := 5 * math.Sqrt(count*rate*(1-rate)); math.Abs(float64(got)-count*rate) > dev {
			t.Errorf("%s: %d of %d, want about %v", what, got, count, count*rate)
		}
	}
	got := run(t, netsim.Config{Seed: 1, Loss: rate}, count)
	near("lost", count-len(got))

	got = run(t, netsim.Config{Seed: 2, Duplicate: rate}, count)
	near("duplicated", len(got)-count)

	got = run(t, netsim.Config{Seed: 3, Flip: rate}, count)
	var flipped int
	for _, a := range got {
		if a.flips > 1 {
			t.Fatalf("%d bits flipped in one datagram", a.flips)
		}
		flipped += a.flips
	}
	near("flipped", flipped)

	got = run(t, netsim.Config{Seed: 4, Reorder: rate}, count)
	var held, overtaken int
	var newest uint32
	for _, a := range got {
		if a.at != time.Duration(a.n)*time.Millisecond {
			held++
		}
		if a.n < newest {
			overtaken++
		}
		newest = max(newest, a.n)
	}
	near("held back", held)
	if len(got) != count || overtaken < held*9/10 {
		t.Errorf("%d arrived; %d of %d held back were overtaken", len(got), overtaken, held)
	}
}

var bad = netsim.Config{
	Seed: 42, Loss: 0.2, Duplicate: 0.2, Reorder: 0.2, Flip: 0.2,
	Delay: 50 * time.Millisecond, Jitter: 30 * time.Millisecond,
}

func TestLinkDeterministic(t *testing.T) {
	same := func(x, y []arrival) bool {
		if len(x) != len(y) {
			return false
		}
		for i := range x {
			if x[i].at != y[i].at || !bytes.Equal(x[i].b, y[i].b) {
				return false
			}
		}
		return true
	}
	first := run(t, bad, 500)
	if !same(first, run(t, bad, 500)) {
		t.Error("one seed, two runs")
	}
	other := bad
	other.Seed++
	if same(first, run(t, other, 500)) {
		t.Error("two seeds, one run")
	}
}

func TestLinkLossLeavesTheRestAlone(t *testing.T) {
	lossless := bad
	lossless.Loss, lossless.Jitter = 0, 0
	lossy := lossless
	lossy.Loss = 0.5
	type fate struct {
		at time.Duration
		b  string
	}
	all := map[fate]bool{}
	for _, a := range run(t, lossless, 500) {
		all[fate{a.at, string(a.b)}] = true
	}
	survivors := run(t, lossy, 500)
	if len(survivors) == 0 {
		t.Fatal("nothing survived")
	}
	for _, a := range survivors {
		if !all[fate{a.at, string(a.b)}] {
			t.Fatalf("datagram %d fared otherwise because others were lost", a.n)
		}
	}
}

func TestLinkEmptyDatagram(t *testing.T) {
	link := netsim.NewLink(netsim.Config{Flip: 1})
	link.Send(epoch, nil)
	if b, ok := link.Receive(epoch); !ok || len(b) != 0 {
		t.Fatalf("got %x, %v", b, ok)
	}
}

func TestLinkConfigChecked(t *testing.T) {
	for name, cfg := range map[string]netsim.Config{
		"loss":      {Loss: 1.5},
		"duplicate": {Duplicate: -0.1},
		"reorder":   {Reorder: math.NaN()},
		"flip":      {Flip: math.Inf(1)},
		"delay":     {Delay: -1},
		"jitter":    {Jitter: -1},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("accepted")
				}
			}()
			netsim.NewLink(cfg)
		})
	}
}
