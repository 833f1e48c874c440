// Package timescale makes speech last a little shorter or longer without
// changing its pitch: it leaves out or repeats one pitch period, where a piece
// of the signal looks most like the piece one period later, and fades from the
// one into the other (waveform similarity overlap-add, WSOLA).
//
// A jitter buffer shortens and lengthens its delay so. PCM is 48 kHz, 16-bit,
// of one or two channels, interleaved; lengths are in samples of one channel.
// Nothing is allocated after [New], and what a call costs is bounded by the
// window it searches, not by how much it is given.
package timescale

import (
	"fmt"
	"math"
)

const (
	// SampleRate of all PCM here, in Hz.
	SampleRate = 48000

	// MaxPast is the part of the past that is looked at, 5 ms. More does no
	// harm, less makes the choice worse.
	MaxPast = 5 * SampleRate / 1000
	// MinAhead is what has to lie ahead for a change: with less, nothing is
	// done.
	MinAhead = 10 * SampleRate / 1000
	// MaxChange is the most that one call changes: the longest pitch period
	// that is sought, that of 80 Hz.
	MaxChange = 12*SampleRate/1000 + SampleRate/2000

	// minChange is the shortest period, that of 400 Hz; a higher voice repeats
	// itself within it.
	minChange = 5 * SampleRate / 2000
	// minFade is the shortest fade. A join adds to the steepest step of the
	// signal no more than the difference of what is joined, by the length of
	// the fade.
	minFade = minChange
	// maxCompared is how far ahead two pieces are compared.
	maxCompared = 10 * SampleRate / 1000

	// The search is coarse first, at 8 kHz.
	coarse = 6
	// window is all that a search sees: the past, and the longer of two pieces
	// ahead.
	window = MaxPast + MaxChange + maxCompared

	// demanded is the correlation from which on two pieces count as alike. It
	// falls by impatience with each call that found nothing, down to nothing
	// within a second of 20 ms frames: noise has to give way too. And it falls
	// with what is wanted, by up to hurry at urgent and above.
	demanded   = 0.9
	impatience = 0.02
	hurry      = 0.4
	urgent     = SampleRate / 10

	// silence is the mean power below which all pieces are alike: -75 dB of
	// full scale.
	silence = 6 * 6
)

// Scaler shortens and lengthens one stream. One goroutine owns it.
type Scaler struct {
	channels int
	refused  int // calls in a row that found nothing alike

	// Scratch of one call: the window as one channel, at both rates.
	fine  [window]float32
	rough [window / coarse]float32
}

// New makes a Scaler for 1 or 2 channels.
func New(channels int) (*Scaler, error) {
	if channels != 1 && channels != 2 {
		return nil, fmt.Errorf("timescale: %d channels", channels)
	}
	return &Scaler{channels: channels}, nil
}

// Shorten leaves out a part of pcm, of which the first past samples were
// played already and stay as they are. It returns how much it has left out: up
// to limit, or nothing where the signal has no piece that can go unheard. What
// is left is at the front of pcm.
func (s *Scaler) Shorten(pcm []int16, past, limit int) int {
	change, fade := s.choose(pcm, past, limit)
	if change == 0 {
		return 0
	}
	c := s.channels
	x := pcm[past*c:]
	for i := range fade {
		for k := range c {
			x[i*c+k] = blend(x[i*c+k], x[(i+change)*c+k], i, fade)
		}
	}
	copy(x[fade*c:], x[(change+fade)*c:])
	return change
}

// Lengthen repeats a part of pcm, of which the first past samples were played
// already and stay as they are. It returns how much longer pcm is, up to limit
// and to its capacity, or 0 as [Scaler.Shorten] does: pcm[:len(pcm)+n] is the
// result, n of each channel.
func (s *Scaler) Lengthen(pcm []int16, past, limit int) int {
	c := s.channels
	change, fade := s.choose(pcm, past, min(limit, (cap(pcm)-len(pcm))/c))
	if change == 0 {
		return 0
	}
	n := len(pcm)/c - past
	x := pcm[past*c : len(pcm)+change*c]
	copy(x[(change+fade)*c:], x[fade*c:n*c])
	for i := range fade {
		for k := range c {
			x[(change+i)*c+k] = blend(x[(change+i)*c+k], x[i*c+k], i, fade)
		}
	}
	return change
}

// blend is what lies i of n samples on the way from a to b.
func blend(a, b int16, i, n int) int16 {
	return int16((int(a)*(n-i) + int(b)*(i+1)) / (n + 1))
}

// choose finds by how much pcm can be changed and over how many samples to
// fade then; 0 if nothing is alike enough.
func (s *Scaler) choose(pcm []int16, past, limit int) (change, fade int) {
	ahead := len(pcm)/s.channels - past
	most := min(MaxChange, limit, ahead-minFade)
	if ahead < MinAhead || most < minChange {
		return 0, 0
	}
	from := max(past-MaxPast, 0)
	compared := min(ahead-most, maxCompared) + past - from
	s.load(pcm[from*s.channels:], most+compared)
	if silent := min(s.silent(past-from, most+compared)-minFade, most); silent >= minChange {
		s.refused = 0
		return silent, minFade
	}
	change, alike := s.search(most, compared)
	if alike < demanded-impatience*float32(s.refused)-hurry*min(1, float32(limit)/urgent) {
		s.refused++
		return 0, 0
	}
	s.refused = 0
	return change, min(change, ahead-change)
}

// load takes n samples of pcm, as one channel, and makes the coarse copy.
func (s *Scaler) load(pcm []int16, n int) {
	if s.channels == 1 {
		for i, v := range pcm[:n] {
			s.fine[i] = float32(v)
		}
	} else {
		for i := range n {
			s.fine[i] = (float32(pcm[2*i]) + float32(pcm[2*i+1])) / 2
		}
	}
	for i := range n / coarse {
		x := s.fine[i*coarse:][:coarse]
		s.rough[i] = x[0] + x[1] + x[2] + x[3] + x[4] + x[5]
	}
}

// silent is how much of what lies ahead in the window, from ahead to end, is silence.
// What begins behind it would be cut, or heard twice, by a change that is longer.
func (s *Scaler) silent(ahead, end int) int {
	from := ahead
	for ; from+minFade <= end; from += minFade {
		if x := s.fine[from:][:minFade]; dot(x, x) >= silence*minFade {
			break
		}
	}
	return from - ahead
}

// search finds the lag up to most samples at which n samples are most like
// those after the lag, and how alike: their normalised correlation, from -1 to
// 1.
func (s *Scaler) search(most, n int) (lag int, alike float32) {
	lag, _ = peak(s.rough[:(most+n)/coarse], n/coarse, (minChange+coarse-1)/coarse, most/coarse)
	lag *= coarse
	return peak(s.fine[:most+n], n, max(lag-coarse, minChange), min(lag+coarse, most))
}

// peak finds the lag from first to last at which x[:n] is most like
// x[lag:lag+n]. Of equals it prefers the longest.
func peak(x []float32, n, first, last int) (lag int, alike float32) {
	head := x[:n]
	energy := float64(dot(head, head)) + 1
	other := 0.0
	for _, v := range x[last : last+n] {
		other += square(v)
	}
	alike = -1
	for l := last; l >= first; l-- {
		if c := dot(head, x[l:l+n]) / float32(math.Sqrt(energy*(other+1))); c > alike || l == last {
			lag, alike = l, c
		}
		if l > first { // the window moves on by one
			other += square(x[l-1]) - square(x[l+n-1])
		}
	}
	return lag, alike
}

// square is exact: sums of it can go up and down without a rest.
func square(v float32) float64 { return float64(v) * float64(v) }

// dot multiplies a with b, which is as long. Four sums run side by side,
// because one would wait for each addition.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	for len(a) >= 4 && len(b) >= 4 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	for i := range a {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + s2 + s3
}
