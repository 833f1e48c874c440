package media_test

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"sotto/codecs"
	"sotto/internal/netsim"
	"sotto/media"
	"sotto/media/audio"
	"sotto/media/protect"
	"sotto/media/route"
)

// lane is a Sender, a network and a Receiver.
type lane struct {
	sender   *media.Sender
	link     *netsim.Link
	receiver *media.Receiver
	now      time.Time
	seen     [][]byte // every packet as it left
}

// laneConfig is what a lane carries.
type laneConfig struct {
	pcm    []int16
	codec  string
	coding codecs.Options
	net    netsim.Config
	sink   audio.Sink
	clear  bool // without secure mode, and without keys
}

// newLane sends pcm in one codec to sink.
func newLane(t testing.TB, pcm []int16, name string, net netsim.Config, sink audio.Sink) *lane {
	t.Helper()
	return newLaneOf(t, laneConfig{pcm: pcm, codec: name, net: net, sink: sink})
}

func newLaneOf(t testing.TB, lc laneConfig) *lane {
	t.Helper()
	l := &lane{link: netsim.NewLink(lc.net), now: epoch}
	c := senderConfig(t, audio.NewClip(lc.pcm, false), nil)
	c.Codec, c.Coding, c.Secure = codec(t, lc.codec), lc.coding, !lc.clear
	c.PayloadType = map[string]uint8{"opus": opusType, "PCMU": 0, "PCMA": 8, "G722": 9}[lc.codec]
	c.TelephoneEvent, c.EventClock = eventType, c.Codec.ClockRate
	c.Write = func(b []byte) error {
		l.seen = append(l.seen, bytes.Clone(b))
		l.link.Send(l.now, b)
		return nil
	}
	l.sender = newSender(t, c)
	rc := receiverConfig(t, lc.sink)
	rc.Secure = !lc.clear
	l.receiver = newReceiver(t, rc)
	if lc.clear {
		must(t, l.sender.ReleaseClear())
		must(t, l.receiver.ReleaseClear())
		return l
	}
	must(t, l.sender.Release(verified(t), sealer(t, 1)))
	must(t, l.receiver.Release(verified(t), opener(t, 1)))
	return l
}

// run goes through n ticks; the two ends tick 7 ms apart.
func (l *lane) run(t testing.TB, n int) {
	t.Helper()
	for i := range n {
		l.runTick(t, i)
	}
}

func (l *lane) runTick(t testing.TB, i int) {
	t.Helper()
	for sent := time.Duration(0); sent < media.FrameDuration; sent += l.sender.Interval() {
		l.now = at(i).Add(sent)
		must(t, l.sender.Tick())
	}
	now := at(i).Add(7 * time.Millisecond)
	for {
		due := l.link.Deadline()
		if due.IsZero() || due.After(now) {
			break
		}
		for {
			pkt, ok := l.link.Receive(due)
			if !ok {
				break
			}
			l.receiver.HandleRTP(due, pkt)
		}
	}
	play(t, l.receiver, now)
}

// Speech goes through codec, SRTP, network and jitter buffer and comes out as
// the speech that it was.
func TestSpeech(t *testing.T) {
	caller, err := audio.ReadAll(speechClip(t))
	must(t, err)
	other, err := audio.OpenWAV("audio/speech/callee.wav")
	must(t, err)
	defer other.Close()
	callee, err := audio.ReadAll(other)
	must(t, err)
	const length = 200 * audio.FrameSamples // 4 s are enough
	caller, callee = caller[:length], callee[:length]
	good := netsim.Config{Seed: 1, Delay: 20 * time.Millisecond}
	bad := netsim.Config{Seed: 1, Delay: 40 * time.Millisecond, Jitter: 30 * time.Millisecond, Loss: 0.05, Duplicate: 0.02, Reorder: 0.02}
	for name, c := range map[string]struct {
		codec            string
		net              netsim.Config
		correlation, snr float64
	}{
		"opus":                  {"opus", good, 0.93, 7},
		"G722":                  {"G722", good, 0.98, 20},
		"PCMU":                  {"PCMU", good, 0.98, 20},
		"PCMA":                  {"PCMA", good, 0.98, 20},
		"opus on a bad network": {"opus", bad, 0.85, 4},
	} {
		t.Run(name, func(t *testing.T) {
			sink := &tape{}
			l := newLane(t, caller, c.codec, c.net, sink)
			l.run(t, len(caller)/audio.FrameSamples+25)
			got := audio.Compare(caller, sink.pcm)
			stats := l.receiver.Stats()
			t.Logf("%+v %+v", got, stats)
			if got.Correlation < c.correlation || got.SegSNR < c.snr {
				t.Errorf("heard %+v, want %v and %v dB", got, c.correlation, c.snr)
			}
			if wrong := audio.Compare(callee, sink.pcm); wrong.Correlation > 0.4 {
				t.Errorf("it is as like other speech: %+v", wrong)
			}
			if d := stats.Discarded; d.Auth+d.Clear+d.Malformed+d.UnknownPayload+d.OtherSource != 0 {
				t.Errorf("%+v", stats)
			}
			if c.net == good && (stats.Lost+stats.Late+stats.Concealed+stats.Skipped != 0 || stats.Delay > 60*time.Millisecond) {
				t.Errorf("%+v", stats)
			}
			for i, p := range l.seen {
				if len(p) != len(l.seen[0]) {
					t.Fatalf("packet %d has %d bytes, the first has %d", i, len(p), len(l.seen[0]))
				}
			}
		})
	}
}

// The three parts of a call driven by goroutines of their own while another
// turns every knob: for the race detector, and nothing gets stuck or fails.
func TestConcurrentUse(t *testing.T) {
	const ticks = 300
	a, b := make(chan []byte, ticks), make(chan []byte, 3*ticks)
	v := verified(t)
	c := senderConfig(t, tone(), nil)
	c.Write = func(p []byte) error { a <- bytes.Clone(p); return nil }
	s := newSender(t, c)
	r := newReceiver(t, receiverConfig(t, &tape{}))
	reports, err := media.NewReports(media.ReportsConfig{
		Sender: s, Receiver: r, CNAME: "x", Secure: true,
		Write: func(p []byte) error { b <- bytes.Clone(p); return nil },
	})
	must(t, err)
	type pair struct {
		s *protect.Sealer
		o *protect.Opener
	}
	var rtpKeys, rtcpKeys []pair
	for i := range byte(20) {
		rtpKeys = append(rtpKeys, pair{sealer(t, i), opener(t, i)})
		rtcpKeys = append(rtcpKeys, pair{sealer(t, 100+i), opener(t, 100+i)})
	}
	check := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	var sending, all sync.WaitGroup
	sending.Go(func() {
		defer close(a)
		for range ticks {
			check(s.Tick())
		}
	})
	sending.Go(func() {
		defer close(b)
		for i := range ticks {
			check(reports.Report(at(i)))
		}
		check(reports.Bye(at(ticks)))
	})
	all.Go(func() {
		i := 0
		for p := range a {
			r.HandleRTP(at(i), p)
			i++
		}
		for p := range b {
			reports.HandleRTCP(at(i), p)
			i++
		}
	})
	all.Go(func() {
		for i := range ticks {
			_, err := r.Play(at(i))
			check(err)
		}
	})
	all.Go(func() {
		for i := range rtpKeys {
			check(s.Release(v, rtpKeys[i].s))
			check(r.Release(v, rtpKeys[i].o))
			check(reports.Release(v, rtcpKeys[i].s, rtcpKeys[i].o))
			s.Mute(i%2 == 0)
			s.Hold(i%3 == 0)
			_ = r.Authenticated()
			_ = reports.Stats()
			if err := r.Release(route.Verified{}, rtpKeys[i].o); err == nil {
				t.Error("released without a route")
			}
			if i%5 == 4 {
				s.Revoke()
				r.Revoke()
				reports.Revoke()
			}
		}
	})
	sending.Wait()
	all.Wait()
}

// With three packets in ten lost at random, what is heard is still the speech that
// was said, and it does not click: no step is much steeper than those of the
// speech itself.
func TestSpeechThroughHeavyLoss(t *testing.T) {
	caller, err := audio.ReadAll(speechClip(t))
	must(t, err)
	other, err := audio.OpenWAV("audio/speech/callee.wav")
	must(t, err)
	defer other.Close()
	callee, err := audio.ReadAll(other)
	must(t, err)
	const length = 390 * audio.FrameSamples
	caller, callee = caller[:length], callee[:length]
	for seed := range uint64(2) {
		sink := &tape{}
		l := newLane(t, caller, "opus", netsim.Config{Seed: seed, Delay: 40 * time.Millisecond, Loss: 0.3}, sink)
		l.run(t, length/audio.FrameSamples+25)
		got, wrong, stats := audio.Compare(caller, sink.pcm), audio.Compare(callee, sink.pcm), l.receiver.Stats()
		if got.Correlation < 0.8 || wrong.Correlation > 0.3 {
			t.Errorf("heard %+v, against %+v of other speech", got, wrong)
		}
		if stats.Recovered < 40 || stats.Lost < 90 {
			t.Errorf("%+v", stats)
		}
		if said, heard := steepest(caller), steepest(sink.pcm); heard > said*5/4 {
			t.Errorf("a step of %d, of %d that were said", heard, said)
		}
	}
}
