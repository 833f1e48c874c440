package audio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
)

const (
	wavHeaderBytes = 44
	// wavSyncFrames is how often the sizes in the header are brought up to
	// date: a file left behind by a process that died is good but for its last
	// second.
	wavSyncFrames = 50
)

// ErrWAVFull says that a WAV file can't grow further: sizes have 32 bits,
// which is 12 hours.
var ErrWAVFull = errors.New("audio: WAV file is full")

// WAVSink records into a WAV file: 48 kHz, mono, 16 bits.
type WAVSink struct {
	file   *os.File
	bytes  int64 // of samples written
	frames int   // since the header was brought up to date
	head   [wavHeaderBytes]byte
	raw    [2 * FrameSamples]byte
}

// CreateWAV makes the file, which only its owner can read, or empties it. The
// caller closes the sink.
func CreateWAV(path string) (*WAVSink, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audio: %w", err)
	}
	s := &WAVSink{file: f}
	s.fillHead()
	if _, err := f.Write(s.head[:]); err != nil {
		return nil, errors.Join(fmt.Errorf("audio: %w", err), f.Close())
	}
	return s, nil
}

// WriteFrame appends one frame, or half of one.
func (s *WAVSink) WriteFrame(pcm []int16) error {
	if len(pcm) != FrameSamples && len(pcm) != FrameSamples/2 {
		return fmt.Errorf("audio: frame of %d samples, want %d or half of that", len(pcm), FrameSamples)
	}
	raw := s.raw[:2*len(pcm)]
	if s.bytes+int64(len(raw)) > math.MaxUint32-wavHeaderBytes {
		return ErrWAVFull
	}
	for i, v := range pcm {
		binary.LittleEndian.PutUint16(raw[2*i:], uint16(v))
	}
	if _, err := s.file.Write(raw); err != nil {
		return fmt.Errorf("audio: %w", err)
	}
	s.bytes += int64(len(raw))
	if s.frames++; s.frames < wavSyncFrames {
		return nil
	}
	s.frames = 0
	return s.sync()
}

// Close completes the header and closes the file.
func (s *WAVSink) Close() error {
	err := errors.Join(s.sync(), s.file.Close())
	if err != nil {
		return fmt.Errorf("audio: %w", err)
	}
	return nil
}

func (s *WAVSink) sync() error {
	s.fillHead()
	_, err := s.file.WriteAt(s.head[:], 0)
	return err
}

// fillHead writes the header for the samples there are so far.
func (s *WAVSink) fillHead() {
	const bytesPerSample = 2
	le := binary.LittleEndian
	b := append(s.head[:0], "RIFF"...)
	b = le.AppendUint32(b, uint32(s.bytes+wavHeaderBytes-8))
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, 16) // bytes of format that follow
	b = le.AppendUint16(b, wavPCM)
	b = le.AppendUint16(b, 1) // channel
	b = le.AppendUint32(b, SampleRate)
	b = le.AppendUint32(b, SampleRate*bytesPerSample)
	b = le.AppendUint16(b, bytesPerSample)
	b = le.AppendUint16(b, 8*bytesPerSample)
	b = append(b, "data"...)
	le.AppendUint32(b, uint32(s.bytes))
}
