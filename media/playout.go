package media

import (
	"fmt"
	"sync/atomic"
	"time"

	"sotto/codecs"
	"sotto/media/audio"
	"sotto/media/jitter"
	"sotto/media/timescale"
)

const (
	maxDecoded = audio.SampleRate / 1000 * 120 // codecs.MaxFrameDuration
	// stepSamples is the half of a frame.
	stepSamples = int(jitter.Step * audio.SampleRate / time.Second)
	// past is how much of what was played is kept, to join what comes to it.
	past = timescale.MaxPast
	// slide is how far what is kept and what is here may move on in pcm before they
	// are brought back to its beginning.
	slide = 4 * audio.FrameSamples
	// joinLen is how long it takes where one source of sound follows another,
	// 5 ms.
	joinLen = audio.SampleRate / 1000 * 5
	// primeLen is longer than the memory of a resampler, in samples it takes.
	primeLen = 80
)

// playout is the half of a Receiver that makes frames: it does what the jitter
// buffer decides. Packets are of any length, frames are not: what a packet
// holds beyond the frame waits in pcm.
type playout struct {
	sink  audio.Sink
	gate  *Gate
	trace Tracer

	opening *opening // under which the rest came
	stream  uint64   // that is being played, as ReceiverStats.Streams counts them
	voice   *voice   // of its last packet; nil before the first
	start   int      // of the past in pcm
	have    int      // samples behind the past
	frame   int      // samples of the frame that are to be made

	from    *voice // what the last samples came from, nil for silence
	joining int    // samples to come that fade in from what was before
	ended   int    // its last sample

	change jitter.Action // of the length, wanted by the last pop
	scaler *timescale.Scaler

	began   bool   // a packet's voice begins in this frame
	beganAt uint32 // its timestamp

	undecodable           atomic.Uint64
	accelerated, expanded atomic.Uint64 // samples

	// What is long comes last, so that the others share few lines of the cache.
	packet [jitter.MaxPayload]byte // popped
	voices [128]*voice             // by payload type; none changes
	pcm    [slide + past + audio.FrameSamples + maxDecoded + timescale.MaxChange]int16
	coded  [maxDecoded]int16 // at the codec's rate
}

// voice decodes one payload type.
type voice struct {
	codecs.Codec
	decoder codecs.Decoder
	up      *audio.Resampler // nil if the codec runs at 48 kHz
	lasts   time.Duration    // a packet, by the last one that was decoded
	stream  uint64           // that decoder is of; 0: of none yet
}

func (p *playout) init(c ReceiverConfig, trace Tracer) error {
	p.sink, p.gate, p.trace, p.frame = c.Sink, c.Gate, trace, audio.FrameSamples
	var err error
	if p.scaler, err = timescale.New(1); err != nil {
		return fmt.Errorf("media: %w", err)
	}
	for payloadType, codec := range c.Payloads {
		decoder, err := codec.NewDecoder()
		if err != nil {
			return fmt.Errorf("media: %w", err)
		}
		v := &voice{Codec: codec, decoder: decoder, lasts: FrameDuration}
		if codec.SampleRate != audio.SampleRate {
			if v.up, err = audio.NewResampler(codec.SampleRate, audio.SampleRate); err != nil {
				return fmt.Errorf("media: %w", err)
			}
		}
		p.voices[payloadType] = v
	}
	return nil
}

// Play makes the frame that is due at now and writes it to the sink, or half of it if
// what comes next is not here yet, and the other half the next time. It returns how
// long what is made takes to be heard: call it again then. The error is the sink's.
func (r *Receiver) Play(now time.Time) (time.Duration, error) {
	k, p := r.opening.Load(), &r.playout
	if !k.open() {
		return length(p.made(p.frame)), nil
	}
	if p.opening != k {
		p.opening, p.start, p.have, p.from, p.joining = k, 0, 0, nil, 0
		clear(p.pcm[:])
	}
	p.began, p.change = false, jitter.Action{}
	r.fill(now)
	if p.change.Length > 0 {
		p.stretch()
		r.fill(now)
	}
	n := p.made(min(p.have, p.frame) / stepSamples * stepSamples)
	err := p.write(p.pcm[p.start+past:][:n])
	p.leave(n)
	if err != nil {
		return length(n), fmt.Errorf("media: audio sink: %w", err)
	}
	if p.began {
		p.trace.Stamp(StagePlayed, p.beganAt)
	}
	return length(n), nil
}

// made takes n samples off the frame, and begins the next one after the last. It
// returns n.
func (p *playout) made(n int) int {
	if p.frame -= n; p.frame == 0 {
		p.frame = audio.FrameSamples
	}
	return n
}

// leave makes the first n samples that are here past.
func (p *playout) leave(n int) {
	p.start += n
	p.have -= n
	if p.start > slide {
		copy(p.pcm[:], p.pcm[p.start:][:past+p.have])
		p.start = 0
	}
}

// behind is the room behind what is here.
func (p *playout) behind() []int16 { return p.pcm[p.start+past+p.have:] }

// write gives the sink a frame, or silence. What the gate was shut over is not
// to be played either: who has shut it may have flushed the sink before it had
// the frame.
func (p *playout) write(frame []int16) error {
	passes := p.gate.Passes()
	if !passes {
		clear(frame)
	}
	err := p.sink.WriteFrame(frame)
	if f, ok := p.sink.(audio.Flusher); ok && passes && !p.gate.Passes() {
		f.Flush()
	}
	return err
}

// fill makes the frame full, or half of it. Every action adds samples, and a
// buffer has only so many packets too short to add any.
func (r *Receiver) fill(now time.Time) {
	p := &r.playout
	for p.have < p.frame {
		n, action := r.pop(now)
		if action.Kind == jitter.Later {
			return
		}
		p.follow(action, p.packet[:n])
	}
}

// pop asks the jitter buffer, which holds nothing from before the last Release
// or Revoke, nor of a source that another one has taken over from.
func (r *Receiver) pop(now time.Time) (int, jitter.Action) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := &r.playout; p.stream != r.stats.Streams {
		p.stream, p.voice = r.stats.Streams, nil
		p.join(nil)
	}
	return r.buffer.Pop(now, length(r.playout.have), r.playout.packet[:])
}

// length is how long n samples take, and samples how many there are in d, at
// rate Hz.
func length(n int) time.Duration { return time.Duration(n) * time.Second / audio.SampleRate }

func samples(rate int, d time.Duration) int { return int(time.Duration(rate) * d / time.Second) }

// follow does what the jitter buffer says.
func (p *playout) follow(action jitter.Action, packet []byte) {
	switch action.Kind {
	case jitter.Play:
		p.decode(packet)
	case jitter.Accelerate, jitter.Expand:
		p.change = action // of the whole frame, when it is full
		p.decode(packet)
	case jitter.FEC:
		p.recover(packet, action.Length)
	case jitter.Conceal, jitter.Noise:
		p.conceal(action.Length)
	default:
		p.silence(min(samples(audio.SampleRate, action.Length), p.frame-p.have))
	}
}

// stretch changes the length of what is here as the jitter buffer wants, as
// far as speech allows.
func (p *playout) stretch() {
	limit := samples(audio.SampleRate, p.change.Length)
	pcm := p.pcm[p.start:][:past+p.have]
	if p.change.Kind == jitter.Accelerate {
		n := p.scaler.Shorten(pcm, past, limit)
		p.have -= n
		p.accelerated.Add(uint64(n))
		return
	}
	n := p.scaler.Lengthen(pcm, past, limit)
	p.have += n
	p.expanded.Add(uint64(n))
}

// add takes over n samples behind what is here. Where they are of another
// source than those before, they fade in from where those ended: nothing jumps.
func (p *playout) add(n int, from *voice) {
	fresh := p.behind()[:n]
	if from != p.from {
		p.join(from)
	}
	for i := range min(p.joining, n) {
		fresh[i] = int16((p.ended*p.joining + int(fresh[i])*(joinLen-p.joining)) / joinLen)
		p.joining--
	}
	p.have += n
}

// join has what comes next, from another source, fade in from where what is here ends.
func (p *playout) join(from *voice) {
	p.from, p.joining, p.ended = from, joinLen, int(p.pcm[p.start+past+p.have-1])
}

// silence adds n samples of it.
func (p *playout) silence(n int) {
	clear(p.behind()[:n])
	p.add(n, nil)
}

// decode adds what a packet holds, or as much as the one before if its codec refuses
// it: with more or less, what follows would be heard later or sooner.
func (p *playout) decode(packet []byte) {
	payloadType, timestamp, payload := cutTag(packet)
	p.voice = p.voices[payloadType]
	p.renew()
	n, err := p.voice.decoder.Decode(p.room(p.voice.MaxSamples()), payload)
	p.trace.Stamp(StageDecoded, timestamp)
	p.began, p.beganAt = true, timestamp
	if err != nil || n == 0 {
		p.undecodable.Add(1)
		p.conceal(p.voice.lasts)
		return
	}
	p.voice.lasts = time.Duration(n) * time.Second / time.Duration(p.voice.SampleRate)
	p.take(n)
}

// renew gives a voice that has decoded another stream a new decoder: the old one goes
// on from what it has heard last.
func (p *playout) renew() {
	v := p.voice
	if v.stream != p.stream && v.stream != 0 {
		if decoder, err := v.NewDecoder(); err == nil { // as it was for the first
			v.decoder, v.lasts = decoder, FrameDuration
		}
	}
	v.stream = p.stream
}

// recover makes up a lost packet of length d from the one after it.
func (p *playout) recover(next []byte, d time.Duration) {
	payloadType, _, payload := cutTag(next)
	if p.voice == nil || p.voice != p.voices[payloadType] {
		p.conceal(d) // another codec knows nothing of the packet
		return
	}
	n, err := p.voice.decoder.DecodeFEC(p.room(samples(p.voice.SampleRate, d)), payload)
	if err != nil || n == 0 {
		p.conceal(d)
		return
	}
	p.take(n)
}

// conceal makes up d from what was before it.
func (p *playout) conceal(d time.Duration) {
	if p.voice != nil {
		if n, err := p.voice.decoder.Conceal(p.room(samples(p.voice.SampleRate, d))); err == nil && n > 0 {
			p.take(n)
			return
		}
	}
	p.silence(samples(audio.SampleRate, d))
}

// room is where the voice decodes n samples to: straight into pcm if it runs
// at 48 kHz.
func (p *playout) room(n int) []int16 {
	if p.voice.up == nil {
		return p.behind()[:n]
	}
	return p.coded[:n]
}

// take adds n samples from room, at 48 kHz.
func (p *playout) take(n int) {
	v := p.voice
	if v.up != nil {
		if p.from != v { // what it remembers is long past
			var held [primeLen]int16
			for i := range held {
				held[i] = p.coded[0]
			}
			v.up.Process(p.behind(), held[:])
		}
		n = v.up.Process(p.behind(), p.coded[:n])
	}
	p.add(n, v)
}
