// Package opus is the Opus codec (RFC 6716) by libopus: 48 kHz, mono, with
// in-band forward error correction, in packets of one size unless asked for
// others.
package opus

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hraban/opus"
)

const (
	// SampleRate is the rate of the PCM in Hz.
	SampleRate = 48000
	// DefaultBitrate in bit/s makes packets of 80 bytes of 20 ms.
	DefaultBitrate = 32000
	// DefaultPacketTime is the length of packets.
	DefaultPacketTime = 20 * time.Millisecond

	// minBitrate and maxBitrate bound what speech in one channel can use:
	// below, forward error correction has no room; above, nothing is gained.
	// Multiples of bitrateStep make whole bytes, however long packets are.
	minBitrate  = 8000
	maxBitrate  = 128000
	bitrateStep = 800

	// targetShare of the bit rate, in per cent, is what libopus aims at where
	// packets have one size: the rest is padding, and room for a frame that needs
	// more than the mean. At libopus's own constant rate SILK codes a frame over
	// and over until it has that many bits. With more than 85 too many frames meet
	// the end of the packet, which has the same effect; with less, quality goes to
	// the padding (bench/quality/codec.md).
	targetShare = 85
	// targetShareLong is for packets longer than 20 ms. With less, libopus 1.3.1
	// has SILK alone code what has error correction at 32 kbit/s, and SILK's
	// packets of 40 and 60 ms run out of room in their first part, which repairs
	// all of the packet before.
	targetShareLong = 95

	// defaultComplexity trades processor time for quality: below, voices lose
	// much; above, at 32 kbit/s, they gain little or nothing, and take longer
	// (bench/quality/codec.md).
	defaultComplexity = 2

	// defaultLoss in per cent: libopus adds the data for error correction
	// only if it is told to expect loss, at 32 kbit/s from 6 on, and then leaves
	// out what is above 8 kHz. More than 10 takes away from the frame itself and
	// repairs no better.
	defaultLoss = 10

	// maxPacketSamples is 120 ms, the longest packet (RFC 6716 §3.2.5).
	maxPacketSamples = 5760
	// concealStep is 2.5 ms, the grid on which libopus conceals.
	concealStep = 120
)

// MaxPacketTime is the longest of PacketTimes.
const MaxPacketTime = 60 * time.Millisecond

// PacketTimes are the lengths of the packets that an Encoder makes.
var PacketTimes = [...]time.Duration{10 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond, MaxPacketTime}

// ErrBuffer says that the caller's destination is too short.
var ErrBuffer = errors.New("opus: destination too short")

// Off is what 0 would be, as the value of an option whose zero value stands for
// a default.
const Off = -1

// Options are an encoder's settings. The zero value of each is its default.
type Options struct {
	// Bitrate in bit/s of the packets, a multiple of 800 from 8000 to 128000. 0
	// means [DefaultBitrate].
	Bitrate int
	// PacketTime is 10, 20, 40 or 60 ms. 0 means [DefaultPacketTime].
	PacketTime time.Duration
	// Complexity is libopus's, from 1 to 10, or [Off] for its 0; 0 means 2.
	Complexity int
	// ExpectedLoss in per cent, from 1 to 100, is what error correction
	// prepares for; 0 means 10. [Off] leaves it out until
	// [Encoder.ExpectLoss] asks for it.
	ExpectedLoss int
	// VBR lets the length of packets follow what is said, on average at
	// Bitrate. DTX lets the packets of pauses be empty, see [Inspect]. Both
	// tell whoever sees the packets of the speech in them (RFC 6562 §3, §4).
	VBR, DTX bool
}

// withDefaults is o with values in place of zeros, or what is wrong with it.
func (o Options) withDefaults() (Options, error) {
	o.Bitrate = orDefault(o.Bitrate, DefaultBitrate)
	o.Complexity = orDefault(o.Complexity, defaultComplexity)
	o.ExpectedLoss = orDefault(o.ExpectedLoss, defaultLoss)
	if o.PacketTime == 0 {
		o.PacketTime = DefaultPacketTime
	}
	switch {
	case o.Bitrate < minBitrate || o.Bitrate > maxBitrate || o.Bitrate%bitrateStep != 0:
		return o, fmt.Errorf("opus: bit rate %d is not a multiple of %d from %d to %d", o.Bitrate, bitrateStep, minBitrate, maxBitrate)
	case o.Complexity < 0 || o.Complexity > 10:
		return o, fmt.Errorf("opus: complexity %d is not from 0 to 10", o.Complexity)
	case o.ExpectedLoss < 0 || o.ExpectedLoss > 100:
		return o, fmt.Errorf("opus: expected loss of %d %% is not from 0 to 100", o.ExpectedLoss)
	case !slices.Contains(PacketTimes[:], o.PacketTime):
		return o, fmt.Errorf("opus: packets of %v are not of one of %v", o.PacketTime, PacketTimes)
	}
	return o, nil
}

// Check says what is wrong with o.
func (o Options) Check() error {
	_, err := o.withDefaults()
	return err
}

func orDefault(value, standard int) int {
	switch value {
	case 0:
		return standard
	case Off:
		return 0
	}
	return value
}

// Encoder encodes one direction of one call. Not safe for concurrent use.
type Encoder struct {
	enc        *opus.Encoder
	samples    int  // in a packet
	paddedSize int  // of packets; 0: they vary (VBR)
	pauses     bool // leave packets as short as they are (DTX)
}

// NewEncoder makes an encoder.
//
// Without VBR and DTX packets all have one size: neither the rate nor pauses in
// speech show in what is sent (RFC 6562 §2, §3).
func NewEncoder(o Options) (*Encoder, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	enc, err := opus.NewEncoder(SampleRate, 1, opus.AppVoIP)
	if err != nil {
		return nil, fmt.Errorf("opus: new encoder: %w", err)
	}
	e := &Encoder{enc: enc, samples: int(o.PacketTime * SampleRate / time.Second), pauses: o.DTX}
	if !o.VBR {
		e.paddedSize = o.paddedSize()
	}
	err = errors.Join(
		enc.SetBitrate(o.target()),
		enc.SetVBR(true), // Encode pads
		enc.SetDTX(o.DTX),
		enc.SetComplexity(o.Complexity),
		e.ExpectLoss(o.ExpectedLoss),
	)
	if err != nil {
		return nil, fmt.Errorf("opus: set up encoder: %w", err)
	}
	return e, nil
}

// target is the bit rate that libopus aims at.
func (o Options) target() int {
	switch {
	case o.VBR:
		return o.Bitrate
	case o.PacketTime > DefaultPacketTime:
		return o.Bitrate * targetShareLong / 100
	}
	return o.Bitrate * targetShare / 100
}

// ExpectLoss changes what error correction prepares for, in per cent; 0 leaves
// it out. The size of packets stays what it is.
func (e *Encoder) ExpectLoss(percent int) error {
	return errors.Join(e.enc.SetInBandFEC(percent > 0), e.enc.SetPacketLossPerc(percent))
}

// PacketBytes is the size of every packet of an encoder with options that
// NewEncoder takes; 0 if it varies.
func PacketBytes(o Options) int {
	o, _ = o.withDefaults()
	if o.VBR || o.DTX {
		return 0
	}
	return o.paddedSize()
}

// paddedSize is the size of packets that are padded.
func (o Options) paddedSize() int {
	return int(time.Duration(o.Bitrate) * o.PacketTime / time.Second / 8)
}

// Encode encodes the samples of one packet into dst and returns its size.
func (e *Encoder) Encode(dst []byte, pcm []int16) (int, error) {
	if len(pcm) != e.samples {
		return 0, fmt.Errorf("opus: packet of %d samples, want %d", len(pcm), e.samples)
	}
	size := e.paddedSize
	if size == 0 {
		size = len(dst)
	}
	if len(dst) < size || size == 0 {
		return 0, ErrBuffer
	}
	// The C side is told cap(dst), so the capacity is cut to what it may use: the
	// packet, which no frame may outgrow.
	n, err := e.enc.Encode(pcm, dst[:size:size])
	if err != nil {
		return 0, fmt.Errorf("opus: encode: %w", err)
	}
	if e.paddedSize == 0 || e.pauses && n <= maxPause {
		return n, nil
	}
	if err := pad(dst[:size], n); err != nil {
		return 0, fmt.Errorf("opus: pad: %w", err)
	}
	return size, nil
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
