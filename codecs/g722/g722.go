// Package g722 is ITU-T G.722 at 64 kbit/s (mode 1): 16 kHz mono, of which
// 50 Hz to 7 kHz are heard, two samples a byte.
//
// Two bands of 8 kHz each are coded as differences from what an adaptive
// predictor expects, with 6 bits in the lower and 2 in the higher. Encoder and
// decoder compute in the integers of the Recommendation and give its bits. RTP
// counts 8000 a second all the same: an error of RFC 1890 that RFC 3551 §4.5.2
// keeps.
package g722

import (
	"errors"

	"sotto/codecs/plc"
)

// SampleRate is the rate of the PCM in Hz.
const SampleRate = 16000

// MaxBytes is the longest packet accepted, 120 ms.
const MaxBytes = 960

// Errors of this package.
var (
	ErrBuffer = errors.New("g722: destination too short")
	ErrLength = errors.New("g722: packet is empty or too long, or samples are odd in number")
)

// Encoder encodes one direction of one call. Not safe for concurrent use.
type Encoder struct {
	qmf       qmf
	low, high band
}

// NewEncoder makes an encoder.
func NewEncoder() *Encoder { return &Encoder{low: newLow(), high: newHigh()} }

// Encode encodes an even number of samples, two a byte: the higher band's two
// bits first, then the lower band's six (RFC 3551 §4.5.2).
func (e *Encoder) Encode(dst []byte, pcm []int16) (int, error) {
	n := len(pcm) / 2
	if n == 0 || len(pcm)%2 != 0 {
		return 0, ErrLength
	}
	if len(dst) < n {
		return 0, ErrBuffer
	}
	for i := range dst[:n] {
		xl, xh := e.qmf.split(int(pcm[2*i]), int(pcm[2*i+1]))
		il := quantizeLow(saturate(xl-e.low.s), e.low.det)
		ih := quantizeHigh(saturate(xh-e.high.s), e.high.det)
		e.low.adaptLow(il)
		e.high.adaptHigh(ih)
		dst[i] = byte(ih<<6 | il)
	}
	return n, nil
}

// Decoder decodes one direction of one call. Not safe for concurrent use.
type Decoder struct {
	qmf       qmf
	low, high band
	plc       *plc.Concealer
}

// NewDecoder makes a decoder.
func NewDecoder() *Decoder {
	return &Decoder{low: newLow(), high: newHigh(), plc: plc.New(SampleRate)}
}

// Decode decodes a packet of up to [MaxBytes] bytes into twice as many samples.
func (d *Decoder) Decode(dst []int16, pkt []byte) (int, error) {
	if len(pkt) == 0 || len(pkt) > MaxBytes {
		return 0, ErrLength
	}
	if len(dst) < 2*len(pkt) {
		return 0, ErrBuffer
	}
	dst = dst[:2*len(pkt)]
	for i, b := range pkt {
		il, ih := int(b&63), int(b>>6)
		rl := limit(d.low.s + mult(d.low.det, inverse6[il]))
		rh := limit(d.high.s + mult(d.high.det, inverse2[ih]))
		d.low.adaptLow(il)
		d.high.adaptHigh(ih)
		x0, x1 := d.qmf.join(rl, rh)
		dst[2*i], dst[2*i+1] = int16(x0), int16(x1)
	}
	d.plc.Good(dst)
	return len(dst), nil
}

// Conceal fills dst by repeating the last pitch period, fading to silence
// within 60 ms. The predictors wait as they are: their leaks bring them back
// into step with the encoder's.
func (d *Decoder) Conceal(dst []int16) (int, error) {
	d.plc.Conceal(dst)
	return len(dst), nil
}

// DecodeFEC conceals: G.722 carries nothing about earlier frames.
func (d *Decoder) DecodeFEC(dst []int16, _ []byte) (int, error) { return d.Conceal(dst) }
