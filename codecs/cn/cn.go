// Package cn is comfort noise for codecs of 8 kHz that pause in silence
// (RFC 3389): what a decoder plays until there is speech again. None is sent.
package cn

import (
	"errors"
	"math"
)

const (
	// SampleRate is the rate of the PCM in Hz.
	SampleRate = 8000
	// FrameSamples is what a packet is decoded to, 20 ms; it holds until the
	// next one, which [Decoder.Conceal] makes of it.
	FrameSamples = 160

	// maxOrder bounds the spectrum's coefficients. RFC 3389 sets no bound; who
	// models silence needs few.
	maxOrder = 32
	// loudest in -dBov. Noise is to comfort: whatever a packet says, it gets no
	// louder.
	loudest = 30
	// crest is how far noise may be above its level: what rang on in the filter
	// before may be louder under other coefficients.
	crest = 4
)

// Errors of this package.
var (
	ErrBuffer = errors.New("cn: destination too short")
	ErrLength = errors.New("cn: packet is empty or too long")
	ErrValue  = errors.New("cn: spectral coefficient 255 is none")
)

// Decoder makes noise of the level and spectrum that the last packet told. Not
// safe for concurrent use.
type Decoder struct {
	order      int
	reflection [maxOrder]float64
	delayed    [maxOrder + 1]float64 // backward errors of the lattice
	excitation float64               // amplitude of the noise that goes into it; 0: silence
	peak       float64               // of what comes out
	random     uint32
}

// NewDecoder makes a decoder, which is silent until the first packet.
func NewDecoder() *Decoder { return &Decoder{random: 1} }

// Decode takes a packet (RFC 3389 §3): a level, and any number of reflection
// coefficients, which shape the spectrum. It makes [FrameSamples] of noise.
func (d *Decoder) Decode(dst []int16, pkt []byte) (int, error) {
	if len(pkt) == 0 || len(pkt) > 1+maxOrder {
		return 0, ErrLength
	}
	if len(dst) < FrameSamples {
		return 0, ErrBuffer
	}
	for _, n := range pkt[1:] {
		if n == math.MaxUint8 {
			return 0, ErrValue
		}
	}
	d.order = len(pkt) - 1
	level := max(int(pkt[0]&0x7f), loudest) // RFC 3389 §3.1
	rms := math.MaxInt16 * math.Pow(10, -float64(level)/20)
	d.peak = crest * rms
	for i, n := range pkt[1:] {
		k := 258 * (float64(n) - 127) / 32768 // RFC 3389 §3.2: less than 1
		d.reflection[i] = k
		rms *= math.Sqrt(1 - k*k) // the filter amplifies by that
	}
	d.excitation = rms * math.Sqrt(3) // of even noise
	return d.Conceal(dst[:FrameSamples])
}

// Conceal goes on with the noise.
func (d *Decoder) Conceal(dst []int16) (int, error) {
	for i := range dst {
		d.random = d.random*1664525 + 1013904223
		x := d.excitation * float64(int32(d.random)) / (1 << 31)
		for k := d.order - 1; k >= 0; k-- {
			x -= d.reflection[k] * d.delayed[k]
			d.delayed[k+1] = d.delayed[k] + d.reflection[k]*x
		}
		d.delayed[0] = x
		dst[i] = int16(min(max(x, -d.peak), d.peak))
	}
	return len(dst), nil
}

// DecodeFEC goes on with the noise: packets tell nothing of those before.
func (d *Decoder) DecodeFEC(dst []int16, _ []byte) (int, error) { return d.Conceal(dst) }
