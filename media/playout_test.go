package media_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"sotto/codecs"
	"sotto/media"
	"sotto/media/audio"
)

// After a stall nothing is missing but the time it took: the delay has grown
// by it, and is brought down by leaving out what is not heard. A tone shows no
// step, and stays a tone.
func TestStallIsCaughtUp(t *testing.T) {
	for name, c := range map[string]struct {
		pt, samples int
		step        uint32
	}{"opus": {opusType, 960, 960}, "G722": {9, 320, 160}, "PCMU": {0, 160, 160}} {
		t.Run(name, func(t *testing.T) {
			sink := &tape{}
			r := newReceiver(t, receiverConfig(t, sink))
			must(t, r.Release(verified(t), opener(t, 1)))
			f := newFar(t, sealer(t, 1))
			f.coder, f.pt, f.samples, f.step = newCoder(t, name, 440), uint8(c.pt), c.samples, c.step
			var stalled [][]byte
			for i := range 600 {
				if pkt := f.next(); i >= 150 && i < 165 {
					stalled = append(stalled, pkt)
				} else {
					for _, old := range stalled {
						r.HandleRTP(at(i), old)
					}
					stalled = nil
					r.HandleRTP(at(i), pkt)
				}
				play(t, r, at(i))
			}
			got := r.Stats()
			if got.Accelerated < 200*time.Millisecond || got.Accelerated > 350*time.Millisecond || got.Expanded > 30*time.Millisecond {
				t.Errorf("accelerated by %v, expanded by %v", got.Accelerated, got.Expanded)
			}
			if got.Delay > got.Target+2*media.FrameDuration || got.Lost+got.Late+got.Skipped != 0 {
				t.Errorf("%+v", got)
			}
			if step := steepest(sink.pcm[170*audio.FrameSamples:]); step > 560 { // the tone itself has 470
				t.Errorf("a step of %d", step)
			}
			wantTone(t, sink.pcm[170*audio.FrameSamples:], 440, 0.95)
		})
	}
}

// Where a stream begins, pauses or changes its codec, the sound does not jump.
func TestNothingJumps(t *testing.T) {
	sink := &tape{}
	r := newReceiver(t, receiverConfig(t, sink))
	must(t, r.Release(verified(t), opener(t, 1)))
	f := newFar(t, sealer(t, 1))
	i, packets := 0, 0
	for _, n := range []int{50, 53, 61, 47} {
		for pt, name := range map[uint8]string{0: "PCMU", 8: "PCMA"} {
			f.coder, f.pt, f.samples, f.step = newCoder(t, name, 103), pt, 160, 160
			f.coder.payload(30 + 7*n%160) // begins anywhere in its period
			run(t, r, f, i, n)
			i, packets = i+n, packets+n
		}
		for range 60 { // a pause
			play(t, r, at(i))
			i++
		}
	}
	if got := r.Stats(); got.PacketsReceived != uint64(packets) || got.Undecodable != 0 {
		t.Errorf("%+v", got)
	}
	// The tone has steps of 110, and a slope over 10 ms adds some 30. Without
	// it there are steps of 500 and more.
	if step := steepest(sink.pcm); step > 200 {
		t.Errorf("a step of %d", step)
	}
}

// steepest is the greatest difference of neighbours.
func steepest(pcm []int16) int {
	most := 0
	for i := 1; i < len(pcm); i++ {
		most = max(most, int(pcm[i])-int(pcm[i-1]), int(pcm[i-1])-int(pcm[i]))
	}
	return most
}

// A frame lost where the codec changes is concealed: the next packet knows
// nothing of it.
func TestLossAtCodecChange(t *testing.T) {
	sink := &tape{}
	r := newReceiver(t, receiverConfig(t, sink))
	must(t, r.Release(verified(t), opener(t, 1)))
	f := newFar(t, sealer(t, 1))
	f.coder, f.pt, f.samples, f.step = newCoder(t, "PCMU", 440), 0, 160, 160
	run(t, r, f, 0, 50)
	f.next()
	play(t, r, at(50))
	f.coder, f.pt = newCoder(t, "PCMA", 440), 8
	run(t, r, f, 51, 50)
	got := r.Stats()
	if got.Lost != 1 || got.Undecodable != 0 || sink.frames() != 101 {
		t.Errorf("%+v, %d frames", got, sink.frames())
	}
	wantTone(t, sink.pcm[60*audio.FrameSamples:], 440, 0.97)
}

// A stream of 60 ms packets with losses plays on in time.
func TestLossOfLongPackets(t *testing.T) {
	sink := &tape{}
	r := newReceiver(t, receiverConfig(t, sink))
	must(t, r.Release(verified(t), opener(t, 1)))
	f := newFar(t, sealer(t, 1))
	f.coder, f.pt, f.samples, f.step = newCoder(t, "PCMU", 440), 0, 480, 480
	lost := 0
	for i := range 300 {
		if i%3 == 0 {
			if pkt := f.next(); i%30 == 27 {
				lost++
			} else {
				r.HandleRTP(at(i), pkt)
			}
		}
		play(t, r, at(i))
	}
	got := r.Stats()
	if got.Lost != uint64(lost) && got.Lost != uint64(lost-1) || got.Late != 0 || sink.frames() != 300 {
		t.Errorf("%+v, %d frames", got, sink.frames())
	}
	if made := got.Concealed + got.Recovered; made < uint64(3*(lost-1)) || made > uint64(3*lost) {
		t.Errorf("%d frames made up for %d packets of three", made, lost)
	}
	wantTone(t, sink.pcm[:], 440, 0.8)
}

// record is a tracer that keeps the order of the stages of each timestamp.
type record struct {
	stages map[uint32][]media.Stage
}

func (r *record) Stamp(s media.Stage, timestamp uint32) {
	r.stages[timestamp] = append(r.stages[timestamp], s)
}

// Each frame is stamped at each stage once, in order.
func TestTrace(t *testing.T) {
	trace := &record{map[uint32][]media.Stage{}}
	w := &wire{}
	sc := senderConfig(t, tone(), w)
	sc.Trace = trace
	s := newSender(t, sc)
	rc := receiverConfig(t, &tape{})
	rc.Trace = trace
	r := newReceiver(t, rc)
	must(t, s.Tick())
	if len(trace.stages) != 0 {
		t.Fatal("stamped before Release")
	}
	must(t, s.Release(verified(t), sealer(t, 1)))
	must(t, r.Release(verified(t), opener(t, 1)))
	for i := range 20 {
		must(t, s.Tick())
		r.HandleRTP(at(i), w.take()[0])
		play(t, r, at(i))
	}
	for i := range 10 {
		got := trace.stages[5000+960*uint32(i+1)]
		if len(got) != int(media.StagePlayed)+1 {
			t.Fatalf("frame %d: %v", i, got)
		}
		for k, stage := range got {
			if stage != media.Stage(k) {
				t.Fatalf("frame %d: %v", i, got)
			}
		}
	}
}

// With a third of all packets lost, concealed and recovered, nothing jumps, and
// the tone is still what is mostly heard.
func TestHeavyLossDoesNotClick(t *testing.T) {
	for name, c := range map[string]struct {
		pt, samples int
		step        uint32
	}{"opus": {opusType, 960, 960}, "G722": {9, 320, 160}, "PCMU": {0, 160, 160}} {
		t.Run(name, func(t *testing.T) {
			sink := &tape{}
			r := newReceiver(t, receiverConfig(t, sink))
			must(t, r.Release(verified(t), opener(t, 1)))
			f := newFar(t, sealer(t, 1))
			f.coder, f.pt, f.samples, f.step = newCoder(t, name, 440), uint8(c.pt), c.samples, c.step
			random := rand.New(rand.NewPCG(1, 2))
			for i := range 1500 {
				if pkt := f.next(); random.IntN(10) >= 3 {
					r.HandleRTP(at(i), pkt)
				}
				play(t, r, at(i))
			}
			got := r.Stats()
			if made := got.Concealed + got.Recovered; got.Lost < 400 || made+got.Skipped < got.Lost-3 || made > got.Lost+10 {
				t.Errorf("%+v", got)
			}
			if step := steepest(sink.pcm[50*audio.FrameSamples:]); step > 700 { // the tone itself has 470
				t.Errorf("a step of %d", step)
			}
			wantTone(t, sink.pcm[50*audio.FrameSamples:], 440, 0.7)
		})
	}
}

// Authentic packets with absurd numbers, timestamps and payloads between those
// of a tone are counted and make no noise; afterwards the tone is heard as
// before.
func TestAbsurdPacketsMakeNoNoise(t *testing.T) {
	sink := &tape{}
	r := newReceiver(t, receiverConfig(t, sink))
	must(t, r.Release(verified(t), opener(t, 1)))
	f := newFar(t, sealer(t, 1))
	random := rand.New(rand.NewPCG(7, 2))
	absurd := func() []byte {
		payload := make([]byte, random.IntN(1400))
		switch random.IntN(3) {
		case 0: // no Opus: code 3 without frames
			payload = append([]byte{0xff, 0x00}, payload...)
		case 1: // frames of more than they may have
			payload = []byte{0xff, 0x3f, 1, 2, 3}
		default:
			payload = nil
		}
		timestamp := random.Uint32()
		if random.IntN(2) == 0 {
			timestamp = f.ts + uint32(random.IntN(4000)) - 2000
		}
		return sealed(t, f.sealer, rtp(opusType, f.seq, timestamp, f.ssrc, payload))
	}
	for i := range 1000 {
		r.HandleRTP(at(i), f.next())
		if i >= 100 && i < 600 && random.IntN(4) == 0 {
			r.HandleRTP(at(i), absurd())
			f.seq++
		}
		play(t, r, at(i))
	}
	got := r.Stats()
	if got.Undecodable == 0 || sink.frames() != 1000 {
		t.Errorf("%d frames, %+v", sink.frames(), got)
	}
	loudest := 0
	for _, v := range sink.pcm {
		loudest = max(loudest, int(v), -int(v))
	}
	if step := steepest(sink.pcm[50*audio.FrameSamples:]); loudest > 16384 || step > 1500 { // twice the tone; its steps are 470
		t.Errorf("as loud as %d, steps of %d", loudest, step)
	}
	wantTone(t, sink.pcm[850*audio.FrameSamples:], 440, 0.97)
}

// A peer whose clock is off by a thousandth is followed for ten minutes, and
// noise, which has no period, gives way for it too.
func TestDriftIsFollowed(t *testing.T) {
	const packets, ppm = 30_000, 1000
	for name, sign := range map[string]time.Duration{"fast": -1, "slow": +1} {
		t.Run(name, func(t *testing.T) {
			c := receiverConfig(t, discard{})
			c.Secure = false
			r := newReceiver(t, c)
			must(t, r.ReleaseClear())
			random := rand.New(rand.NewPCG(5, 0))
			arrival := func(i int) time.Duration {
				return time.Duration(i) * (media.FrameDuration + sign*media.FrameDuration/1e6*ppm)
			}
			i, longest := 0, time.Duration(0)
			for now := at(1); i < packets; {
				for ; epoch.Add(arrival(i)).Before(now); i++ {
					payload := make([]byte, 160)
					for k := range payload { // about a second of noise, then a second of tone
						if payload[k] = byte(random.Uint32()) | 0x30; i/50%2 == 0 {
							payload[k] = []byte{0xff, 0xa0, 0x95, 0xa0, 0xff, 0x20, 0x15, 0x20}[k%8]
						}
					}
					r.HandleRTP(epoch.Add(arrival(i)), rtp(0, uint16(i), uint32(160*i), peerSSRC, payload))
				}
				made, err := r.Play(now)
				must(t, err)
				if now = now.Add(made); now.After(at(100)) {
					longest = max(longest, r.Stats().Delay)
				}
			}
			got := r.Stats()
			if got.Lost+got.Late+got.Skipped+got.Recovered != 0 || got.Concealed > 3 || longest > 70*time.Millisecond {
				t.Errorf("delay up to %v, %+v", longest, got)
			}
			drift := sign * packets * media.FrameDuration / 1e6 * ppm
			if change := got.Expanded - got.Accelerated; change < drift-100*time.Millisecond || change > drift+100*time.Millisecond {
				t.Errorf("expanded by %v, accelerated by %v, for a drift of %v", got.Expanded, got.Accelerated, drift)
			}
		})
	}
}

// On a network without jitter the delay is the least that is asked for, if that is
// more than what a stream begins with.
func TestMinDelay(t *testing.T) {
	for _, least := range []time.Duration{0, 100 * time.Millisecond} {
		c := receiverConfig(t, &tape{})
		c.MinDelay = least
		r := newReceiver(t, c)
		must(t, r.Release(verified(t), opener(t, 1)))
		run(t, r, newFar(t, sealer(t, 1)), 0, 500)
		want := max(least, media.FrameDuration)
		if got := r.Stats(); got.Target != want || got.Delay < want || got.Delay > want+2*media.FrameDuration {
			t.Errorf("%v: %+v", least, got)
		}
	}
}

// What is not here when it is due has half a frame to come: so long is made up, and
// Play is to be called again. Frames begin every 20 ms all the same, and the sink
// gets no more and no less than time goes by. After a Revoke the frame that has
// begun ends when it would have.
func TestHalfFrames(t *testing.T) {
	halves := 0
	for late := time.Duration(0); late < 3*media.FrameDuration; late += media.FrameDuration / 8 {
		sink := &tape{}
		r := newReceiver(t, receiverConfig(t, sink))
		must(t, r.Release(verified(t), opener(t, 1)))
		peer := newFar(t, sealer(t, 1))
		sent, revoked := 0, false
		var whole time.Time // when a frame is to begin again, after its first half
		for now := at(0); now.Before(at(150)); {
			for arrival := at(sent); !arrival.After(now); arrival = at(sent) {
				if sent >= 100 {
					if arrival = arrival.Add(late); arrival.After(now) {
						break
					}
				}
				r.HandleRTP(arrival, peer.next())
				sent++
			}
			made, err := r.Play(now)
			must(t, err)
			now = now.Add(made)
			switch {
			case !whole.IsZero():
				if now != whole {
					t.Fatalf("%v late: a half and then %v", late, made)
				}
				whole = time.Time{}
			case made == media.FrameDuration/2:
				whole = now.Add(made)
				halves++
				if late > media.FrameDuration {
					r.Revoke()
					revoked = true
				}
			case made != media.FrameDuration:
				t.Fatalf("%v late: made %v", late, made)
			}
			if n := int(now.Sub(epoch) * audio.SampleRate / time.Second); !revoked && len(sink.pcm) != n {
				t.Fatalf("%v late: %d samples at %v", late, len(sink.pcm), now.Sub(epoch))
			}
		}
		if got := r.Stats(); !revoked && got.Lost+got.Late+got.Recovered != 0 {
			t.Errorf("%v late: %+v", late, got)
		}
	}
	if halves < 5 {
		t.Errorf("%d halves", halves)
	}
}

// Nothing of what was heard under one release is heard under the next, wherever in
// its buffer the playout is by then, and however much of a long packet is left.
func TestReleaseForgetsSound(t *testing.T) {
	for n := 15; n < 25; n++ {
		pcm := make([]int16, (n+20)*audio.FrameSamples)
		for i := range (n - 3) * audio.FrameSamples { // then the Sender's resampler comes to rest
			pcm[i] = 20000
		}
		sink := &tape{}
		l := newLaneOf(t, laneConfig{pcm: pcm, codec: "PCMU", coding: codecs.Options{PacketTime: 60 * time.Millisecond}, sink: sink})
		l.run(t, n)
		before := len(sink.pcm)
		if sink.pcm[before-1] < 15000 {
			t.Fatalf("after %d frames nothing is heard", n)
		}
		must(t, l.sender.Release(verified(t), sealer(t, 2)))
		must(t, l.receiver.Release(verified(t), opener(t, 2)))
		for i := range 20 {
			l.runTick(t, n+i)
		}
		if got := l.receiver.Stats(); got.PacketsReceived < uint64(n+15)/3 {
			t.Fatalf("%+v", got)
		}
		for i, v := range sink.pcm[before:] {
			if v < -100 || v > 100 {
				t.Fatalf("after %d frames: sample %d of the next release is %d", n, i, v)
			}
		}
	}
}

// A packet that the codec refuses takes as long as it was meant to, whatever length
// packets have: what follows is heard neither later nor sooner for it.
func TestUndecodableTakesItsTime(t *testing.T) {
	for _, ms := range []float64{2.5, 5, 10, 20, 40, 60} {
		t.Run(fmt.Sprint(ms, " ms"), func(t *testing.T) {
			r := newReceiver(t, receiverConfig(t, &tape{}))
			must(t, r.Release(verified(t), opener(t, 1)))
			f := newFar(t, sealer(t, 1))
			f.step = uint32(48 * ms)
			packets, sent := recorded(t, fmt.Sprintf("stereo-%vms.bin", ms)), 0
			var before, longest time.Duration
			for i := range 150 {
				for ; float64(sent)*ms < float64(i*20+20); sent++ {
					payload := packets[sent%len(packets)]
					if i >= 60 && i < 110 { // code 3 without frames
						payload = []byte{0xff, 0, 1, 2, 3}
					}
					r.HandleRTP(at(i), f.packet(opusType, payload))
				}
				play(t, r, at(i))
				if delay := r.Stats().Delay; i < 60 {
					before = delay
				} else {
					longest = max(longest, delay)
				}
			}
			got := r.Stats()
			if got.Undecodable != uint64(1000/ms) && got.Undecodable != uint64(1000/ms)+1 {
				t.Errorf("%d packets refused", got.Undecodable)
			}
			if longest > before || got.Late+got.Concealed+got.Lost != 0 || got.Accelerated+got.Expanded != 0 {
				t.Errorf("a delay of %v became one of up to %v: %+v", before, longest, got)
			}
		})
	}
}

// Neither do the decoders remember: silence under other keys, or of a source that takes
// over, is silence from its first packet on, however loud it was before.
func TestDecodersForgetSound(t *testing.T) {
	for name, pt := range map[string]uint8{"opus": opusType, "PCMU": 0, "PCMA": 8, "G722": 9} {
		for _, keyed := range []bool{true, false} {
			sink := &tape{}
			r := newReceiver(t, receiverConfig(t, sink))
			must(t, r.Release(verified(t), opener(t, 1)))
			c := codec(t, name)
			talk := func(f *far, level float64, from, n int) {
				f.pt, f.samples, f.step = pt, c.PacketSamples(codecs.Options{}), uint32(c.ClockRate/50)
				f.coder = newCoder(t, name, 1000)
				f.coder.tone = audio.NewTone(1000, level)
				run(t, r, f, from, n)
			}
			talk(newFar(t, sealer(t, 1)), 0.8, 0, 50)
			play(t, r, at(50)) // one is missing
			other := newFar(t, sealer(t, 1))
			other.ssrc++
			from := 51
			if keyed {
				other = newFar(t, sealer(t, 3))
				must(t, r.Release(verified(t), opener(t, 3)))
			} else {
				for ; from < 120; from++ { // until it counts as a pause
					play(t, r, at(from))
				}
			}
			talk(other, 0, from, 20)
			if got := r.Stats(); got.Streams != 2 || got.PacketsReceived != 70 {
				t.Fatalf("%s: %+v", name, got)
			}
			for i, v := range sink.pcm[from*audio.FrameSamples:] {
				if v < -20 || v > 20 {
					t.Errorf("%s, other keys %v: sample %d is %d", name, keyed, i, v)
					break
				}
			}
		}
	}
}

// Where a source falls silent in the middle of a sound and another one takes over,
// nothing jumps.
func TestTakeOverDoesNotJump(t *testing.T) {
	for name, pt := range map[string]uint8{"PCMU": 0, "PCMA": 8, "G722": 9} { // which are not silent yet
		c := codec(t, name)
		for n := 50; n < 56; n++ {
			sink := &tape{}
			r := newReceiver(t, receiverConfig(t, sink))
			must(t, r.Release(verified(t), opener(t, 1)))
			talk := func(f *far, level float64, from, n int) {
				f.pt, f.samples, f.step = pt, c.PacketSamples(codecs.Options{}), uint32(c.ClockRate/50)
				f.coder = newCoder(t, name, 313)
				f.coder.tone = audio.NewTone(313, level)
				run(t, r, f, from, n)
			}
			talk(newFar(t, sealer(t, 1)), 0.5, 0, n)
			for i := range 4 {
				play(t, r, at(n+i))
			}
			other := newFar(t, sealer(t, 1))
			other.ssrc++
			talk(other, 0, n+4, 20)
			step := steepest(sink.pcm[(n+3)*audio.FrameSamples:])
			if got := r.Stats(); got.Streams != 2 || step > 400 { // what fades away has some 340
				t.Errorf("%s after %d packets: a step of %d, %+v", name, n, step, got)
			}
		}
	}
}
