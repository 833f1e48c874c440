package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	frame = 20 * time.Millisecond
	ms    = time.Millisecond
)

// trace says when each packet of a stream that is sent every frame arrives.
type trace struct {
	name     string
	seed     uint64
	packets  int
	arrivals []arrival // in their order
}

type arrival struct {
	at     time.Duration // since the first packet was sent
	packet int
}

// shape makes traces of one kind. fate gives the lateness of packet i, and
// whether it is lost.
type shape struct {
	name    string
	counted bool // among those that are asked for
	fate    func(r *rand.Rand) func(i int) (late time.Duration, lost bool)
}

// make makes one. The quickest way through the network takes up to a frame longer
// than none: when the sound card asks, between two packets, is anybody's guess.
func (s shape) make(packets int, seed uint64) trace {
	t := trace{name: s.name, seed: seed, packets: packets}
	r := rand.New(rand.NewPCG(seed, 0))
	way := time.Duration(r.Int64N(int64(frame)))
	fate := s.fate(r)
	for i := range packets {
		if late, lost := fate(i); !lost {
			t.arrivals = append(t.arrivals, arrival{time.Duration(i)*frame + way + late, i})
		}
	}
	t.sort()
	return t
}

func (t trace) sort() {
	slices.SortStableFunc(t.arrivals, func(a, b arrival) int { return int(a.at - b.at) })
}

// about is an exponential time of the given mean.
func about(r *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(r.ExpFloat64() * float64(mean))
}

// shapes are what packets of calls meet: the five that are counted, and others
// that show something besides.
var shapes = []shape{
	// Another station, a scan or a fade holds packets back for up to 120 ms,
	// every second or two, and then all come at once.
	{"WiFi bursts", true, func(r *rand.Rand) func(int) (time.Duration, bool) {
		var until time.Duration
		return func(i int) (time.Duration, bool) {
			now := time.Duration(i) * frame
			if r.IntN(75) == 0 {
				until = max(until, now+30*ms+time.Duration(r.IntN(90))*ms)
			}
			return max(until-now, 0) + about(r, 2*ms), r.IntN(200) == 0
		}
	}},
	// Scheduling in steps, retransmissions of 8 ms, a slow change of the load,
	// and a handover every 20 s.
	{"LTE", true, func(r *rand.Rand) func(int) (time.Duration, bool) {
		var until time.Duration
		load := 0.0
		return func(i int) (time.Duration, bool) {
			now := time.Duration(i) * frame
			load = 0.995*load + 0.8*r.NormFloat64()
			if i%1000 == 700 {
				until = now + 150*ms + time.Duration(r.IntN(150))*ms
			}
			late := time.Duration(r.IntN(10)) * ms
			for r.IntN(10) == 0 {
				late += 8 * ms
			}
			return max(until-now, time.Duration(max(load, -load)*float64(ms))) + late, r.IntN(300) == 0
		}
	}},
	// Five seconds each with 2, 10 and 30 % of the packets lost, in turn.
	{"random loss", true, func(r *rand.Rand) func(int) (time.Duration, bool) {
		shares := [...]float64{0.02, 0.10, 0.30}
		return func(i int) (time.Duration, bool) {
			return about(r, 4*ms), r.Float64() < shares[i/250%len(shares)]
		}
	}},
	// Gilbert and Elliott: bad spells of four packets on average, in which most
	// are lost and the others late.
	{"Gilbert-Elliott", true, func(r *rand.Rand) func(int) (time.Duration, bool) {
		bad := false
		return func(int) (time.Duration, bool) {
			if bad {
				bad = r.IntN(4) != 0
			} else {
				bad = r.IntN(50) == 0
			}
			if !bad {
				return about(r, 3*ms), false
			}
			return about(r, 18*ms), r.IntN(10) < 7
		}
	}},
	{"drift", true, drift(200)},
	{"steady", false, func(r *rand.Rand) func(int) (time.Duration, bool) {
		return func(int) (time.Duration, bool) { return about(r, ms/2), false }
	}},
	{"loss 30 %", false, func(r *rand.Rand) func(int) (time.Duration, bool) {
		return func(int) (time.Duration, bool) { return about(r, 4*ms), r.Float64() < 0.30 }
	}},
	// A queue that fills up for five seconds and empties in one.
	{"congestion", false, func(r *rand.Rand) func(int) (time.Duration, bool) {
		queue := 0.0 // ms
		return func(i int) (time.Duration, bool) {
			if i%400 < 250 {
				queue += 1.6 * r.Float64()
			} else {
				queue -= 3
			}
			queue = min(max(queue, 0), 160)
			return time.Duration(queue*float64(ms)) + about(r, 4*ms), queue >= 159 && r.IntN(3) == 0
		}
	}},
}

// drift is that of a sender whose clock is off by ppm, ahead or behind by the seed:
// its packets come ever earlier or later. They have some 4 ms of jitter, too.
func drift(ppm int) func(*rand.Rand) func(int) (time.Duration, bool) {
	return func(r *rand.Rand) func(int) (time.Duration, bool) {
		step := frame / 1e6 * time.Duration(ppm)
		if r.IntN(2) == 0 {
			step = -step
		}
		return func(i int) (time.Duration, bool) {
			return about(r, 4*ms) + time.Duration(i)*step, false
		}
	}
}

// never is when lost packets arrive.
const never = time.Duration(math.MaxInt64)

// times are when the packets arrive, and one more that never does.
func (t trace) times() []time.Duration {
	at := slices.Repeat([]time.Duration{never}, t.packets+1)
	for _, a := range t.arrivals {
		at[a.packet] = a.at
	}
	return at
}

// lost is how many packets never arrive, of those that shares are of.
func (t trace) lost() int {
	lost := t.packets - int(settled/frame)
	for _, a := range t.arrivals {
		lost -= counted(a.packet)
	}
	return lost
}

// quickest is the least that a packet took, of those sent before the i-th and
// up to two seconds earlier: what its delay is counted from.
func (t trace) quickest() []time.Duration {
	const window = int(2 * time.Second / frame)
	took := t.times()
	for i, at := range took {
		if at != never {
			took[i] = at - time.Duration(i)*frame
		}
	}
	least := make([]time.Duration, t.packets)
	for i := range least {
		if least[i] = slices.Min(took[max(0, i-window) : i+1]); least[i] == never {
			least[i] = slices.Min(took) // nothing has come yet
		}
	}
	return least
}

// way is how long the quickest packets took, on average.
func (t trace) way() (mean time.Duration) {
	for _, least := range t.quickest() {
		mean += least / time.Duration(t.packets)
	}
	return mean
}
