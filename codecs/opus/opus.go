// Package opus is the Opus codec (RFC 6716) by libopus: 48 kHz, mono, 20 ms,
// constant bit rate, in-band forward error correction.
package opus

import (
	"errors"
	"fmt"

	"github.com/hraban/opus"
)

const (
	// SampleRate is the rate of the PCM in Hz.
	SampleRate = 48000
	// FrameSamples is the length of a frame, 20 ms.
	FrameSamples = 960
	// DefaultBitrate in bit/s makes packets of 80 bytes.
	DefaultBitrate = 32000

	// minBitrate and maxBitrate bound what speech in one channel can use:
	// below, forward error correction has no room; above, nothing is gained.
	minBitrate = 8000
	maxBitrate = 128000

	// complexity trades processor time for quality, 0 to 10. With libopus
	// 1.3.1 a frame at constant bit rate costs about 0.22 ms at 5 and 0.48 ms
	// at 10, and listeners (and ViSQOL) do not tell the two apart at 32 kbit/s.
	complexity = 5

	// expectedLoss in per cent: libopus adds the data for error correction
	// only if it is told to expect loss. 10 keeps most of the rate for the
	// frame itself and still repairs single losses.
	expectedLoss = 10

	// maxPacketSamples is 120 ms, the longest packet (RFC 6716 §3.2.5).
	maxPacketSamples = 5760
	// concealStep is 2.5 ms, the grid on which libopus conceals.
	concealStep = 120
)

// ErrBuffer says that the caller's destination is too short.
var ErrBuffer = errors.New("opus: destination too short")

// Encoder encodes one direction of one call. Not safe for concurrent use.
type Encoder struct {
	enc        *opus.Encoder
	packetSize int
}

// NewEncoder makes an encoder of a constant bitrate in bit/s: 0 means
// [DefaultBitrate]; the rate must give whole bytes a frame (a multiple of 400).
//
// Packets all have one size: neither the rate nor pauses in speech show in
// what is sent (RFC 6562 §2, §3).
func NewEncoder(bitrate int) (*Encoder, error) {
	packetSize := PacketBytes(bitrate)
	if bitrate == 0 {
		bitrate = DefaultBitrate
	}
	if bitrate < minBitrate || bitrate > maxBitrate || bitrate%400 != 0 {
		return nil, fmt.Errorf("opus: bit rate %d is not a multiple of 400 from %d to %d", bitrate, minBitrate, maxBitrate)
	}
	enc, err := opus.NewEncoder(SampleRate, 1, opus.AppVoIP)
	if err != nil {
		return nil, fmt.Errorf("opus: new encoder: %w", err)
	}
	err = errors.Join(
		enc.SetBitrate(bitrate),
		enc.SetVBR(false),
		enc.SetDTX(false),
		enc.SetComplexity(complexity),
		enc.SetInBandFEC(true),
		enc.SetPacketLossPerc(expectedLoss),
	)
	if err != nil {
		return nil, fmt.Errorf("opus: set up encoder: %w", err)
	}
	return &Encoder{enc: enc, packetSize: packetSize}, nil
}

// PacketBytes is the size of every packet at a bitrate in bit/s, 0 meaning
// [DefaultBitrate].
func PacketBytes(bitrate int) int {
	if bitrate == 0 {
		bitrate = DefaultBitrate
	}
	return bitrate / 400
}

// Encode encodes one frame of [FrameSamples] samples into dst and returns the
// packet's size, which is always bitrate/400 bytes.
func (e *Encoder) Encode(dst []byte, pcm []int16) (int, error) {
	if len(pcm) != FrameSamples {
		return 0, fmt.Errorf("opus: frame of %d samples, want %d", len(pcm), FrameSamples)
	}
	if len(dst) < e.packetSize {
		return 0, ErrBuffer
	}
	// The C side is told cap(dst), so the capacity is cut to what it may use.
	n, err := e.enc.Encode(pcm, dst[:e.packetSize:e.packetSize])
	if err != nil {
		return 0, fmt.Errorf("opus: encode: %w", err)
	}
	if n != e.packetSize {
		return 0, fmt.Errorf("opus: packet of %d bytes, want %d", n, e.packetSize)
	}
	return n, nil
}

// Decoder decodes one direction of one call. Not safe for concurrent use.
type Decoder struct {
	dec *opus.Decoder
}

// NewDecoder makes a decoder. Stereo packets are mixed down to mono.
func NewDecoder() (*Decoder, error) {
	dec, err := opus.NewDecoder(SampleRate, 1)
	if err != nil {
		return nil, fmt.Errorf("opus: new decoder: %w", err)
	}
	return &Decoder{dec: dec}, nil
}

// Decode decodes a packet of up to 120 ms into dst and returns the number of
// samples.
func (d *Decoder) Decode(dst []int16, pkt []byte) (int, error) {
	if len(dst) == 0 {
		return 0, ErrBuffer
	}
	n, err := d.dec.Decode(pkt, dst[:len(dst):len(dst)])
	if err != nil {
		return 0, fmt.Errorf("opus: decode: %w", err)
	}
	return n, nil
}

// Conceal fills dst, a multiple of 2.5 ms and at most 120 ms, in place of a
// packet that did not come.
func (d *Decoder) Conceal(dst []int16) (int, error) {
	if err := checkMissing(dst); err != nil {
		return 0, err
	}
	if err := d.dec.DecodePLC(dst[:len(dst):len(dst)]); err != nil {
		return 0, fmt.Errorf("opus: conceal: %w", err)
	}
	return len(dst), nil
}

// DecodeFEC fills dst in place of a lost packet from the packet that followed
// it, and conceals if that one carries nothing about it.
func (d *Decoder) DecodeFEC(dst []int16, next []byte) (int, error) {
	if err := checkMissing(dst); err != nil {
		return 0, err
	}
	if err := d.dec.DecodeFEC(next, dst[:len(dst):len(dst)]); err != nil {
		return 0, fmt.Errorf("opus: decode FEC: %w", err)
	}
	return len(dst), nil
}

func checkMissing(dst []int16) error {
	if len(dst) == 0 || len(dst)%concealStep != 0 || len(dst) > maxPacketSamples {
		return fmt.Errorf("opus: cannot conceal %d samples", len(dst))
	}
	return nil
}
