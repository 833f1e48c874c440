// Package codecs is the table of voice codecs and the two small interfaces
// that media drives them by.
//
// A codec works at its own sample rate ([Codec].SampleRate, always mono,
// 16-bit); the caller resamples. Encoders and decoders hold the state of one
// direction of one call: each is owned by one goroutine, allocates nothing
// after construction, and never looks past the length of a slice.
package codecs

import (
	"fmt"
	"strings"
	"time"

	"sotto/codecs/g711"
	"sotto/codecs/g722"
	"sotto/codecs/opus"
)

// FrameDuration is the length of the frames that we send.
const FrameDuration = 20 * time.Millisecond

// MaxFrameDuration is the longest packet a codec may receive: RFC 6716 §3.2.5
// lets a packet hold 120 ms. A decode buffer of [Codec.MaxSamples] is always
// large enough.
const MaxFrameDuration = 120 * time.Millisecond

// Encoder turns PCM into packets.
type Encoder interface {
	// Encode encodes one frame ([Codec.FrameSamples] samples) into
	// dst[:len(dst)] and returns the number of bytes written. A dst too short
	// is an error.
	Encode(dst []byte, pcm []int16) (int, error)
}

// Decoder turns packets into PCM. All methods return the number of samples
// written; an error means that dst holds nothing of use and that the decoder
// stays usable: conceal instead.
type Decoder interface {
	// Decode decodes one packet into dst, which needs room for all that the
	// packet holds: [Codec.MaxSamples] is always enough.
	Decode(dst []int16, pkt []byte) (int, error)
	// Conceal fills dst in place of a packet that did not come. The length of
	// dst is the time that is missing, a multiple of 2.5 ms.
	Conceal(dst []int16) (int, error)
	// DecodeFEC fills dst in place of a lost packet from what the packet that
	// followed it carries about it, and conceals if it carries nothing. The
	// length of dst is one frame. Decode next afterwards as usual.
	DecodeFEC(dst []int16, next []byte) (int, error)
}

// Options are an encoder's settings. The zero value is the default of each.
type Options struct {
	// Bitrate is the constant bit rate in bit/s of a codec that has a choice.
	// 0 means 32000. Codecs of one rate ignore it.
	Bitrate int
}

// Codec is one row of the table; it is comparable.
type Codec struct {
	// Name is the encoding name in SDP: "opus", "G722", "PCMU", "PCMA".
	Name string
	// ClockRate in Hz and Channels are what SDP's rtpmap says and RTP
	// timestamps count by. For Opus they are 48000 and 2 whatever is inside
	// (RFC 7587 §4.1, §7), for G.722 8000 although it has twice as many
	// samples (RFC 3551 §4.5.2).
	ClockRate, Channels int
	// SampleRate is the rate of the PCM in Hz. PCM is always mono.
	SampleRate int
	// StaticPayloadType is the payload type fixed by RFC 3551 §6, or -1 if it
	// is assigned by SDP.
	StaticPayloadType int

	impl *constructors
}

// constructors is behind a pointer so that a Codec stays comparable.
type constructors struct {
	encoder func(Options) (Encoder, error)
	decoder func() (Decoder, error)
	inspect func(pkt []byte) (redundant, quiet bool) // nil: neither, ever
	bytes   func(Options) int                        // of every packet
}

// FrameSamples is the number of PCM samples in one frame that we send.
func (c Codec) FrameSamples() int { return samples(c.SampleRate, FrameDuration) }

// MaxSamples is the number of PCM samples in the longest packet.
func (c Codec) MaxSamples() int { return samples(c.SampleRate, MaxFrameDuration) }

func samples(rate int, d time.Duration) int { return int(int64(rate) * int64(d) / int64(time.Second)) }

// PacketBytes is the length of every packet of an encoder with these options.
func (c Codec) PacketBytes(o Options) int {
	if c.impl == nil {
		return 0
	}
	return c.impl.bytes(o)
}

// NewEncoder makes an encoder for one direction of one call.
func (c Codec) NewEncoder(o Options) (Encoder, error) {
	if c.impl == nil {
		return nil, fmt.Errorf("codecs: no codec %q", c.Name)
	}
	return c.impl.encoder(o)
}

// NewDecoder makes a decoder for one direction of one call.
func (c Codec) NewDecoder() (Decoder, error) {
	if c.impl == nil {
		return nil, fmt.Errorf("codecs: no codec %q", c.Name)
	}
	return c.impl.decoder()
}

// Inspect tells of a packet whether it carries the packet before it, so that
// [Decoder.DecodeFEC] can do more than conceal, and whether its sender may
// pause after it (silence suppression).
func (c Codec) Inspect(pkt []byte) (redundant, quiet bool) {
	if c.impl == nil || c.impl.inspect == nil {
		return false, false
	}
	return c.impl.inspect(pkt)
}

var table = [...]Codec{
	{Name: "opus", ClockRate: 48000, Channels: 2, SampleRate: opus.SampleRate, StaticPayloadType: -1, impl: &constructors{opusEncoder, opusDecoder, opus.Inspect, opusBytes}},
	{Name: "G722", ClockRate: 8000, Channels: 1, SampleRate: g722.SampleRate, StaticPayloadType: 9, impl: &constructors{encoder: g722Encoder, decoder: g722Decoder, bytes: one64}},
	{Name: "PCMU", ClockRate: 8000, Channels: 1, SampleRate: g711.SampleRate, StaticPayloadType: 0, impl: companding(g711.MuLaw)},
	{Name: "PCMA", ClockRate: 8000, Channels: 1, SampleRate: g711.SampleRate, StaticPayloadType: 8, impl: companding(g711.ALaw)},
}

// A nil *opus.Encoder would not be a nil Encoder: errors return here.
func opusEncoder(o Options) (Encoder, error) {
	enc, err := opus.NewEncoder(o.Bitrate)
	if err != nil {
		return nil, err
	}
	return enc, nil
}

func opusBytes(o Options) int { return opus.PacketBytes(o.Bitrate) }

// one64 is for codecs of 64 kbit/s.
func one64(Options) int { return samples(8000, FrameDuration) }

func opusDecoder() (Decoder, error) {
	dec, err := opus.NewDecoder()
	if err != nil {
		return nil, err
	}
	return dec, nil
}

func g722Encoder(Options) (Encoder, error) { return g722.NewEncoder(), nil }

func g722Decoder() (Decoder, error) { return g722.NewDecoder(), nil }

func companding(l g711.Law) *constructors {
	return &constructors{
		encoder: func(Options) (Encoder, error) { return g711.NewEncoder(l), nil },
		decoder: func() (Decoder, error) { return g711.NewDecoder(l), nil },
		bytes:   one64,
	}
}

// Table lists the codecs in the order in which we prefer them. The slice is
// the caller's.
func Table() []Codec { return append([]Codec(nil), table[:]...) }

// Lookup finds a codec by its encoding name. Case is ignored, as SDP asks for.
func Lookup(name string) (Codec, bool) {
	for _, c := range table {
		if strings.EqualFold(c.Name, name) {
			return c, true
		}
	}
	return Codec{}, false
}
