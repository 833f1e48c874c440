// Package codecs is the table of voice codecs and the two small interfaces
// that media drives them by.
//
// A codec works at its own sample rate ([Codec].SampleRate, always mono,
// 16-bit); the caller resamples. Encoders and decoders hold the state of one
// direction of one call: each is owned by one goroutine, allocates nothing
// after construction, and never looks past the length of a slice.
package codecs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sotto/codecs/cn"
	"sotto/codecs/g711"
	"sotto/codecs/g722"
	"sotto/codecs/opus"
)

// FrameDuration is the length of the packets that we send unless asked for
// another one.
const FrameDuration = 20 * time.Millisecond

// PacketTime is the length of packets that comes closest to what somebody
// wishes, and is not longer than that if there is one as short.
func PacketTime(wish time.Duration) time.Duration {
	for _, t := range slices.Backward(opus.PacketTimes[:]) {
		if t <= wish {
			return t
		}
	}
	return opus.PacketTimes[0]
}

// MaxPacketTime is the longest packet that we send.
const MaxPacketTime = opus.MaxPacketTime

// MaxFrameDuration is the longest packet a codec may receive: RFC 6716 §3.2.5
// lets a packet hold 120 ms. A decode buffer of [Codec.MaxSamples] is always
// large enough.
const MaxFrameDuration = 120 * time.Millisecond

// Encoder turns PCM into packets.
type Encoder interface {
	// Encode encodes one packet ([Codec.PacketSamples] samples) into
	// dst[:len(dst)] and returns the number of bytes written. A dst too short
	// is an error.
	Encode(dst []byte, pcm []int16) (int, error)
}

// LossAdapter is an Encoder whose packets can repair others.
type LossAdapter interface {
	// ExpectLoss tells how many packets are lost, in per cent, from the next
	// packet on. Their length does not depend on it.
	ExpectLoss(percent int) error
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

// Off is what 0 would be, as the value of an option whose zero value stands for
// a default.
const Off = opus.Off

// Options are an encoder's settings. The zero value of each is its default. All
// codecs heed PacketTime; the rest is Opus's, and others ignore it.
type Options = opus.Options

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
	bytes   func(Options) int                        // of every packet; 0: it varies
}

// PacketSamples is the number of PCM samples in a packet that we send.
func (c Codec) PacketSamples(o Options) int { return samples(c.SampleRate, packetTime(o)) }

func packetTime(o Options) time.Duration {
	if o.PacketTime == 0 {
		return FrameDuration
	}
	return o.PacketTime
}

// MaxSamples is the number of PCM samples in the longest packet.
func (c Codec) MaxSamples() int { return samples(c.SampleRate, MaxFrameDuration) }

func samples(rate int, d time.Duration) int { return int(int64(rate) * int64(d) / int64(time.Second)) }

// PacketBytes is the length of every packet of an encoder with these options; 0
// if it varies.
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
	if err := o.Check(); err != nil {
		return nil, err
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

// With is c with the caller's makers of encoders and decoders, whose packets are
// like c's: they wrap what c makes, say, or replay it. c is of the table.
func (c Codec) With(encoder func(Options) (Encoder, error), decoder func() (Decoder, error)) Codec {
	impl := *c.impl
	impl.encoder, impl.decoder = encoder, decoder
	c.impl = &impl
	return c
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
	{Name: "opus", ClockRate: 48000, Channels: 2, SampleRate: opus.SampleRate, StaticPayloadType: -1, impl: &constructors{opusEncoder, opusDecoder, opus.Inspect, opus.PacketBytes}},
	{Name: "G722", ClockRate: 8000, Channels: 1, SampleRate: g722.SampleRate, StaticPayloadType: 9, impl: &constructors{encoder: g722Encoder, decoder: g722Decoder, bytes: one64}},
	{Name: "PCMU", ClockRate: 8000, Channels: 1, SampleRate: g711.SampleRate, StaticPayloadType: 0, impl: companding(g711.MuLaw)},
	{Name: "PCMA", ClockRate: 8000, Channels: 1, SampleRate: g711.SampleRate, StaticPayloadType: 8, impl: companding(g711.ALaw)},
}

// ComfortNoise decodes what a peer sends before it pauses, in a stream of a codec
// with the same clock rate. It is not in the table, because nothing is coded by
// it.
var ComfortNoise = Codec{
	Name: "CN", ClockRate: 8000, Channels: 1, SampleRate: cn.SampleRate, StaticPayloadType: 13,
	impl: &constructors{encoder: noEncoder, decoder: noiseDecoder, inspect: noise, bytes: func(Options) int { return 0 }},
}

func noEncoder(Options) (Encoder, error) { return nil, errors.New("codecs: comfort noise is not sent") }

func noiseDecoder() (Decoder, error) { return cn.NewDecoder(), nil }

func noise([]byte) (redundant, quiet bool) { return false, true }

// A nil *opus.Encoder would not be a nil Encoder: errors return here.
func opusEncoder(o Options) (Encoder, error) {
	enc, err := opus.NewEncoder(o)
	if err != nil {
		return nil, err
	}
	return enc, nil
}

// one64 is the length of packets of 64 kbit/s.
func one64(o Options) int { return samples(8000, packetTime(o)) }

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
