package media_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sotto/codecs"
	"sotto/internal/netsim"
	"sotto/media/audio"
)

// Packets of each length, with digits among them: one size and one rhythm,
// timestamps in step, and what was said is heard.
func TestPacketTimes(t *testing.T) {
	clip, err := audio.ReadAll(speechClip(t))
	must(t, err)
	const ticks = 300
	clip = clip[:(ticks-25)*audio.FrameSamples]
	for _, name := range []string{"opus", "G722", "PCMU"} {
		for _, packetTime := range []time.Duration{10, 20, 40, 60} {
			packetTime *= time.Millisecond
			t.Run(fmt.Sprint(name, " ", packetTime), func(t *testing.T) {
				sink := &tape{}
				l := newLaneOf(t, laneConfig{pcm: clip, codec: name, coding: codecs.Options{PacketTime: packetTime}, sink: sink})
				l.run(t, ticks)
				clock := codec(t, name).ClockRate
				if n := ticks * 20 / int(packetTime/time.Millisecond); len(l.seen) != n {
					t.Errorf("%d packets, want %d", len(l.seen), n)
				}
				for i, p := range l.seen {
					if len(p) != len(l.seen[0]) {
						t.Fatalf("packet %d has %d bytes, the first has %d", i, len(p), len(l.seen[0]))
					}
					if ts, want := binary.BigEndian.Uint32(p[4:]), uint32(5000+i*clock*int(packetTime/time.Millisecond)/1000); ts != want {
						t.Fatalf("packet %d has timestamp %d, want %d", i, ts, want)
					}
				}
				// Until then the delay is what it begins with.
				const settled = 150 * audio.FrameSamples
				got, stats := audio.Compare(clip[settled:], sink.pcm[settled:]), l.receiver.Stats()
				if want := map[string]float64{"opus": 0.9, "G722": 0.97, "PCMU": 0.97}[name]; got.Correlation < want {
					t.Errorf("heard %+v, want %v", got, want)
				}
				if stats.Lost+stats.Late+stats.Concealed+stats.Skipped != 0 {
					t.Errorf("%+v", stats)
				}
				if name == "opus" || packetTime < 40*time.Millisecond {
					must(t, l.sender.SendDigits("7#"))
				}
				before := len(l.seen)
				for i := ticks; i < ticks+40; i++ {
					l.runTick(t, i)
				}
				if got := taken(l.receiver); got != "7#" && (name == "opus" || packetTime < 40*time.Millisecond) {
					t.Errorf("heard %q", got)
				}
				for i, p := range l.seen[before:] {
					if len(p) != len(l.seen[0]) {
						t.Fatalf("packet %d of the digits has %d bytes, the first has %d", i, len(p), len(l.seen[0]))
					}
				}
			})
		}
	}
}

// A packet that was not full when the call was held, or when keys came, is not
// finished with what is said after.
func TestHoldWithinPacket(t *testing.T) {
	w := &wire{}
	c := senderConfig(t, tone(), w)
	c.Coding.PacketTime = 60 * time.Millisecond
	s := newSender(t, c)
	must(t, s.Release(verified(t), sealer(t, 1)))
	ticks := func(n int) {
		for range n {
			must(t, s.Tick())
		}
	}
	ticks(2)
	s.Hold(true)
	ticks(1)
	s.Hold(false)
	ticks(2)
	if len(w.packets) != 0 {
		t.Fatalf("%d packets of 40 ms each", len(w.packets))
	}
	ticks(1)
	if p := w.take(); len(p) != 1 || binary.BigEndian.Uint32(p[0][4:]) != 5000+3*960 {
		t.Errorf("%x", p)
	}
	ticks(1)
	must(t, s.Release(verified(t), sealer(t, 3)))
	ticks(3)
	if p := w.take(); len(p) != 1 || binary.BigEndian.Uint32(p[0][4:]) != 5000+7*960 {
		t.Errorf("%x", p)
	}
}

// Outside secure mode a pause may go without packets. The peer hears it as long
// as it was, and misses nothing.
func TestDTX(t *testing.T) {
	pcm := make([]int16, 400*audio.FrameSamples)
	source := audio.NewTone(440, 0.25)
	for _, from := range []int{0, 300} {
		for i := from; i < from+100; i++ {
			must(t, source.ReadFrame(pcm[i*audio.FrameSamples:][:audio.FrameSamples]))
		}
	}
	sink := &tape{}
	l := newLaneOf(t, laneConfig{pcm: pcm, codec: "opus", coding: codecs.Options{DTX: true, VBR: true}, sink: sink, clear: true})
	l.run(t, 410)
	if n := len(l.seen); n > 260 {
		t.Errorf("%d packets for 200 frames of sound", n)
	}
	for i, p := range l.seen[1:] {
		gap := binary.BigEndian.Uint32(p[4:]) - binary.BigEndian.Uint32(l.seen[i][4:])
		if (gap != 960) != (p[1]&0x80 != 0) {
			t.Errorf("marker %x after %d", p[1]&0x80, gap)
		}
		if seq := binary.BigEndian.Uint16(p[2:]); seq != 1001+uint16(i) {
			t.Errorf("packet %d has number %d", i+1, seq)
		}
	}
	stats := l.receiver.Stats()
	if stats.Lost+stats.Concealed+stats.Late+stats.Skipped != 0 || stats.Streams != 1 {
		t.Errorf("%+v", stats)
	}
	wantTone(t, sink.pcm[10*audio.FrameSamples:95*audio.FrameSamples], 440, 0.97)
	wantTone(t, sink.pcm[315*audio.FrameSamples:395*audio.FrameSamples], 440, 0.97)
	for i, v := range sink.pcm[150*audio.FrameSamples : 300*audio.FrameSamples] {
		if v > 300 || v < -300 {
			t.Fatalf("sample %d of the pause is %d", i, v)
		}
	}
}

// What loss is expected changes what is in packets, and not how long they are.
func TestExpectLoss(t *testing.T) {
	clip, err := audio.ReadAll(speechClip(t))
	must(t, err)
	clip = clip[:200*audio.FrameSamples]
	recovered := func(expected int) uint64 {
		l := newLaneOf(t, laneConfig{pcm: clip, codec: "opus", net: netsim.Config{Seed: 1, Loss: 0.2}, sink: &tape{}})
		l.sender.ExpectLoss(expected)
		l.run(t, 200)
		for i, p := range l.seen {
			if len(p) != len(l.seen[0]) {
				t.Fatalf("packet %d has %d bytes, the first has %d", i, len(p), len(l.seen[0]))
			}
		}
		return l.receiver.Stats().Recovered
	}
	if n := recovered(0); n != 0 {
		t.Errorf("%d packets were recovered where no loss was expected", n)
	}
	if n := recovered(30); n < 15 {
		t.Errorf("%d packets were recovered", n)
	}
	for configured, want := range map[int]int{0: 10, codecs.Off: 0, 40: 40} {
		c := senderConfig(t, tone(), &wire{})
		c.Coding.ExpectedLoss = configured
		if got := newSender(t, c).Stats().ExpectedLoss; got != want {
			t.Errorf("configured %d: expects %d %%", configured, got)
		}
	}
	s := newSender(t, dialingConfig(t, &wire{}))
	s.ExpectLoss(101)
	must(t, s.Release(verified(t), sealer(t, 1)))
	must(t, s.Tick())
	if got := s.Stats().ExpectedLoss; got != 100 {
		t.Errorf("expects %d %%", got)
	}
	c := senderConfig(t, tone(), &wire{})
	c.Codec, c.PayloadType = codec(t, "PCMU"), 0
	s = newSender(t, c)
	s.ExpectLoss(30) // repairs nothing
	must(t, s.Release(verified(t), sealer(t, 1)))
	must(t, s.Tick())
}

// A call whose network gets worse and better again: the peer's reports alone
// change what is expected, and nothing changes the size of packets.
func TestAdaptsToReports(t *testing.T) {
	a, b := newPhone(t, true, ourSSRC), newPhone(t, true, peerSSRC)
	a.release(t, 1, 3)
	b.release(t, 3, 1)
	rng := rand.New(rand.NewPCG(3, 4))
	var expected []int
	sizes := map[int]int{}
	for i := range 22 * 50 { // a report a second
		must(t, a.sender.Tick())
		for _, p := range a.rtp.take() {
			sizes[len(p)]++
			if lost := i >= 250 && i < 400; !lost || rng.IntN(4) > 0 {
				b.receiver.HandleRTP(at(i), p)
			}
		}
		if i%50 != 49 {
			continue
		}
		must(t, b.reports.Report(at(i)))
		for _, p := range b.rtcp.take() {
			a.reports.HandleRTCP(at(i), p)
		}
		expected = append(expected, a.reports.Stats().ExpectedLoss)
	}
	want := []int{10, 10, 5, 5, 5, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 5, 5, 5, 5}
	if !slices.Equal(expected, want) {
		t.Errorf("%v, want %v", expected, want)
	}
	if len(sizes) != 1 {
		t.Errorf("packets of %d sizes: %v", len(sizes), sizes)
	}
}

// What comes after a loss is seldom more than twice as loud as it would be without,
// wherever in speech packets are missing.
func TestLossIsNotLoud(t *testing.T) {
	clip, err := audio.ReadAll(speechClip(t))
	must(t, err)
	for _, name := range []string{"opus", "G722", "PCMU", "PCMA"} {
		c := codec(t, name)
		packets := coded(t, c, clip)
		whole := decoded(t, c, packets, func(int) bool { return false })
		for lost, most := range map[int]int{1: 1, 2: 2, 5: 1, 10: 5} {
			losses, bursts := 0, 0
			const apart, after = 30, 5 // packets
			for offset := 0; offset < apart; offset += 2 {
				got := decoded(t, c, packets, func(i int) bool { return i > apart && (i+offset)%apart < lost })
				for i := 2*apart - offset; i+lost+after < len(packets); i += apart {
					n := c.PacketSamples(codecs.Options{})
					from, to := (i+lost)*n, (i+lost+after)*n
					losses++
					if loudest(got[from:to]) > 2*loudest(whole[from:to])+300 {
						bursts++
					}
				}
			}
			if losses < 150 || bursts > most {
				t.Errorf("%s: after %d of %d losses of %d packets it is too loud", name, bursts, losses, lost)
			}
		}
	}
}

func loudest(pcm []int16) (most int) {
	for _, v := range pcm {
		most = max(most, abs(int(v)))
	}
	return most
}

// coded are the packets of a clip at 48 kHz.
func coded(t *testing.T, c codecs.Codec, clip []int16) (packets [][]byte) {
	down, err := audio.NewResampler(audio.SampleRate, c.SampleRate)
	must(t, err)
	enc, err := c.NewEncoder(codecs.Options{})
	must(t, err)
	pcm, buf := make([]int16, len(clip)), make([]byte, 1500)
	pcm = pcm[:down.Process(pcm, clip)]
	for n := c.PacketSamples(codecs.Options{}); len(pcm) >= n; pcm = pcm[n:] {
		size, err := enc.Encode(buf, pcm[:n])
		must(t, err)
		packets = append(packets, slices.Clone(buf[:size]))
	}
	return packets
}

// decoded is what is heard of packets of which some are lost.
func decoded(t *testing.T, c codecs.Codec, packets [][]byte, lost func(i int) bool) (pcm []int16) {
	dec, err := c.NewDecoder()
	must(t, err)
	out := make([]int16, c.MaxSamples())
	for i, pkt := range packets {
		frame := out[:c.PacketSamples(codecs.Options{})]
		if lost(i) {
			_, err = dec.Conceal(frame)
		} else {
			_, err = dec.Decode(out, pkt)
		}
		must(t, err)
		pcm = append(pcm, frame...)
	}
	return pcm
}
