package media_test

import (
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"sotto/media"
)

// A stream goes on for a day, or for some minutes, from a clock that is off by
// 200 ppm through a network that loses a packet in fifty and delays each by up to
// 30 ms. Sequence numbers, their roll-over counter and timestamps wrap on the
// way. The delay stays bounded, and nothing is lost but what the network lost.
func TestDay(t *testing.T) {
	length := 2 * time.Minute
	if os.Getenv("SOTTO_LONG") != "" {
		length = 24 * time.Hour
	}
	for name, ppm := range map[string]time.Duration{"fast": -200, "slow": 200} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDay(t, ppm)
			packets := int(length / media.FrameDuration)
			var longest time.Duration
			for now := at(0); d.sent < packets; {
				d.until(now)
				made, err := d.receiver.Play(now)
				must(t, err)
				if now = now.Add(made); now.After(at(1000)) {
					longest = max(longest, d.receiver.Stats().Delay)
				}
			}
			got := d.receiver.Stats()
			if d.wraps[0] == 0 || d.wraps[1] == 0 {
				t.Errorf("wraps: %v", d.wraps)
			}
			if longest > 130*time.Millisecond {
				t.Errorf("a delay of %v", longest)
			}
			// The last packets may not have had their turn yet.
			if got.Lost > d.lost || got.Lost+5 < d.lost || got.Late+got.Duplicate+got.Undecodable != 0 || got.Discarded != (media.Discarded{}) {
				t.Errorf("the network lost %d of %d: %+v", d.lost, d.sent, got)
			}
			// All are made up, but for some behind others at a time when the delay was too
			// long: their time makes it shorter. Few are made up that come all the same:
			// their time makes it longer.
			made := got.Concealed + got.Recovered
			if got.Skipped > 10 || made+got.Skipped < got.Lost || made > got.Lost+uint64(packets)/100_000+3 {
				t.Errorf("of those %d were made up", made)
			}
			behind := time.Duration(made+got.Skipped-got.Lost) * media.FrameDuration
			drift := ppm * time.Duration(packets) * media.FrameDuration / 1e6
			if change := got.Expanded - got.Accelerated + behind; change < drift-200*time.Millisecond || change > drift+200*time.Millisecond {
				t.Errorf("expanded by %v, accelerated by %v, made up %v, for a drift of %v", got.Expanded, got.Accelerated, behind, drift)
			}
			t.Logf("%d packets, %d lost, made up %v more, delay up to %v, %v", d.sent, d.lost, behind, longest, d.wraps)
		})
	}
}

// day is a peer with a clock of its own, the network behind it, and a Receiver.
type day struct {
	t        *testing.T
	far      *far
	receiver *media.Receiver
	random   *rand.Rand
	period   time.Duration // of the peer's packets
	payloads [][]byte      // a tone, again and again
	onWay    []flying
	sent     int
	lost     uint64
	wraps    [2]int // of sequence numbers and of timestamps
}

type flying struct {
	at  time.Time
	pkt []byte
}

func newDay(t *testing.T, ppm time.Duration) *day {
	d := &day{
		t: t, far: newFar(t, sealer(t, 1)), receiver: newReceiver(t, receiverConfig(t, discard{})),
		random: rand.New(rand.NewPCG(1, 200)), period: media.FrameDuration + media.FrameDuration*ppm/1e6,
	}
	must(t, d.receiver.Release(verified(t), opener(t, 1)))
	// Both wrap soon. The first packets arrive, so the roll-over is counted right
	// although the stream begins in the upper half (RFC 3711 §3.3.1).
	d.far.seq, d.far.ts = 65536-3000, 1<<32-960*4000
	for range 60 {
		d.payloads = append(d.payloads, d.far.coder.payload(960))
	}
	return d
}

// until hands over what has arrived by now.
func (d *day) until(now time.Time) {
	for {
		sent := epoch.Add(time.Duration(d.sent) * d.period)
		if sent.After(now) {
			break
		}
		d.send(sent)
	}
	for len(d.onWay) > 0 && !d.onWay[0].at.After(now) {
		d.receiver.HandleRTP(d.onWay[0].at, d.onWay[0].pkt)
		d.onWay = d.onWay[1:]
	}
}

func (d *day) send(at time.Time) {
	f := d.far
	before := [2]uint32{uint32(f.seq), f.ts}
	pkt := f.packet(opusType, d.payloads[d.sent%len(d.payloads)])
	d.sent++
	if uint32(f.seq) < before[0] {
		d.wraps[0]++
	}
	if f.ts < before[1] {
		d.wraps[1]++
	}
	if d.sent > 10 && d.random.IntN(50) == 0 {
		d.lost++
		return
	}
	late := time.Duration(d.random.Int64N(int64(30 * time.Millisecond)))
	i, _ := slices.BinarySearchFunc(d.onWay, at.Add(late), func(a flying, t time.Time) int { return a.at.Compare(t) })
	d.onWay = slices.Insert(d.onWay, i, flying{at.Add(late), pkt})
}
