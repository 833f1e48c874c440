package media_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"sotto/media"
	"sotto/media/audio"
)

// jumper is a peer whose timestamps jump, the network behind it, and what is
// heard of it, frame by frame.
type jumper struct {
	t        *testing.T
	far      *far
	receiver *media.Receiver
	sink     tape
	late     func(i int) time.Duration // of the packet of tick i, less than a frame

	longest time.Duration // delay after the first second
}

// tones are packets of a tone, to be sent again and again.
var tones [][]byte

func newJumper(t *testing.T) *jumper {
	j := &jumper{t: t, far: newFar(t, sealer(t, 1)), late: func(int) time.Duration { return 0 }}
	for len(tones) < 60 {
		tones = append(tones, j.far.coder.payload(960))
	}
	j.receiver = newReceiver(t, receiverConfig(t, &j.sink))
	must(t, j.receiver.Release(verified(t), opener(t, 1)))
	return j
}

// inTheClear has the peer speak without keys.
func (j *jumper) inTheClear() {
	c := receiverConfig(j.t, &j.sink)
	c.Secure = false
	j.receiver, j.far.sealer = newReceiver(j.t, c), nil
	must(j.t, j.receiver.ReleaseClear())
}

// play sends packets from tick from on, n of them, and plays.
func (j *jumper) play(from, n int) {
	j.t.Helper()
	for i := from; i < from+n; i++ {
		j.receiver.HandleRTP(at(i).Add(j.late(i)), j.next())
		j.frame(i)
	}
}

// next is the peer's next packet.
func (j *jumper) next() []byte { return j.far.packet(opusType, tones[int(j.far.seq)%len(tones)]) }

// frame plays what is due at the end of tick i.
func (j *jumper) frame(i int) {
	j.t.Helper()
	play(j.t, j.receiver, at(i+1))
	if i > 50 {
		j.longest = max(j.longest, j.receiver.Stats().Delay)
	}
}

// jump moves the timestamps that follow.
func (j *jumper) jump(by time.Duration) { j.far.ts += uint32(by / time.Microsecond * 48 / 1000) }

// silence is how long nothing of the tone was heard from a tick on.
func (j *jumper) silence(from int) (d time.Duration) {
	for pcm := j.sink.pcm[from*audio.FrameSamples:]; len(pcm) > 0; pcm = pcm[audio.FrameSamples:] {
		var peak int16
		for _, v := range pcm[:audio.FrameSamples] {
			peak = max(peak, v)
		}
		if peak < 2000 { // the tone itself has some 8000
			d += media.FrameDuration
		}
	}
	return d
}

// jumps are of less than what used to be a restart, of more, and of half the
// circle, after which nobody knows which way it was.
var jumps = []time.Duration{
	100 * time.Millisecond, 200 * time.Millisecond, time.Second, 1900 * time.Millisecond, 2100 * time.Millisecond, 10 * time.Second,
	-100 * time.Millisecond, -200 * time.Millisecond, -time.Second, -1900 * time.Millisecond, -2100 * time.Millisecond, -10 * time.Second,
	1 << 31 * time.Second / 48000,
}

// networks are how late the packet of a tick is.
var networks = map[string]func() func(int) time.Duration{
	"steady": func() func(int) time.Duration { return func(int) time.Duration { return 0 } },
	"jitter": func() func(int) time.Duration {
		random := rand.New(rand.NewPCG(3, 5))
		return func(int) time.Duration { return time.Duration(random.Int64N(int64(19 * time.Millisecond))) }
	},
}

// One packet whose timestamp lies is counted, and nobody hears of it: neither
// silence nor a delay that stays.
func TestStrayTimestamp(t *testing.T) {
	for network, late := range networks {
		for _, by := range jumps {
			for _, lost := range []uint16{0, 2} { // packets just before it
				t.Run(fmt.Sprintf("%s %v after %d lost", network, by, lost), func(t *testing.T) {
					j := newJumper(t)
					j.late = late()
					j.play(0, 150)
					for range lost {
						j.next()
					}
					j.jump(by)
					j.play(150+int(lost), 1)
					j.jump(-by)
					j.play(151+int(lost), 100)
					j.want(media.Discarded{StrayTimestamp: 1}, 0)
				})
			}
		}
	}
}

// want demands what has been counted, and that the tone was heard all the time
// in spite of it.
func (j *jumper) want(discarded media.Discarded, restarts uint64) {
	j.t.Helper()
	got := j.receiver.Stats()
	if got.Discarded != discarded || got.Restarts != restarts || got.Late != 0 || got.Undecodable != 0 {
		j.t.Errorf("%+v", got)
	}
	if d := j.silence(20); d != 0 || j.longest > 85*time.Millisecond {
		j.t.Errorf("%v of silence, a delay of up to %v", d, j.longest)
	}
	if n := steepest(j.sink.pcm[20*audio.FrameSamples:]); n > 900 { // the tone itself has 470
		j.t.Errorf("a step of %d", n)
	}
}

// A sender whose clock jumps for good, as at hold and resume, is believed with
// the second packet, and what waits to be played is played.
func TestLastingJump(t *testing.T) {
	for network, late := range networks {
		for _, by := range jumps {
			t.Run(fmt.Sprintf("%s %v", network, by), func(t *testing.T) {
				j := newJumper(t)
				j.late = late()
				j.play(0, 150)
				j.jump(by)
				j.play(150, 100)
				j.want(media.Discarded{StrayTimestamp: 1}, 1)
			})
		}
	}
}

// One packet whose sequence number is far ahead is counted, and nobody hears of it.
// A sender that goes on from there has begun anew, and is heard but for one packet.
func TestStrayNumber(t *testing.T) {
	for network, late := range networks {
		for _, ahead := range []uint16{60, 180, 420, 3060, 10020} { // the tone goes on
			for _, by := range []time.Duration{0, time.Duration(ahead) * media.FrameDuration, -time.Second} {
				t.Run(fmt.Sprintf("%s %d %v", network, ahead, by), func(t *testing.T) {
					j := newJumper(t)
					j.inTheClear() // what repeats numbers cannot be sealed
					j.late = late()
					j.play(0, 150)
					back := *j.far
					j.far.seq += ahead
					j.jump(by)
					j.receiver.HandleRTP(at(150), j.next())
					j.far.seq, j.far.ts = back.seq, back.ts
					j.play(150, 100)
					j.want(media.Discarded{StrayNumber: 1}, 0)

					j.far.seq += ahead
					j.jump(by)
					j.play(250, 100)
					got := j.receiver.Stats()
					if got.Discarded != (media.Discarded{StrayNumber: 2}) || got.Restarts != 1 || got.Lost != 1 || got.Late != 0 {
						t.Errorf("%+v", got)
					}
					if d := j.silence(20); d > media.FrameDuration || j.longest > 85*time.Millisecond {
						t.Errorf("%v of silence, a delay of up to %v", d, j.longest)
					}
				})
			}
		}
	}
}

// Two liars in a row that do not agree are two strays.
func TestStraysThatDisagree(t *testing.T) {
	j := newJumper(t)
	j.play(0, 150)
	j.jump(time.Second)
	j.play(150, 1)
	j.jump(-2 * time.Second)
	j.play(151, 1)
	j.jump(time.Second)
	j.play(152, 150)
	if got := j.receiver.Stats(); got.Discarded != (media.Discarded{StrayTimestamp: 2}) || got.Restarts != 0 || j.silence(20) > media.FrameDuration {
		t.Errorf("%v of silence, %+v", j.silence(20), got)
	}
}

// A packet that others have overtaken cannot have come from the future.
func TestStrayThatWasOvertaken(t *testing.T) {
	for _, by := range jumps {
		t.Run(by.String(), func(t *testing.T) {
			j := newJumper(t)
			j.play(0, 150)
			j.jump(by)
			stray := j.next()
			j.jump(-by)
			j.receiver.HandleRTP(at(150), j.next())
			j.receiver.HandleRTP(at(150), stray)
			j.frame(150)
			j.play(151, 150)
			if got := j.receiver.Stats(); got.Restarts != 0 || j.silence(20) != 0 || j.longest > 145*time.Millisecond {
				t.Errorf("%v of silence, a delay of up to %v, %+v", j.silence(20), j.longest, got)
			}
		})
	}
}

// Three strays in a minute and a half.
func TestFewStrays(t *testing.T) {
	j := newJumper(t)
	for i, by := range []time.Duration{time.Second, -time.Second, 1900 * time.Millisecond} {
		j.play(1500*i, 1000)
		j.jump(by)
		j.play(1500*i+1000, 1)
		j.jump(-by)
		j.play(1500*i+1001, 499)
	}
	j.want(media.Discarded{StrayTimestamp: 3}, 0)
}

// What senders do that is in order: they pause, say so with comfort noise or not
// at all, change the length of their packets, dial, and come back from a hold
// with timestamps that stood or went on. None of it is a stray.
func TestTimestampsInOrder(t *testing.T) {
	for name, c := range map[string]struct {
		odd      func(j *jumper) // from tick 150 to 250
		restarts uint64
	}{
		"pause": {odd: func(j *jumper) {
			j.jump(2 * time.Second)
		}},
		"pauses with now and then a packet": {odd: func(j *jumper) {
			for i := 150; i < 250; i++ {
				if i%20 == 0 {
					j.receiver.HandleRTP(at(i), j.next())
				} else {
					j.far.ts += j.far.step
				}
				j.frame(i)
			}
		}},
		"timestamps that stood": {odd: func(*jumper) {}, restarts: 1},
		"dialing": {odd: func(j *jumper) {
			for i := 150; i < 250; i++ {
				began := j.far.ts
				j.far.ts -= uint32(i%10) * j.far.step
				j.receiver.HandleRTP(at(i), j.far.packet(eventType, event(5, i%10 > 6, uint16(i%10+1)*960)))
				j.far.ts = began + j.far.step
				j.frame(i)
			}
		}},
		"bursts": {odd: func(j *jumper) {
			for i := 150; i < 250; i++ {
				if i%10 == 9 { // ten at once
					for range 10 {
						j.receiver.HandleRTP(at(i), j.next())
					}
				}
				j.frame(i)
			}
		}},
		"packets of 60 ms, two at once": {odd: func(j *jumper) {
			j.far.step = 3 * 960
			for i := 150; i < 252; i++ {
				if i%6 == 5 {
					j.receiver.HandleRTP(at(i), j.next())
					j.receiver.HandleRTP(at(i), j.next())
				}
				j.frame(i)
			}
			j.far.step = 960
		}},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJumper(t)
			j.play(0, 150)
			c.odd(j)
			j.play(252, 100)
			if got := j.receiver.Stats(); got.Discarded != (media.Discarded{}) || got.Restarts != c.restarts {
				t.Errorf("%+v", got)
			}
			if d := j.silence(len(j.sink.pcm)/audio.FrameSamples - 80); d != 0 {
				t.Errorf("%v of silence", d)
			}
		})
	}
}
