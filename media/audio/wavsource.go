package audio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// Encodings of a WAV file's samples, as its fmt chunk numbers them.
const (
	wavPCM        = 1
	wavFloat      = 3
	wavExtensible = 0xfffe // the number is in the extension

	wavMaxChannels = 32
	wavUnknownSize = math.MaxUint32 // a writer that could not go back
)

// WAVSource plays a WAV file: whole numbers of 8, 16, 24 or 32 bits or floats
// of 32 bits, from 8 to 192 kHz, all channels mixed down to one.
type WAVSource struct {
	file   *os.File // nil if the reader is the caller's
	r      *bufio.Reader
	format wavFormat
	left   int64 // bytes of samples still to be read
	read   int64 // samples (of all channels together) read
	made   int64 // samples of output made from them

	resampler *Resampler
	skip      int // resampler's delay, still to be left out
	raw       []byte
	mono      []int16
	out, fifo []int16 // fifo is the part of out not yet handed out
}

type wavFormat struct {
	encoding, channels, bits, rate int
}

func (f wavFormat) frameBytes() int { return f.channels * f.bits / 8 }

// OpenWAV opens a WAV file. The caller closes the source.
func OpenWAV(path string) (*WAVSource, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("audio: %w", err)
	}
	s, err := NewWAVSource(f)
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("%w: %s", err, path)
	}
	s.file = f
	return s, nil
}

// NewWAVSource plays the WAV file that r holds. r stays the caller's.
func NewWAVSource(r io.Reader) (*WAVSource, error) {
	s := &WAVSource{r: bufio.NewReader(r)}
	if err := s.readHeader(); err != nil {
		return nil, err
	}
	var err error
	if s.resampler, err = NewResampler(s.format.rate, SampleRate); err != nil {
		return nil, err
	}
	s.skip = s.resampler.Delay()
	chunk := max(1, s.format.rate/50)
	s.raw = make([]byte, chunk*s.format.frameBytes())
	s.mono = make([]int16, chunk)
	s.out = make([]int16, s.resampler.MaxOutput(chunk))
	return s, nil
}

// Close closes the file that OpenWAV opened.
func (s *WAVSource) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// ReadFrame yields the next frame.
func (s *WAVSource) ReadFrame(pcm []int16) error {
	n := 0
	for n < len(pcm) {
		if len(s.fifo) == 0 {
			err := s.fill()
			if errors.Is(err, io.EOF) && n > 0 {
				clear(pcm[n:])
				return nil
			}
			if err != nil {
				return err
			}
		}
		k := copy(pcm[n:], s.fifo)
		s.fifo = s.fifo[k:]
		n += k
	}
	return nil
}

// fill makes the fifo from one more chunk of the file. After the last chunk it
// feeds silence until all that was read has left the resampler.
func (s *WAVSource) fill() error {
	n, err := s.readChunk()
	if err != nil {
		return err
	}
	s.read += int64(n)
	rest := int64(math.MaxInt64)
	if n == 0 {
		rest = (s.read*SampleRate+int64(s.format.rate)-1)/int64(s.format.rate) - s.made
		if rest <= 0 {
			return io.EOF
		}
		n = len(s.mono)
		clear(s.mono)
	}
	out := s.out[:s.resampler.Process(s.out, s.mono[:n])]
	skipped := min(s.skip, len(out))
	s.skip -= skipped
	out = out[skipped:]
	s.fifo = out[:min(int64(len(out)), rest)]
	s.made += int64(len(s.fifo))
	return nil
}

// readChunk reads up to a chunk of samples into mono; 0 is the end. A file cut
// short just ends earlier.
func (s *WAVSource) readChunk() (int, error) {
	raw := s.raw[:min(int64(len(s.raw)), s.left)]
	if len(raw) == 0 {
		return 0, nil
	}
	k, err := io.ReadFull(s.r, raw)
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		s.left = int64(k)
	} else if err != nil {
		return 0, fmt.Errorf("audio: read WAV: %w", err)
	}
	s.left -= int64(k)
	size := s.format.frameBytes()
	n := k / size
	for i := range n {
		s.mono[i] = s.format.mix(raw[i*size:][:size])
	}
	return n, nil
}

// mix is the mean of all channels of one sample.
func (f wavFormat) mix(b []byte) int16 {
	step := f.bits / 8
	var sum float32
	for ; len(b) >= step; b = b[step:] {
		sum += f.sample(b)
	}
	return clip(sum / float32(f.channels))
}

// sample is one channel's sample scaled to 16 bits.
func (f wavFormat) sample(b []byte) float32 {
	switch {
	case f.encoding == wavFloat:
		return math.Float32frombits(binary.LittleEndian.Uint32(b)) * -math.MinInt16
	case f.bits == 8:
		return (float32(b[0]) - 128) * 256
	case f.bits == 16:
		return float32(int16(binary.LittleEndian.Uint16(b)))
	case f.bits == 24:
		return float32(int32(b[2])<<24|int32(b[1])<<16|int32(b[0])<<8) / (1 << 16)
	default:
		return float32(int32(binary.LittleEndian.Uint32(b))) / (1 << 16)
	}
}

// readHeader reads all before the samples.
func (s *WAVSource) readHeader() error {
	var head [12]byte
	if _, err := io.ReadFull(s.r, head[:]); err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("audio: read WAV: %w", err)
	}
	if !bytes.Equal(head[:4], []byte("RIFF")) || !bytes.Equal(head[8:], []byte("WAVE")) {
		return errors.New("audio: not a WAV file")
	}
	for {
		var chunk [8]byte
		if _, err := io.ReadFull(s.r, chunk[:]); err != nil {
			return errors.New("audio: WAV file without samples")
		}
		size := int64(binary.LittleEndian.Uint32(chunk[4:]))
		switch string(chunk[:4]) {
		case "fmt ":
			if err := s.readFormat(size); err != nil {
				return err
			}
		case "data":
			if s.format.rate == 0 {
				return errors.New("audio: WAV file with samples before their format")
			}
			s.left = size
			if size == wavUnknownSize {
				s.left = math.MaxInt64
			}
			if _, err := s.r.Peek(s.format.frameBytes()); err != nil || s.left < int64(s.format.frameBytes()) {
				return errors.New("audio: WAV file without samples")
			}
			return nil
		default:
			if _, err := io.CopyN(io.Discard, s.r, size+size&1); err != nil {
				return errors.New("audio: WAV file without samples")
			}
		}
	}
}

func (s *WAVSource) readFormat(size int64) error {
	b := make([]byte, min(size+size&1, 64))
	if _, err := io.ReadFull(s.r, b); err != nil || size < 16 || size > 64 {
		return errors.New("audio: WAV file with a broken format chunk")
	}
	f := wavFormat{
		encoding: int(binary.LittleEndian.Uint16(b)),
		channels: int(binary.LittleEndian.Uint16(b[2:])),
		rate:     int(binary.LittleEndian.Uint32(b[4:])),
		bits:     int(binary.LittleEndian.Uint16(b[14:])),
	}
	if f.encoding == wavExtensible && size >= 26 {
		f.encoding = int(binary.LittleEndian.Uint16(b[24:]))
	}
	switch {
	case f.encoding == wavPCM && (f.bits == 8 || f.bits == 16 || f.bits == 24 || f.bits == 32):
	case f.encoding == wavFloat && f.bits == 32:
	default:
		return fmt.Errorf("audio: WAV file with encoding %d of %d bits: want PCM of 8 to 32 bits or floats of 32", f.encoding, f.bits)
	}
	if f.channels < 1 || f.channels > wavMaxChannels {
		return fmt.Errorf("audio: WAV file with %d channels", f.channels)
	}
	if f.rate < minRate || f.rate > maxRate {
		return fmt.Errorf("audio: WAV file with %d samples a second: want %d to %d", f.rate, minRate, maxRate)
	}
	s.format = f
	return nil
}
