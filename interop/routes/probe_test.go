//go:build interop

package routes

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"sotto/engine"
	"sotto/engine/devices"
	"sotto/media"
	"sotto/media/audio"
	"sotto/media/route"
)

// probe stands between a call and its devices and sees when silence begins. The
// microphone of the call, which hears nothing, says a tone through it.
type probe struct {
	real bool // the call's microphone is the real one, and no tone is said

	mu    sync.Mutex // guards what follows
	asked time.Time  // when the route was first asked for since the last begin
	heard time.Time  // when the loudspeaker was last given sound
	said  time.Time  // when the last packet left that had sound for the other side
	sent  map[uint32]time.Time
	known time.Time // when the last packet left of which is known whether it had any
	loud  bool      // the frame that the other side plays now has sound

	// frames with sound that came out of the real microphone, and to the other side
	picked, arrived int
	played          int // frames, by the other side
}

// silence is how long after a cause a call was silent.
type silence struct {
	muted, // the engine has shut the gate, and asks for the route
	heard, // nothing but silence is given to the loudspeaker
	said time.Duration // nothing but silence leaves for the other side
}

// begin forgets when the route was asked for.
func (p *probe) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = time.Time{}
}

// hush waits until the other side has heard what has left by now.
func (p *probe) hush(t *testing.T) {
	t.Helper()
	now := time.Now()
	eventually(t, "what has left is heard", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.known.After(now)
	})
}

// since is how long after cause the call was silent, by a time at which it is.
func (p *probe) since(cause time.Time) silence {
	p.mu.Lock()
	defer p.mu.Unlock()
	after := func(t time.Time) time.Duration { return max(0, t.Sub(cause)) }
	return silence{after(p.asked), after(p.heard), after(p.said)}
}

// talks waits until there is sound both ways, or again.
func (p *probe) talks(t *testing.T) {
	t.Helper()
	now := time.Now()
	eventually(t, "there is sound both ways", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.heard.After(now) && p.said.After(now)
	})
}

// open is [engine.Config.OpenAudio] for devices that p stands before.
func (p *probe) open(c devices.Choice) func(context.Context) (engine.Audio, error) {
	return func(ctx context.Context) (engine.Audio, error) {
		a, err := c.Open(ctx)
		if err != nil {
			return a, err
		}
		a.Watch = asking{a.Watch, p}
		a.Sink = &near{a.Sink.(end), a.Sink, p}
		a.Source = &mouth{a.Source.(end), a.Source, audio.NewTone(440, 0.5), p}
		return a, nil
	}
}

// asking is a watch whose questions are noticed.
type asking struct {
	route.Watch
	probe *probe
}

func (a asking) Report(ctx context.Context) (route.Report, error) {
	a.probe.mu.Lock()
	if a.probe.asked.IsZero() {
		a.probe.asked = time.Now()
	}
	a.probe.mu.Unlock()
	return a.Watch.Report(ctx)
}

// end is what an engine does with either device besides reading or writing.
type end interface {
	audio.Flusher
	io.Closer
}

// near is the loudspeaker.
type near struct {
	end
	sink  audio.Sink
	probe *probe
}

func (n *near) WriteFrame(pcm []int16) error {
	err := n.sink.WriteFrame(pcm)
	if err == nil && loud(pcm) {
		n.probe.mu.Lock()
		n.probe.heard = time.Now()
		n.probe.mu.Unlock()
	}
	return err
}

// mouth is the microphone, of which only the time is real, unless the probe wants
// more.
type mouth struct {
	end
	source audio.Source
	tone   audio.Source
	probe  *probe
}

func (m *mouth) ReadFrame(pcm []int16) error {
	if err := m.source.ReadFrame(pcm); err != nil {
		return err
	}
	if !m.probe.real {
		return m.tone.ReadFrame(pcm)
	}
	if loud(pcm) {
		m.probe.mu.Lock()
		m.probe.picked++
		m.probe.mu.Unlock()
	}
	return nil
}

// Stamp is of [media.Tracer], for what leaves.
func (p *probe) Stamp(stage media.Stage, timestamp uint32) {
	if stage != media.StageSent {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent == nil {
		p.sent = map[uint32]time.Time{}
	}
	p.sent[timestamp] = time.Now()
}

// far is the other side's ears, where it is seen which packets had sound: one
// more than had any, as a codec lets sound fade.
type far struct{ *probe }

// WriteFrame is [audio.Sink].
func (f far) WriteFrame(pcm []int16) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.played++
	if f.loud = loud(pcm); f.loud {
		f.arrived++
	}
	return nil
}

// Stamp is of [media.Tracer], for what is heard.
func (f far) Stamp(stage media.Stage, timestamp uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at, ok := f.sent[timestamp]; ok && stage == media.StagePlayed {
		delete(f.sent, timestamp)
		f.known = at
		if f.loud {
			f.said = at
		}
	}
}

// loud reports whether there is sound in pcm, and no mere rounding of a codec.
func loud(pcm []int16) bool { return audio.LevelOf(pcm).Peak > -40 }

// silences are those of many causes.
type silences struct{ muted, heard, said figures }

func (s *silences) add(one silence) {
	s.muted, s.heard, s.said = append(s.muted, one.muted), append(s.heard, one.heard), append(s.said, one.said)
}

// aFrameMore is what it takes to see the packets.
const aFrameMore = 20 * time.Millisecond

// keep reports whether s are within the limit.
func (s *silences) keep(limit time.Duration) bool {
	return s.muted.keep(limit) && s.heard.keep(limit) && s.said.keep(limit+aFrameMore)
}

// within prints how long after a cause there was silence, and demands it within a
// limit; of the packets one frame more.
func (s *silences) within(t *testing.T, since string, limit time.Duration) {
	t.Helper()
	s.muted.within(t, "from "+since+" until the engine has shut the gate", limit)
	s.heard.within(t, "from "+since+" to the last sound for the loudspeaker", limit)
	s.said.within(t, "from "+since+" to the last packet with sound", limit+aFrameMore)
}
