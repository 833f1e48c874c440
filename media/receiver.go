package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sotto/codecs"
	"sotto/media/audio"
	"sotto/media/jitter"
	"sotto/media/protect"
	"sotto/media/route"
)

// ReceiverConfig describes the stream that a Receiver plays.
type ReceiverConfig struct {
	Sink audio.Sink // stays the caller's to close
	// Payloads maps the payload types of our SDP to codecs; the peer may
	// change between them at any time.
	Payloads map[uint8]codecs.Codec
	// TelephoneEvents are the payload types of RFC 4733 events, one for each
	// clock rate. Digits tells them, and nobody hears them.
	TelephoneEvents []uint8
	// MinDelay is the least that the jitter buffer wants, from 2.5 to 640 ms; 0: 10 ms.
	MinDelay time.Duration
	// Secure demands verified routes and refuses clear voice, see the package.
	Secure bool
	Gate   *Gate  // nil: always open
	Trace  Tracer // nil: none
}

// takeOver is how long a source has to be silent until another one is heard.
// A peer that restarts its stream has such a gap; two sources at a time, one
// of them perhaps a stranger's, cannot take turns.
const takeOver = 5 * FrameDuration

// Receiver turns packets into frames for a sink. HandleRTP is called by one
// goroutine, Play by one, all other methods by any.
type Receiver struct {
	secure bool
	trace  Tracer

	opening atomic.Pointer[opening]
	digits  chan byte

	mu        sync.Mutex // guards what follows, up to the playout's own
	buffer    *jitter.Buffer
	source    source
	listening listening
	stats     ReceiverStats

	playout playout   // owned by the goroutine that plays, but voices
	events  [128]bool // payload types of telephone events
}

// opening is what Release, ReleaseClear and Revoke set. Its address tells one
// release from the next, so nothing received under one is played under another.
type opening struct {
	opener        *protect.Opener // nil in the clear and after Revoke
	clear         bool
	authenticated atomic.Bool
	wear          wear
}

// open reports whether something may flow under k; nil is before any release.
func (k *opening) open() bool { return k != nil && (k.clear || k.opener != nil) }

// NewReceiver makes a Receiver.
func NewReceiver(c ReceiverConfig) (*Receiver, error) {
	switch {
	case c.Sink == nil:
		return nil, errors.New("media: receiver without a sink")
	case len(c.Payloads) == 0:
		return nil, errors.New("media: receiver without a codec")
	}
	r := &Receiver{secure: c.Secure, trace: orNone(c.Trace), digits: make(chan byte, maxHeard)}
	for payloadType, codec := range c.Payloads {
		if payloadType > 127 || slices.Contains(c.TelephoneEvents, payloadType) {
			return nil, fmt.Errorf("media: payload type %d cannot be %s", payloadType, codec.Name)
		}
		r.source.clock = codec.ClockRate
	}
	for _, payloadType := range c.TelephoneEvents {
		if payloadType > 127 {
			return nil, fmt.Errorf("media: payload type %d cannot be telephone-event", payloadType)
		}
		r.events[payloadType] = true
	}
	var err error
	if r.buffer, err = jitter.New(jitter.Config{ClockRate: r.source.clock, MinDelay: c.MinDelay}); err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	if err = r.playout.init(c, r.trace); err != nil {
		return nil, err
	}
	return r, nil
}

// Release gives the Receiver keys; what arrived before is not played any more.
// In secure mode v has to be valid ([ErrRoute]). The Receiver uses the opener
// from the goroutine that calls HandleRTP, until that has ended or a later
// Release.
func (r *Receiver) Release(v route.Verified, opener *protect.Opener) error {
	if r.secure && !v.Valid() {
		return ErrRoute
	}
	if opener == nil {
		return ErrKeys
	}
	r.change(&opening{opener: opener})
	return nil
}

// ReleaseClear has the Receiver play RTP without keys, until Release. The error
// is [ErrNoClear].
func (r *Receiver) ReleaseClear() error {
	if r.secure || !r.opening.CompareAndSwap(nil, &opening{clear: true}) {
		return ErrNoClear
	}
	return nil
}

// Revoke stops the Receiver until the next Release: the sink is not written
// and what arrives is dropped, in secure mode or not. Only a frame that is
// being played is not called back.
func (r *Receiver) Revoke() { r.change(&opening{}) }

func (r *Receiver) change(k *opening) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opening.Store(k)
	r.source = source{clock: r.source.clock}
	r.buffer.Reset(r.source.clock)
}

// Authenticated reports whether a packet has authenticated under the keys of
// the last Release.
func (r *Receiver) Authenticated() bool {
	k := r.opening.Load()
	return k != nil && k.authenticated.Load()
}

// HandleRTP takes an RTP or SRTP packet that arrived at now. It is opened in
// place, so the bytes are not what they were; nothing keeps them. What cannot
// be used is dropped and counted in Stats.
func (r *Receiver) HandleRTP(now time.Time, pkt []byte) {
	if len(pkt) >= headerLen {
		r.trace.Stamp(StageReceived, binary.BigEndian.Uint32(pkt[4:]))
	}
	k := r.opening.Load()
	n, err := r.open(k, pkt)
	if err == nil {
		var h rtpHeader
		var start, end int
		if h, start, end, err = parseRTP(pkt[:n]); err == nil {
			r.trace.Stamp(StageOpened, h.timestamp)
			if r.queue(arrival{now, k, h, pkt[start-tagLen : end]}) {
				r.trace.Stamp(StageQueued, h.timestamp)
			}
			return
		}
	}
	r.mu.Lock()
	r.stats.Discarded.count(err)
	r.mu.Unlock()
}

// errClear says that a packet came in the clear, or before the keys.
var errClear = errors.New("media: not encrypted")

// open makes pkt an RTP packet and returns its length.
func (r *Receiver) open(k *opening, pkt []byte) (int, error) {
	if !k.open() {
		return 0, errClear
	}
	if k.clear {
		return len(pkt), nil
	}
	n, err := k.opener.Open(pkt)
	if err != nil {
		return 0, err
	}
	if !k.authenticated.Load() { // a store would lock the memory for each packet
		k.authenticated.Store(true)
	}
	k.wear.packet(k.opener)
	return n, nil
}

// count counts a packet by the error that it met.
func (d *Discarded) count(err error) {
	switch {
	case errors.Is(err, errClear), errors.Is(err, protect.ErrClosed):
		d.Clear++
	case errors.Is(err, protect.ErrAuth):
		d.Auth++
	case errors.Is(err, protect.ErrReplay):
		d.Replay++
	case errors.Is(err, protect.ErrStreams):
		d.OtherSource++
	default:
		d.Malformed++
	}
}

// hears reports whether ssrc is the source being heard.
func (r *Receiver) hears(ssrc uint32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.source.heard && r.source.ssrc == ssrc
}

// Stats returns what was counted so far.
func (r *Receiver) Stats() ReceiverStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, b := r.stats, r.buffer.Stats()
	s.Lost, s.Late, s.Duplicate = b.Lost, s.Late+b.Late, b.Duplicate
	s.Concealed, s.Recovered, s.Skipped = b.Concealed, b.Recovered, b.Skipped
	s.Discarded.Malformed += b.Oversized
	s.Discarded.StrayTimestamp, s.Restarts = b.Stray, b.Restarts
	s.Discarded.StrayNumber = b.Far
	s.Delay, s.Target, s.Jitter = b.Delay, b.Target, ticks(b.Jitter, r.source.clock)
	s.Undecodable = r.playout.undecodable.Load()
	s.Accelerated, s.Expanded = length(int(r.playout.accelerated.Load())), length(int(r.playout.expanded.Load()))
	return s
}

// ticks is n units of a clock as time.
func ticks(n uint32, clockRate int) time.Duration {
	return time.Duration(int64(n) * int64(time.Second) / int64(clockRate))
}
