package media_test

import (
	"testing"

	"sotto/media"
	"sotto/media/audio"
)

// After a stall the delay is brought down again by leaving out frames. Where
// one is left out, the voice fades over: a tone shows no step.
func TestSkippedFramesFade(t *testing.T) {
	sink := &tape{}
	r := newReceiver(t, receiverConfig(t, sink))
	must(t, r.Release(verified(t), opener(t, 1)))
	f := newFar(t, sealer(t, 1))
	var stalled [][]byte
	skips := 0
	for i := range 600 {
		if pkt := f.next(); i >= 50 && i < 65 {
			stalled = append(stalled, pkt)
		} else {
			for _, old := range stalled {
				r.HandleRTP(at(i), old)
			}
			stalled = nil
			r.HandleRTP(at(i), pkt)
		}
		before := r.Stats().Skipped
		must(t, r.Play(at(i)))
		if i < 100 || r.Stats().Skipped == before {
			continue
		}
		skips++
		frame := sink.pcm[(i-1)*audio.FrameSamples : (i+1)*audio.FrameSamples]
		if step := steepest(frame); step > 900 { // the tone itself has 470
			t.Errorf("frame %d: a step of %d", i, step)
		}
	}
	if skips < 3 {
		t.Errorf("%d frames skipped: nothing was tested", skips)
	}
	if got := r.Stats(); got.Lost != 0 {
		t.Errorf("%+v", got)
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
	must(t, r.Play(at(50)))
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
		must(t, r.Play(at(i)))
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
		must(t, r.Play(at(i)))
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
