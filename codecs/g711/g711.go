// Package g711 is ITU-T G.711 in both laws, 8 kHz mono, one byte a sample.
package g711

import (
	"errors"

	"sotto/codecs/plc"
)

// SampleRate is the rate of the PCM in Hz.
const SampleRate = 8000

// MaxSamples is the longest packet accepted, 120 ms.
const MaxSamples = 960

// Errors of this package.
var (
	ErrBuffer = errors.New("g711: destination too short")
	ErrLength = errors.New("g711: packet is empty or too long")
)

// Law is the companding law.
type Law uint8

// The two laws: MuLaw is PCMU (payload type 0), ALaw is PCMA (8).
const (
	MuLaw Law = iota
	ALaw
)

// Encoder encodes with one law. It has no state between frames.
type Encoder struct {
	table []byte
	shift uint // bits of a sample that the law does not look at
}

// NewEncoder makes an encoder.
func NewEncoder(l Law) *Encoder {
	if l == ALaw {
		return &Encoder{table: aEncode, shift: 4}
	}
	return &Encoder{table: muEncode, shift: 2}
}

// Encode encodes any number of samples, one byte each.
func (e *Encoder) Encode(dst []byte, pcm []int16) (int, error) {
	if len(pcm) == 0 {
		return 0, ErrLength
	}
	if len(dst) < len(pcm) {
		return 0, ErrBuffer
	}
	for i, s := range pcm {
		dst[i] = e.table[uint16(s)>>e.shift]
	}
	return len(pcm), nil
}

// Decoder decodes one direction of one call. Not safe for concurrent use.
type Decoder struct {
	table *[256]int16
	plc   *plc.Concealer
}

// NewDecoder makes a decoder.
func NewDecoder(l Law) *Decoder {
	table := muDecode
	if l == ALaw {
		table = aDecode
	}
	return &Decoder{table: table, plc: plc.New(SampleRate)}
}

// Decode decodes a packet of up to [MaxSamples] bytes into as many samples.
func (d *Decoder) Decode(dst []int16, pkt []byte) (int, error) {
	if len(pkt) == 0 || len(pkt) > MaxSamples {
		return 0, ErrLength
	}
	if len(dst) < len(pkt) {
		return 0, ErrBuffer
	}
	dst = dst[:len(pkt)]
	for i, b := range pkt {
		dst[i] = d.table[b]
	}
	d.plc.Good(dst)
	return len(dst), nil
}

// Conceal fills dst by repeating the last pitch period, fading to silence
// within 60 ms.
func (d *Decoder) Conceal(dst []int16) (int, error) {
	d.plc.Conceal(dst)
	return len(dst), nil
}

// DecodeFEC conceals: G.711 carries nothing about earlier frames.
func (d *Decoder) DecodeFEC(dst []int16, _ []byte) (int, error) { return d.Conceal(dst) }
