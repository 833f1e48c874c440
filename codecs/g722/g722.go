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
	synthesis
	heard level
	plc   *plc.Concealer

	missing int                 // samples in the gap, or the last one
	before  int                 // the loudest sample before it
	doubt   int                 // samples to come in which calm is kept, too
	calm    synthesis           // as it is without the poles of before the gap
	quiet   [2 * MaxBytes]int16 // what it makes of a packet
}

// level knows how loud the last 10 to 20 ms were, or a packet that is longer. Less may
// be a part of a period that tells nothing.
type level struct {
	peak, before int // of the last samples, and of some before them
	n            int // samples that peak is of
}

func (l *level) add(pcm []int16) {
	if l.n >= longGap/2 {
		l.peak, l.before, l.n = 0, l.peak, 0
	}
	l.peak = max(l.peak, peak(pcm))
	l.n += len(pcm)
}

// loudest is the loudest sample.
func (l *level) loudest() int {
	if l.n >= longGap {
		return l.peak
	}
	return max(l.peak, l.before)
}

// synthesis makes PCM of codes.
type synthesis struct {
	qmf       qmf
	low, high band
}

// After a gap the decoder's predictors are not those of the encoder. The poles of one
// sound can have the codes of another ring as loud as it gets. So after a long gap they
// begin anew, unless they predicted well: where the step size is less than a share of
// the loudest sample there was a tone, which would not come through without. After any
// gap what would come through without is kept beside for as long as the predictors take
// to settle, and is heard where the other is so many times as loud.
const (
	longGap  = SampleRate / 50
	share    = 5
	settling = SampleRate / 10
	ringing  = 2
)

// NewDecoder makes a decoder.
func NewDecoder() *Decoder {
	return &Decoder{synthesis: synthesis{low: newLow(), high: newHigh()}, plc: plc.New(SampleRate)}
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
	d.decode(dst, pkt)
	if d.doubt > 0 {
		d.settle(dst, pkt)
	}
	d.plc.Good(dst)
	d.heard.add(dst)
	return len(dst), nil
}

func (s *synthesis) decode(dst []int16, pkt []byte) {
	for i, b := range pkt {
		il, ih := int(b&63), int(b>>6)
		rl := limit(s.low.s + mult(s.low.det, inverse6[il]))
		rh := limit(s.high.s + mult(s.high.det, inverse2[ih]))
		s.low.adaptLow(il)
		s.high.adaptHigh(ih)
		x0, x1 := s.qmf.join(rl, rh)
		dst[2*i], dst[2*i+1] = int16(x0), int16(x1)
	}
}

// settle replaces what rings in dst, which was decoded from pkt. Against a short packet
// of a deep voice, what is calm may be small at any time: so what was heard before the
// gap counts, too.
func (d *Decoder) settle(dst []int16, pkt []byte) {
	quiet := d.quiet[:len(dst)]
	d.calm.decode(quiet, pkt)
	d.doubt -= len(dst)
	most := peak(quiet)
	if len(dst) < longGap {
		most = max(most, d.before)
	}
	if peak(dst) > ringing*most {
		copy(dst, quiet)
		d.plc.Break()
		d.synthesis = d.calm
	}
}

func peak(pcm []int16) (most int) {
	for _, v := range pcm {
		most = max(most, int(v), -int(v))
	}
	return most
}

// Conceal fills dst by repeating the last pitch period, fading to silence
// within 60 ms. The predictors wait: their leaks bring them back into step with the
// encoder's.
func (d *Decoder) Conceal(dst []int16) (int, error) {
	if d.doubt < settling { // a gap begins
		d.missing, d.before = 0, d.heard.loudest()
	}
	d.missing += len(dst)
	d.calm, d.doubt = d.synthesis, settling
	d.calm.low.a, d.calm.high.a = [2]int{}, [2]int{}
	if d.missing > longGap && share*d.low.det > d.before {
		d.synthesis = d.calm
	}
	d.plc.Conceal(dst)
	return len(dst), nil
}

// DecodeFEC conceals: G.722 carries nothing about earlier frames.
func (d *Decoder) DecodeFEC(dst []int16, _ []byte) (int, error) { return d.Conceal(dst) }
