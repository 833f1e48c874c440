package media

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"sotto/codecs"
	"sotto/media/audio"
	"sotto/media/protect"
	"sotto/media/route"
)

// SenderConfig describes the stream that a Sender makes.
type SenderConfig struct {
	Source audio.Source // stays the caller's to close
	Codec  codecs.Codec
	Coding codecs.Options
	// PayloadType is the codec's, as the peer's SDP maps it.
	PayloadType uint8
	// TelephoneEvent is the payload type of RFC 4733 events, as the peer's SDP
	// maps it, and EventClock the clock rate in Hz of their durations. Their
	// timestamps are those of the stream. 0: the peer takes none.
	TelephoneEvent uint8
	EventClock     int
	// SSRC, Sequence and Timestamp are where the stream starts: random
	// (RFC 3550 §5.1). The top bit of Sequence is cleared: a receiver that
	// misses the first packets then still counts roll-overs right
	// (RFC 3711 §3.3.1).
	SSRC      uint32
	Sequence  uint16
	Timestamp uint32
	// Write sends one datagram. It does not keep the slice.
	Write func([]byte) error
	// Secure demands verified routes and refuses clear voice, see the package.
	Secure bool
	Gate   *Gate  // nil: always open
	Trace  Tracer // nil: none
}

// Sender turns the frames of a source into packets. Prepare, Send, Skip and Tick
// are called by one goroutine, which owns every field that is not atomic; all
// other methods by any.
type Sender struct {
	cfg     SenderConfig
	encoder codecs.Encoder
	down    *audio.Resampler   // nil if the codec runs at 48 kHz
	adapter codecs.LossAdapter // nil if the codec repairs nothing

	interval  time.Duration // of ticks
	step      uint32        // timestamp units in one tick
	tickLen   int           // samples at the codec's rate in one tick
	packetLen int           // and in a packet
	ticks     int           // that a packet takes

	digits  chan string // to be sent; any goroutine puts them in
	dialing dialing

	sequence   uint16 // of the next packet
	payloadLen int    // of every packet; 0: it varies
	quiet      bool   // the last packet began a pause (DTX)
	ended      bool   // the source has
	expected   int32  // loss that the encoder knows of

	have  int      // samples in queue
	tick  int      // ticks of the packet that have passed
	began *sealing // under which they were; nil: none
	stamp uint32   // of the packet

	muted     atomic.Bool
	finished  atomic.Bool   // ended, for other goroutines
	loss      atomic.Int32  // for the encoder to expect, in per cent
	timestamp atomic.Uint32 // of the next frame
	missed    atomic.Uint64 // frames

	// What Send needs lies together, in few cache lines: between Prepare and Send
	// other streams have the cache.
	trace   Tracer
	write   func([]byte) error // cfg's
	sealing atomic.Pointer[sealing]
	held    atomic.Bool
	paused  bool     // nothing went out last time, so the next has a marker
	ready   struct { // what Prepare left for Send
		n       int // bytes of pkt; 0: nothing
		octets  int // of payload
		stamp   uint32
		sealing *sealing
	}
	packets atomic.Uint64
	octets  atomic.Uint64   // of payload
	pkt     [maxPacket]byte // header, payload and tag, in place

	queue [maxPacketSamples]int16   // at the codec's rate, until there is a packet of it
	pcm   [audio.FrameSamples]int16 // on the way to a codec that has another rate
}

// maxPacketSamples is the longest packet that is sent.
const maxPacketSamples = audio.SampleRate * int(codecs.MaxPacketTime/time.Millisecond) / 1000

// sealing is what Release, ReleaseClear and Revoke set. Its address tells one
// release from the next, so a packet sealed under one never leaves under
// another.
type sealing struct {
	sealer *protect.Sealer // nil in the clear and after Revoke
	clear  bool
	wear   wear
}

// open reports whether something may flow under k; nil is before any release.
func (k *sealing) open() bool { return k != nil && (k.clear || k.sealer != nil) }

// NewSender makes a Sender.
func NewSender(c SenderConfig) (*Sender, error) {
	switch {
	case c.Source == nil:
		return nil, errors.New("media: sender without a source")
	case c.Write == nil:
		return nil, errors.New("media: sender without a way to send")
	case !Sendable(c.PayloadType):
		return nil, fmt.Errorf("media: payload type %d cannot be sent", c.PayloadType)
	case c.TelephoneEvent != 0 && (!Sendable(c.TelephoneEvent) || c.TelephoneEvent == c.PayloadType || c.EventClock <= 0):
		return nil, fmt.Errorf("media: telephone events cannot be sent as payload type %d, %d Hz", c.TelephoneEvent, c.EventClock)
	case c.Secure && (c.Coding.VBR || c.Coding.DTX):
		return nil, ErrVaries
	}
	encoder, err := c.Codec.NewEncoder(c.Coding)
	if err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	s := &Sender{
		cfg:      c,
		encoder:  encoder,
		trace:    orNone(c.Trace),
		write:    c.Write,
		digits:   make(chan string, maxWaiting),
		sequence: c.Sequence &^ (1 << 15),
		paused:   true,

		packetLen:  c.Codec.PacketSamples(c.Coding),
		payloadLen: c.Codec.PacketBytes(c.Coding),
	}
	s.adapter, _ = encoder.(codecs.LossAdapter)
	s.expectFirst()
	s.timestamp.Store(c.Timestamp)
	packet := time.Duration(s.packetLen) * time.Second / time.Duration(c.Codec.SampleRate)
	s.interval = min(packet, FrameDuration)
	s.step, s.tickLen = uint32(samples(c.Codec.ClockRate, s.interval)), samples(c.Codec.SampleRate, s.interval)
	s.ticks = int(packet / s.interval)
	s.dialing = newDialing(packet, c.EventClock)
	if c.Codec.SampleRate != audio.SampleRate {
		if s.down, err = audio.NewResampler(audio.SampleRate, c.Codec.SampleRate); err != nil {
			return nil, fmt.Errorf("media: %w", err)
		}
	}
	return s, nil
}

// Release gives the Sender keys; from the next frame on it sends under them.
// In secure mode v has to be valid ([ErrRoute]). The Sender uses the sealer
// from the goroutine that ticks, until that has ended or a later Release.
func (s *Sender) Release(v route.Verified, sealer *protect.Sealer) error {
	if s.cfg.Secure && !v.Valid() {
		return ErrRoute
	}
	if sealer == nil {
		return ErrKeys
	}
	s.sealing.Store(&sealing{sealer: sealer})
	return nil
}

// ReleaseClear has the Sender send RTP without keys, until Release. The error
// is [ErrNoClear].
func (s *Sender) ReleaseClear() error {
	if s.cfg.Secure || !s.sealing.CompareAndSwap(nil, &sealing{clear: true}) {
		return ErrNoClear
	}
	return nil
}

// Revoke stops the Sender until the next Release: the source is not read and
// nothing is sent, in secure mode or not. Only a write that has begun is not
// called back.
func (s *Sender) Revoke() { s.sealing.Store(&sealing{}) }

// Mute replaces what the source says by silence, coded and sent like speech.
func (s *Sender) Mute(on bool) { s.muted.Store(on) }

// Hold stops reading and sending, for a stream that the peer does not receive
// (RFC 3264 §8.4); time goes on in the timestamps.
func (s *Sender) Hold(on bool) { s.held.Store(on) }

// ExpectLoss tells the encoder what share of the packets, in per cent, it shall
// prepare for losing, if it can. That changes what is in packets, and not their
// length. Where Coding.ExpectedLoss is 0, [Reports] calls it.
func (s *Sender) ExpectLoss(percent int) {
	if s.adapter != nil {
		s.loss.Store(int32(min(max(percent, 0), 100)))
	}
}

// expectFirst settles what loss is expected until somebody knows better.
func (s *Sender) expectFirst() {
	switch loss := s.cfg.Coding.ExpectedLoss; {
	case s.adapts():
		s.loss.Store(int32(lossSteps[firstStep].expect))
		s.expected = -1 // the encoder does not know yet
	case s.adapter != nil && loss > 0:
		s.loss.Store(int32(loss))
		s.expected = int32(loss)
	}
}

// adapts reports whether the loss to expect follows the peer's reports.
func (s *Sender) adapts() bool { return s.adapter != nil && s.cfg.Coding.ExpectedLoss == 0 }

// Interval is how often the Sender has to tick: every [FrameDuration], or more
// often if packets are shorter. Longer packets take several ticks.
func (s *Sender) Interval() time.Duration { return s.interval }

// Tick is Prepare and Send: call it every [Sender.Interval].
func (s *Sender) Tick() error { return errors.Join(s.Prepare(), s.Send()) }

// Prepare reads a frame, if there is not enough from before, and makes the packet
// that is full with it, if one is. After the source's end frames are silence. An
// error of the source is returned, and silence is prepared in place of the
// frame, so that the rhythm of packets does not show it.
func (s *Sender) Prepare() error {
	stamp := s.advance()
	k := s.sealing.Load()
	if !s.may(k) {
		s.paused = true
		s.began = nil
		return nil
	}
	if k != s.began { // what was heard before, on hold or under another release, stays behind
		s.began, s.tick, s.have = k, 0, 0
		if f, ok := s.cfg.Source.(audio.Flusher); ok {
			f.Flush()
		}
	}
	if s.tick == 0 {
		s.stamp = stamp
	}
	s.tick++
	var failed error
	if s.have < s.tick*s.tickLen {
		failed = s.capture()
		s.trace.Stamp(StageCaptured, s.stamp)
	}
	if s.silenced() { // what was heard before goes no further
		clear(s.queue[:s.have])
	}
	if s.tick < s.ticks {
		return failed
	}
	s.tick = 0
	if err := s.pack(k); err != nil {
		s.paused = true
		return errors.Join(failed, fmt.Errorf("media: send: %w", err))
	}
	return failed
}

// pack makes the packet that is full, under k.
func (s *Sender) pack(k *sealing) error {
	n, err := s.encode()
	if err != nil || n == 0 {
		return err
	}
	s.ready.octets = n - headerLen
	if s.pkt[0]&rtpPadding != 0 { // its last byte counts it, and a report does not (RFC 3550 §6.4.1)
		s.ready.octets -= int(s.pkt[n-1])
	}
	if !k.clear {
		if n, err = k.sealer.Seal(s.pkt[:], n); err != nil {
			return err
		}
		k.wear.packet(k.sealer)
	}
	s.trace.Stamp(StageSealed, s.stamp)
	s.sequence++
	s.ready.n, s.ready.stamp, s.ready.sealing = n, s.stamp, k
	return nil
}

// Skip lets the time of one tick pass, when it is too late to make a packet of
// it. The source is not read: what it has keeps until there is time.
func (s *Sender) Skip() {
	s.advance()
	if s.may(s.sealing.Load()) {
		s.missed.Add(1)
	}
}

// advance begins a tick and returns its timestamp.
func (s *Sender) advance() uint32 {
	s.ready.n = 0
	stamp := s.timestamp.Load()
	s.timestamp.Store(stamp + s.step)
	return stamp
}

// Send writes the packet that Prepare made, if it still may leave.
func (s *Sender) Send() error {
	n := s.ready.n
	s.ready.n = 0
	if n == 0 {
		return nil
	}
	if s.held.Load() || s.sealing.Load() != s.ready.sealing { // which was open
		s.paused = true
		return nil
	}
	if err := s.write(s.pkt[:n]); err != nil {
		return fmt.Errorf("media: send: %w", err)
	}
	s.trace.Stamp(StageSent, s.ready.stamp)
	s.paused = false
	s.packets.Add(1)
	s.octets.Add(uint64(s.ready.octets))
	return nil
}

// may reports whether something may be sent under k now.
func (s *Sender) may(k *sealing) bool { return !s.held.Load() && k.open() }

// silenced reports whether silence takes the place of voice now.
func (s *Sender) silenced() bool { return s.muted.Load() || !s.cfg.Gate.Passes() }

// capture reads a frame into the queue. A muted source is read all the same, so
// that it does not speak of the past when it is heard again.
func (s *Sender) capture() error {
	defer s.enqueue()
	if s.ended {
		clear(s.frame())
		return nil
	}
	before := s.silenced() // and not only when the frame has been read
	pcm := s.frame()
	err := s.cfg.Source.ReadFrame(pcm)
	if err != nil || before || s.silenced() {
		clear(pcm)
	}
	if errors.Is(err, io.EOF) {
		s.ended = true
		s.finished.Store(true)
		return nil
	}
	if err != nil {
		return fmt.Errorf("media: audio source: %w", err)
	}
	return nil
}

// frame is where the next frame is read to: the queue, if that has its rate.
func (s *Sender) frame() []int16 {
	if s.down == nil {
		return s.queue[s.have:][:audio.FrameSamples]
	}
	return s.pcm[:]
}

// enqueue takes over what was read to frame.
func (s *Sender) enqueue() {
	if s.down == nil {
		s.have += audio.FrameSamples
		return
	}
	s.have += s.down.Process(s.queue[s.have:], s.pcm[:])
}

// encode makes the RTP packet of what has waited longest, in pkt, and returns its
// length; 0 if nothing is to be sent, in a pause.
func (s *Sender) encode() (int, error) {
	if loss := s.loss.Load(); loss != s.expected {
		if err := s.adapter.ExpectLoss(int(loss)); err != nil {
			return 0, err
		}
		s.expected = loss
	}
	payload := s.pkt[headerLen : maxPacket-protect.MaxTagLen]
	n, err := s.encoder.Encode(payload, s.queue[:s.packetLen])
	s.have = copy(s.queue[:], s.queue[s.packetLen:s.have])
	if err != nil {
		return 0, err
	}
	if s.payloadLen != 0 && n != s.payloadLen { // a length that varies tells what is said: RFC 6562 §3
		return 0, fmt.Errorf("payload of %d bytes in a stream of %d", n, s.payloadLen)
	}
	h := rtpHeader{
		marker:      s.paused, // RFC 3551 §4.1
		payloadType: s.cfg.PayloadType,
		sequence:    s.sequence,
		timestamp:   s.stamp,
		ssrc:        s.cfg.SSRC,
	}
	if s.pauses(payload[:n]) {
		n = 0
	}
	flags, n := s.dial(&h, n)
	if n == 0 {
		s.paused = true
		return 0, nil
	}
	h.put(s.pkt[:])
	s.pkt[0] |= flags
	s.trace.Stamp(StageEncoded, s.stamp)
	return headerLen + n, nil
}

// pauses reports whether a payload need not be sent: it belongs to a pause, and
// so did the one before it, which has told the peer.
func (s *Sender) pauses(payload []byte) bool {
	if !s.cfg.Coding.DTX {
		return false
	}
	before := s.quiet
	_, s.quiet = s.cfg.Codec.Inspect(payload)
	return before && s.quiet
}

// Stats returns what was counted so far.
func (s *Sender) Stats() SenderStats {
	return SenderStats{
		PacketsSent: s.packets.Load(),
		BytesSent:   s.octets.Load(),
		Missed:      s.missed.Load(),
		SourceEnded: s.finished.Load(),

		ExpectedLoss: int(s.loss.Load()),
	}
}
