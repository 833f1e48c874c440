package media

import (
	"fmt"
	"sync/atomic"
	"time"

	"sotto/codecs"
	"sotto/media/audio"
	"sotto/media/jitter"
)

const (
	maxDecoded = audio.SampleRate / 1000 * 120 // codecs.MaxFrameDuration
	maxFade    = audio.SampleRate / 1000 * 5
)

// playout is the half of a Receiver that makes frames. Packets are of any
// length, frames are not: what a packet holds beyond the frame waits in pcm.
type playout struct {
	sink  audio.Sink
	trace Tracer

	opening *opening    // under which the rest came
	voices  [128]*voice // by payload type
	voice   *voice      // of the last packet; nil before the first

	have   int                                    // samples in pcm
	pcm    [audio.FrameSamples + maxDecoded]int16 // at 48 kHz
	coded  [maxDecoded]int16                      // at the codec's rate
	packet [jitter.MaxPayload]byte                // popped

	fade  [maxFade]int16 // what would have come next, had it not been skipped
	fadeN int

	began   bool   // a packet's voice begins in this frame
	beganAt uint32 // its timestamp

	undecodable atomic.Uint64
}

// voice decodes one payload type.
type voice struct {
	codecs.Codec
	decoder codecs.Decoder
	up      *audio.Resampler // nil if the codec runs at 48 kHz
}

func (p *playout) init(c ReceiverConfig, trace Tracer) error {
	p.sink, p.trace = c.Sink, trace
	for payloadType, codec := range c.Payloads {
		decoder, err := codec.NewDecoder()
		if err != nil {
			return fmt.Errorf("media: %w", err)
		}
		v := &voice{Codec: codec, decoder: decoder}
		if codec.SampleRate != audio.SampleRate {
			if v.up, err = audio.NewResampler(codec.SampleRate, audio.SampleRate); err != nil {
				return fmt.Errorf("media: %w", err)
			}
		}
		p.voices[payloadType] = v
	}
	return nil
}

// Play makes the frame that is due at now and writes it to the sink: call it
// every [FrameDuration]. The error is the sink's.
func (r *Receiver) Play(now time.Time) error {
	k := r.opening.Load()
	if !k.open() {
		return nil
	}
	p := &r.playout
	if p.opening != k {
		p.opening, p.have, p.fadeN = k, 0, 0
	}
	p.began = false
	for p.have < audio.FrameSamples {
		n, action := r.pop(now)
		p.follow(action, p.packet[:n])
	}
	err := p.sink.WriteFrame(p.pcm[:audio.FrameSamples])
	p.have = copy(p.pcm[:], p.pcm[audio.FrameSamples:p.have])
	if err != nil {
		return fmt.Errorf("media: audio sink: %w", err)
	}
	if p.began {
		p.trace.Stamp(StagePlayed, p.beganAt)
	}
	return nil
}

// pop asks the jitter buffer, which holds nothing from before the last Release
// or Revoke.
func (r *Receiver) pop(now time.Time) (int, jitter.Action) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buffer.Pop(now, r.playout.packet[:])
}

// follow does what the jitter buffer says. Every action but Skip adds samples,
// and a buffer has only so many packets to skip.
func (p *playout) follow(action jitter.Action, packet []byte) {
	switch action {
	case jitter.Play:
		p.add(p.decode(packet))
	case jitter.Skip:
		n := p.decode(packet)
		if p.fadeN == 0 {
			p.fadeN = copy(p.fade[:], p.pcm[p.have:p.have+n])
		}
	case jitter.FEC:
		p.add(p.recover(packet))
	case jitter.Conceal:
		p.add(p.conceal())
	default:
		clear(p.pcm[p.have:audio.FrameSamples])
		p.have, p.fadeN = audio.FrameSamples, 0
	}
}

// add takes over n samples behind pcm[:have]. After a skip they fade in from
// what was skipped.
func (p *playout) add(n int) {
	fresh := p.pcm[p.have : p.have+n]
	for i := range min(p.fadeN, n) {
		fresh[i] = int16((int(p.fade[i])*(p.fadeN-i) + int(fresh[i])*i) / p.fadeN)
	}
	p.have += n
	p.fadeN = 0
}

// decode puts what a packet holds behind pcm[:have] and returns its length.
func (p *playout) decode(packet []byte) int {
	payloadType, timestamp, payload := cutTag(packet)
	p.voice = p.voices[payloadType]
	n, err := p.voice.decoder.Decode(p.room(p.voice.MaxSamples()), payload)
	p.trace.Stamp(StageDecoded, timestamp)
	p.began, p.beganAt = true, timestamp
	if err != nil || n == 0 {
		p.undecodable.Add(1)
		return p.conceal()
	}
	return p.resample(n)
}

// recover makes up a lost frame from the packet after it.
func (p *playout) recover(next []byte) int {
	payloadType, _, payload := cutTag(next)
	if p.voice == nil || p.voice != p.voices[payloadType] {
		return p.conceal() // another codec knows nothing of the frame
	}
	n, err := p.voice.decoder.DecodeFEC(p.room(p.voice.FrameSamples()), payload)
	if err != nil || n == 0 {
		return p.conceal()
	}
	return p.resample(n)
}

// conceal makes up a frame from those before it.
func (p *playout) conceal() int {
	if p.voice != nil {
		if n, err := p.voice.decoder.Conceal(p.room(p.voice.FrameSamples())); err == nil && n > 0 {
			return p.resample(n)
		}
	}
	clear(p.pcm[p.have : p.have+audio.FrameSamples])
	return audio.FrameSamples
}

// room is where the voice decodes n samples to: straight into pcm if it runs
// at 48 kHz.
func (p *playout) room(n int) []int16 {
	if p.voice.up == nil {
		return p.pcm[p.have : p.have+n]
	}
	return p.coded[:n]
}

// resample brings n samples in room to 48 kHz behind pcm[:have].
func (p *playout) resample(n int) int {
	if p.voice.up == nil {
		return n
	}
	return p.voice.up.Process(p.pcm[p.have:], p.coded[:n])
}
