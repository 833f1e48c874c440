package voice

import (
	"io"
	"sync/atomic"

	"sotto/media/audio"
)

// Couple puts p between a call and its devices: what goes into the returned sink
// is taken out of what comes from the returned source. Each of the two belongs to
// a goroutine of its own, as before, p to that of the source, and their Close
// closes the device.
func Couple(source audio.Source, sink audio.Sink, p *Processor) (audio.Source, audio.Sink) {
	far := &reference{}
	return &microphone{source: source, processor: p, reference: far}, &loudspeaker{sink: sink, reference: far}
}

type microphone struct {
	source    audio.Source
	processor *Processor
	reference *reference
	far       [audio.FrameSamples]int16
	flushed   atomic.Bool // what the processor still holds is not to be heard
}

// ReadFrame reads what is left of a frame of the device.
func (m *microphone) ReadFrame(pcm []int16) error {
	if err := m.source.ReadFrame(pcm); err != nil {
		return err
	}
	m.reference.take(&m.far)
	if m.flushed.Swap(false) {
		m.forget()
	}
	m.processor.Process(pcm, m.far[:])
	return nil
}

// forget has silence push out what the processor holds back.
func (m *microphone) forget() {
	for range 2 { // it looks at two at a time
		var near, far [audio.FrameSamples]int16
		m.processor.Process(near[:], far[:])
	}
}

// Flush implements [audio.Flusher]: what was heard before is not read any more.
func (m *microphone) Flush() {
	flushEnd(m.source)
	m.flushed.Store(true)
}

// Close closes the device, if it can be.
func (m *microphone) Close() error { return closeEnd(m.source) }

type loudspeaker struct {
	sink      audio.Sink
	reference *reference
}

// WriteFrame writes a frame to the device, and keeps it for the microphone.
func (l *loudspeaker) WriteFrame(pcm []int16) error {
	l.reference.put(pcm)
	return l.sink.WriteFrame(pcm)
}

// Flush implements [audio.Flusher], for a device that does.
func (l *loudspeaker) Flush() { flushEnd(l.sink) }

// Close closes the device, if it can be.
func (l *loudspeaker) Close() error { return closeEnd(l.sink) }

func flushEnd(end any) {
	if f, ok := end.(audio.Flusher); ok {
		f.Flush()
	}
}

func closeEnd(end any) error {
	if c, ok := end.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

const (
	// A reference hands over with one frame in reserve, so that it does not matter
	// which of its sides is a little late. At more than most it starts anew.
	reserve = 1
	most    = 4
	slots   = 8
)

// reference hands frames from the goroutine of the sink to that of the source,
// without a lock. The distance between the two stays what it is, because an echo
// canceller has to learn anew when it changes.
type reference struct {
	frames  [slots][audio.FrameSamples]int16
	written atomic.Uint64 // frames, counted by the sink
	half    int           // samples of the next one that are here; owned by the sink
	full    bool          // there is no room for it; owned by the sink
	read    atomic.Uint64 // frames, counted by the source
	running bool          // owned by the source
}

// put adds a frame or half of one, which comes with the other half; a full
// reference drops it. A half without another is forgotten. For the sink.
func (r *reference) put(pcm []int16) {
	at := r.written.Load()
	if r.half+len(pcm) > audio.FrameSamples {
		r.half = 0
	}
	if r.half == 0 {
		r.full = at-r.read.Load() >= slots
	}
	if !r.full {
		copy(r.frames[at%slots][r.half:], pcm)
	}
	if r.half = (r.half + len(pcm)) % audio.FrameSamples; r.half == 0 && !r.full {
		r.written.Store(at + 1)
	}
}

// take fills far with the next frame, or with silence if there is none. For the
// source.
func (r *reference) take(far *[audio.FrameSamples]int16) {
	at := r.read.Load()
	waiting := r.written.Load() - at
	if waiting > most {
		at += waiting - reserve - 1
		waiting = reserve + 1
	}
	r.running = waiting > reserve || r.running && waiting > 0
	if r.running {
		*far = r.frames[at%slots]
		at++
	} else {
		clear(far[:])
	}
	r.read.Store(at)
}
