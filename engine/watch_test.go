package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sotto/codecs"
	"sotto/engine/realtime"
	"sotto/media"
	"sotto/media/audio"
	"sotto/media/protect"
	"sotto/media/route"
)

// good and bad are what a Watch reports.
var (
	good = route.Report{Routes: []route.Route{{Class: route.BuiltinMic, Device: "mic", Capture: true}, {Class: route.BuiltinSpeaker, Device: "speaker"}}}
	bad  = route.Report{Routes: []route.Route{{Class: route.BluetoothA2DP, Device: "bluez_output.1", Name: "CheapHeadset"}}}
)

// card is a sound card that plays each frame a while after it took it, unless it
// is flushed before.
type card struct {
	mu     sync.Mutex
	queue  []played
	played []played
}

type played struct {
	at    time.Time
	sound bool // not digital silence
}

const cardDelay = 60 * time.Millisecond

func (c *card) WriteFrame(pcm []int16) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
	c.queue = append(c.queue, played{time.Now().Add(cardDelay), slices.ContainsFunc(pcm, func(v int16) bool { return v != 0 })})
	return nil
}

// settle moves what has been played by now; mu is held.
func (c *card) settle() {
	for len(c.queue) > 0 && !c.queue[0].at.After(time.Now()) {
		c.played, c.queue = append(c.played, c.queue[0]), c.queue[1:]
	}
}

func (c *card) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
	c.queue = nil
}

func (c *card) all() []played {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
	return slices.Clone(c.played)
}

// slowWatch takes its time to report, as a daemon does.
type slowWatch struct {
	*route.Reporter
	takes *atomic.Int64 // a time.Duration
	gone  *atomic.Bool  // it has ended, and its alarms don't say so
}

func (w slowWatch) Report(ctx context.Context) (route.Report, error) {
	if w.gone.Load() {
		return route.Report{}, fmt.Errorf("daemon: %w", route.ErrWatch)
	}
	select {
	case <-time.After(time.Duration(w.takes.Load())):
		return w.Reporter.Report(ctx)
	case <-ctx.Done():
		return route.Report{}, ctx.Err()
	}
}

// line is the media of a call in virtual time: a microphone that hears a tone,
// a peer that speaks one, and a watch over the route. A goroutine stands for the
// leg.
type line struct {
	t         *testing.T
	gate      media.Gate
	card      card
	watch     *route.Reporter
	sightings chan sighting

	takes atomic.Int64 // how long a report takes
	gone  atomic.Bool  // there are no reports any more
	lost  atomic.Bool

	mu      sync.Mutex
	packets []packet
}

type packet struct {
	at    time.Time
	n     int
	sound bool
}

// runLine runs do while a call goes on that has a good route.
func runLine(t *testing.T, takes time.Duration, do func(*line)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &line{t: t, watch: route.NewReporter(good), sightings: make(chan sighting)}
		ctx, cancel := context.WithCancel(t.Context())
		j := newJack()
		j.in.Store(&Audio{Source: audio.NewTone(440, 0.5), Sink: &l.card, Watch: l.watch})
		sender, receiver := l.sender(j, &l.gate, l.note()), l.receiver(j)
		peer := l.sender(audio.NewTone(880, 0.5), nil, func(b []byte) error {
			receiver.HandleRTP(time.Now(), slices.Clone(b))
			return nil
		})
		l.takes.Store(int64(takes))
		w := &watcher{watch: slowWatch{l.watch, &l.takes, &l.gone}, jack: j}
		var group sync.WaitGroup
		group.Go(func() { w.run(ctx, l.sightings) })
		group.Go(func() { l.lead(ctx) })
		phases := realtime.NewPhases()
		ours, err1 := phases.Take()
		theirs, err2 := phases.Take()
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		for _, player := range []func() error{
			func() error { return realtime.Capture(ctx, ours, sender) },
			func() error { return realtime.Capture(ctx, theirs, peer) },
			func() error { return realtime.Playout(ctx, ours.First(), receiver) },
		} {
			group.Go(func() { l.check(player()) })
		}
		time.Sleep(400 * time.Millisecond)
		do(l)
		cancel()
		group.Wait()
	})
}

func (l *line) check(err error) {
	if err != nil {
		l.t.Error(err)
	}
}

// lead stands for the leg.
func (l *line) lead(ctx context.Context) {
	for {
		select {
		case s := <-l.sightings:
			if s.err == nil {
				_ = l.gate.Open(s.verified) // or it was revoked meanwhile
			}
			l.lost.Store(s.lost)
		case <-ctx.Done():
			return
		}
	}
}

const lineProfile = protect.AESCM128HMACSHA1_80

var lineKey, lineSalt = make([]byte, lineProfile.KeyLen()), make([]byte, lineProfile.SaltLen())

func (l *line) verified() route.Verified {
	v, err := route.Policy{}.Check(good)
	l.check(err)
	return v
}

// codec has no memory of its own: what leaves is what was heard in that frame.
func (l *line) codec() codecs.Codec {
	c, ok := codecs.Lookup("PCMU")
	if !ok {
		l.t.Fatal("no PCMU")
	}
	return c
}

func (l *line) sender(source audio.Source, gate *media.Gate, write func([]byte) error) *media.Sender {
	s, err := media.NewSender(media.SenderConfig{
		Source: source, Codec: l.codec(), PayloadType: 0, SSRC: 1, Write: write, Secure: true, Gate: gate,
	})
	l.check(err)
	sealer, err := protect.NewSealer(lineProfile, lineKey, lineSalt)
	l.check(err)
	l.check(s.Release(l.verified(), sealer))
	return s
}

func (l *line) opener() *protect.Opener {
	o, err := protect.NewOpener(lineProfile, lineKey, lineSalt)
	l.check(err)
	return o
}

func (l *line) receiver(sink audio.Sink) *media.Receiver {
	r, err := media.NewReceiver(media.ReceiverConfig{
		Sink: sink, Payloads: map[uint8]codecs.Codec{0: l.codec()}, Secure: true, Gate: &l.gate,
	})
	l.check(err)
	l.check(r.Release(l.verified(), l.opener()))
	return r
}

// loudest is the loudest sample that PCMU makes of silence.
const loudest = 8

// note notes what leaves.
func (l *line) note() func([]byte) error {
	opener := l.opener()
	decoder, err := l.codec().NewDecoder()
	l.check(err)
	var pcm [audio.SampleRate / 1000 * 120]int16
	return func(b []byte) error {
		length := len(b)
		n, err := opener.Open(b)
		l.check(err)
		samples, err := decoder.Decode(pcm[:], b[12:n])
		l.check(err)
		sound := slices.ContainsFunc(pcm[:samples], func(v int16) bool { return v > loudest || v < -loudest })
		l.mu.Lock()
		defer l.mu.Unlock()
		l.packets = append(l.packets, packet{time.Now(), length, sound})
		return nil
	}
}

// silent fails if a sound has been played after since and until now, or has
// left later than within a frame of since.
func (l *line) silent(since time.Time) {
	l.t.Helper()
	for _, p := range l.card.all() {
		if p.sound && p.at.After(since) {
			l.t.Fatalf("a sound is played %v after the alarm", p.at.Sub(since))
		}
	}
	// What was said before since is in the frame being made, and the
	// resampler's memory of it in the one after.
	const last = media.FrameDuration + realtime.Departure
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.packets {
		if p.sound && p.at.After(since.Add(last)) {
			l.t.Fatalf("a sound leaves %v after the alarm", p.at.Sub(since))
		}
	}
}

// heard reports whether a sound is played, and one leaves, since a time.
func (l *line) heard(since time.Time) bool {
	after := func(at time.Time, sound bool) bool { return sound && at.After(since) }
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.card.all(), func(p played) bool { return after(p.at, p.sound) }) &&
		slices.ContainsFunc(l.packets, func(p packet) bool { return after(p.at, p.sound) })
}

// rhythm fails unless packets have left every 20 ms, all of one length.
func (l *line) rhythm() {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, p := range l.packets[1:] {
		if before := l.packets[i]; p.n != before.n || p.at.Sub(before.at) != media.FrameDuration {
			l.t.Fatalf("packet %d: %d bytes %v after one of %d", i, p.n, p.at.Sub(before.at), before.n)
		}
	}
}

// An alarm silences both ways within a frame, whenever in the frame it comes
// and whatever the card holds; nothing else changes on the wire. When the route
// is good again, so is the call.
func TestAlarmMutesWithinAFrame(t *testing.T) {
	for phase := time.Duration(0); phase < media.FrameDuration; phase += 1300 * time.Microsecond {
		runLine(t, 4*time.Millisecond, func(l *line) {
			if !l.heard(time.Now().Add(-100 * time.Millisecond)) {
				t.Fatal("nothing is heard before")
			}
			time.Sleep(phase)
			alarm := time.Now()
			l.watch.Set(bad)
			time.Sleep(400 * time.Millisecond)
			l.silent(alarm)
			l.watch.Set(good)
			time.Sleep(200 * time.Millisecond)
			if !l.heard(time.Now().Add(-50 * time.Millisecond)) {
				t.Error("nothing is heard after")
			}
			l.rhythm()
		})
	}
}

// Even a change that turns out not to matter silences until that is known. One
// that comes while the report of an earlier one is on its way is not overlooked.
func TestSlowReports(t *testing.T) {
	runLine(t, 100*time.Millisecond, func(l *line) {
		alarm := time.Now()
		l.watch.Set(good)
		time.Sleep(99 * time.Millisecond)
		l.silent(alarm)
		l.watch.Set(bad)
		time.Sleep(3 * time.Second)
		l.silent(alarm)
		l.rhythm()
	})
}

// A watch that does not answer is asked again, in silence, until it does.
func TestReportTimesOut(t *testing.T) {
	runLine(t, 2*askTimeout, func(l *line) {
		time.Sleep(3 * time.Second)
		l.silent(time.Now().Add(-time.Hour))
		l.takes.Store(0)
		time.Sleep(askTimeout + askAgain + 200*time.Millisecond)
		if !l.heard(time.Now().Add(-50 * time.Millisecond)) {
			t.Error("nothing is heard after")
		}
		l.rhythm()
	})
}

// A report that failed is asked for again only until there is one: a look that
// nobody needs would keep the next alarm waiting, with the gate open.
func TestLookAgainIsForgotten(t *testing.T) {
	runLine(t, 0, func(l *line) {
		l.takes.Store(int64(2 * askTimeout))
		l.watch.Set(good)
		time.Sleep(askTimeout + time.Millisecond)
		again := time.Now().Add(askAgain)
		l.takes.Store(0)
		l.watch.Set(good)
		time.Sleep(200 * time.Millisecond)
		if !l.heard(time.Now().Add(-50 * time.Millisecond)) {
			t.Fatal("nothing is heard before")
		}
		l.takes.Store(int64(askTimeout - time.Millisecond))
		time.Sleep(time.Until(again) + time.Millisecond)
		alarm := time.Now()
		l.watch.Set(bad)
		time.Sleep(2 * time.Second)
		l.silent(alarm)
		l.rhythm()
	})
}

// The user hears in words why it is not known where the audio goes, and what to do.
func TestNoReportInWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		takes := new(atomic.Int64)
		takes.Store(int64(2 * askTimeout))
		w := &watcher{watch: slowWatch{route.NewReporter(good), takes, new(atomic.Bool)}}
		again := time.NewTimer(time.Hour)
		defer again.Stop()
		text := InWords(w.look(t.Context(), "", again).err)
		if !strings.Contains(text, "does not answer in time") || !strings.Contains(text, "restart the sound server") || strings.Contains(text, "deadline") {
			t.Error(text)
		}
	})
}

// A look revokes what the last one verified, before it asks.
func TestLookRevokes(t *testing.T) {
	w := &watcher{watch: route.NewReporter(good)}
	again := time.NewTimer(time.Hour)
	before := w.look(t.Context(), "", again).verified
	after := w.look(t.Context(), "", again).verified
	if before.Valid() || !after.Valid() {
		t.Errorf("valid: %v before, %v after", before.Valid(), after.Valid())
	}
}

// A watch whose reports say that it has ended is lost, alarm or not.
func TestReportsAreLost(t *testing.T) {
	runLine(t, 0, func(l *line) {
		l.gone.Store(true)
		alarm := time.Now()
		l.watch.Set(good)
		time.Sleep(3 * time.Second)
		l.silent(alarm)
		l.rhythm()
		if !l.lost.Load() {
			t.Error("nobody is told")
		}
	})
}

// A watch that ends leaves the call silent, and says so.
func TestWatchIsLost(t *testing.T) {
	runLine(t, 0, func(l *line) {
		alarm := time.Now()
		l.check(l.watch.Close())
		time.Sleep(3 * time.Second)
		l.silent(alarm)
		l.rhythm()
		if !l.lost.Load() {
			t.Error("nobody is told")
		}
	})
}

// seeds is n, and a hundred times as many in the long form.
func seeds(n uint64) uint64 {
	if os.Getenv("SOTTO_LONG") != "" {
		n *= 100
	}
	return n
}

// However many alarms come, and when: nothing is heard between the one that the
// route turned bad with and the one that it turned good with.
func TestFloodOfAlarms(t *testing.T) {
	for seed := range seeds(3) {
		rng := rand.New(rand.NewPCG(seed, 6))
		runLine(t, time.Duration(rng.IntN(30))*time.Millisecond, func(l *line) {
			for range 8 {
				alarm := time.Now()
				for range rng.IntN(1000) {
					l.watch.Set(bad)
					if rng.IntN(50) == 0 {
						time.Sleep(time.Duration(rng.IntN(25)) * time.Millisecond)
					}
				}
				l.watch.Set(bad)
				time.Sleep(time.Duration(rng.IntN(100)) * time.Millisecond)
				l.silent(alarm)
				for range 1 + rng.IntN(1000) {
					l.watch.Set(good)
				}
				time.Sleep(200 * time.Millisecond)
				if !l.heard(time.Now().Add(-50 * time.Millisecond)) {
					t.Fatalf("seed %d: nothing is heard after", seed)
				}
				l.forget()
			}
		})
	}
}

// forget drops what was heard so far.
func (l *line) forget() {
	l.rhythm()
	l.mu.Lock()
	l.packets = l.packets[len(l.packets)-1:]
	l.mu.Unlock()
	l.card.mu.Lock()
	l.card.played = nil
	l.card.mu.Unlock()
}

// Audio with a watch over it may fail: there is silence, and the leg hears of
// it once. Without one, the failure is the stream's.
func TestJack(t *testing.T) {
	broken := errors.New("unplugged")
	j := newJack()
	pcm := []int16{1, 2, 3}
	if err := j.ReadFrame(pcm); err != nil || pcm[0] != 0 || j.WriteFrame(pcm) != nil {
		t.Errorf("nothing plugged in: %v, %v", err, pcm)
	}
	j.Flush()
	for name, use := range map[string]func() error{
		"source": func() error { return j.ReadFrame(pcm) },
		"sink":   func() error { return j.WriteFrame(pcm) },
	} {
		j.in.Store(&Audio{Source: failing{broken}, Sink: failing{broken}})
		if err := use(); !errors.Is(err, broken) || len(j.failed) != 0 {
			t.Errorf("%s without a watch: %v", name, err)
		}
		j.in.Store(&Audio{Source: failing{broken}, Sink: failing{broken}, Watch: route.NewReporter(good)})
		pcm[0] = 1
		if err := errors.Join(use(), use()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if f := <-j.failed; !errors.Is(f.err, broken) || len(j.failed) != 0 || j.in.Load() != nil {
			t.Errorf("%s: the leg hears %v", name, f.err)
		}
		if name == "source" && pcm[0] != 0 {
			t.Error("what a failing source leaves behind is sent")
		}
	}
}

type failing struct{ err error }

func (f failing) ReadFrame([]int16) error  { return f.err }
func (f failing) WriteFrame([]int16) error { return f.err }

// ear is an end of audio that counts how often it is flushed.
type ear struct {
	failing
	flushed atomic.Int64
}

func (e *ear) Flush() { e.flushed.Add(1) }

// An alarm flushes both ends of what is plugged in. A Sender that goes on, and a
// route that is accepted, flush what was heard only: the peer's voice goes on.
func TestFlushedEnds(t *testing.T) {
	source, sink := &ear{}, &ear{}
	flushed := func(when string, heard, played int64) {
		t.Helper()
		if source.flushed.Swap(0) != heard || sink.flushed.Swap(0) != played {
			t.Errorf("%s: not flushed as it should be", when)
		}
	}
	j := newJack()
	hearing{j}.Flush() // nothing is plugged in
	j.in.Store(&Audio{Source: source, Sink: sink})
	j.Flush()
	flushed("an alarm", 1, 1)
	hearing{j}.Flush()
	flushed("the sender", 1, 0)
	l := waiting(t, Config{})
	l.onAudio(opened{audio: internal(source, sink)})
	flushed("a route", 1, 0)
}

// A failure of audio that was pulled meanwhile is not that of what is plugged in
// now.
func TestStaleFailure(t *testing.T) {
	j, watch := newJack(), route.NewReporter(good)
	a := &Audio{Watch: watch}
	j.in.Store(a)
	j.plugged = true
	j.fail(a, errors.New("unplugged"))
	if !j.out() {
		t.Error("what has failed is in")
	}
	j.pull()
	j.failed <- failure{errors.New("late")} // by a player that was on its way
	if j.out() {
		t.Error("what was pulled has failed")
	}
	j.plug(Audio{Watch: watch})
	if j.out() {
		t.Error("what is new has failed")
	}
}
