package media_test

import (
	"testing"

	"sotto/media"
)

// Neither half allocates anything for a frame.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	for _, name := range []string{"opus", "G722", "PCMU"} {
		var last []byte
		buf := make([]byte, 1500)
		c := senderConfig(t, tone(), nil)
		c.Codec = codec(t, name)
		c.PayloadType = map[string]uint8{"opus": opusType, "G722": 9, "PCMU": 0}[name]
		c.Write = func(b []byte) error { last = buf[:copy(buf, b)]; return nil }
		s := newSender(t, c)
		must(t, s.Release(verified(t), sealer(t, 1)))
		r := newReceiver(t, receiverConfig(t, discard{}))
		must(t, r.Release(verified(t), opener(t, 1)))
		i := 0
		for ; i < 10; i++ { // the first packet of a source makes its record
			must(t, s.Tick())
			r.HandleRTP(at(i), last)
			play(t, r, at(i))
		}
		if got := testing.AllocsPerRun(200, func() { i++; must(t, s.Tick()) }); got != 0 {
			t.Errorf("%s: Tick allocates %v times", name, got)
		}
		if got := testing.AllocsPerRun(200, func() {
			i++
			must(t, s.Tick())
			r.HandleRTP(at(i), last)
			play(t, r, at(i))
		}); got != 0 {
			t.Errorf("%s: HandleRTP and Play allocate %v times", name, got)
		}
		// Loss, which is concealed and recovered, costs no more.
		if got := testing.AllocsPerRun(200, func() {
			i++
			must(t, s.Tick())
			if i%5 != 0 {
				r.HandleRTP(at(i), last)
			}
			play(t, r, at(i))
		}); got != 0 {
			t.Errorf("%s: concealment allocates %v times", name, got)
		}
		if got := r.Stats(); got.PacketsReceived < 350 || got.Lost == 0 || got.Discarded != (media.Discarded{}) {
			t.Errorf("%s: not what was meant: %+v", name, got)
		}
	}
}

type discard struct{}

func (discard) WriteFrame([]int16) error { return nil }
