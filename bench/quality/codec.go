package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"sotto/codecs"
	"sotto/media/audio"
	"sotto/media/audio/speech"
)

const (
	// lookahead is how far the output of libopus is behind, in samples.
	lookahead = 312
	// lost is the share of packets, in per cent, in the columns with loss.
	lost = 10
)

// coded is what one setting of the encoder costs, and what comes out of it.
type coded struct {
	Bitrate    int     `json:"bitrate"`
	Complexity int     `json:"complexity"`
	VBR        bool    `json:"vbr"`
	FEC        bool    `json:"fec"` // that expects a loss of 10 %
	Encode     float64 `json:"encode_us"`
	Decode     float64 `json:"decode_us"`
	Clean      float64 `json:"distance_db"`
	Lossy      float64 `json:"distance_at_10_percent_loss_db"`
	Burst      float64 `json:"burst_db"`      // most that a frame is louder than it was said
	Band       int     `json:"bandwidth_khz"` // of most packets
}

func (c coded) options() codecs.Options {
	o := codecs.Options{Bitrate: c.Bitrate, Complexity: cmp.Or(c.Complexity, codecs.Off), VBR: c.VBR, ExpectedLoss: codecs.Off}
	if c.FEC {
		o.ExpectedLoss = lost
	}
	return o
}

// settings is each of what a call could be coded with.
func settings() (all []coded) {
	for _, bitrate := range []int{16000, 24000, 32000, 48000} {
		for complexity := range 11 {
			for _, vbr := range []bool{false, true} {
				for _, fec := range []bool{false, true} {
					all = append(all, coded{Bitrate: bitrate, Complexity: complexity, VBR: vbr, FEC: fec})
				}
			}
		}
	}
	return all
}

// codecTable measures all settings in turn, rounds times, and takes the least
// time of each.
func codecTable(length time.Duration, rounds int, seed uint64, asJSON bool) error {
	frames := int(length / frame)
	said, err := clip(speech.Caller(), frames/2)
	if err != nil {
		return err
	}
	answer, err := clip(speech.Callee(), frames-frames/2)
	if err != nil {
		return err
	}
	said = append(said, answer...)
	all := settings()
	for round := range rounds {
		for i := range all {
			if err := all[i].measure(said, seed, round == 0); err != nil {
				return err
			}
		}
	}
	expected, err := expectations(said, seed)
	if err != nil {
		return err
	}
	if asJSON {
		for _, row := range append(anys(all), anys(expected)...) {
			_ = json.NewEncoder(os.Stdout).Encode(row) // stdout is gone: nobody reads
		}
		return nil
	}
	writeCodecTable(os.Stdout, all, fmt.Sprintf("-seconds %.0f -rounds %d", length.Seconds(), rounds))
	writeExpectations(os.Stdout, expected)
	return nil
}

func anys[T any](rows []T) (all []any) {
	for _, r := range rows {
		all = append(all, r)
	}
	return all
}

// measure codes said and keeps the time if it is the least so far. Quality is
// judged once: it is the same every time.
func (c *coded) measure(said []int16, seed uint64, judge bool) error {
	opus, ok := codecs.Lookup("opus")
	if !ok {
		return fmt.Errorf("no Opus")
	}
	began := cpu()
	packets, err := encodeAll(opus, c.options(), said)
	if err != nil {
		return err
	}
	c.Encode = least(c.Encode, cpu()-began, len(packets))
	began = cpu()
	clean, err := decodeAll(opus, packets, nil)
	if err != nil {
		return err
	}
	c.Decode = least(c.Decode, cpu()-began, len(packets))
	if !judge {
		return nil
	}
	c.Band = band(packets)
	ref := newFeatures(said)
	c.Clean, _ = distance(ref, newFeatures(clean[lookahead:]))
	c.Burst = burst(said, clean[lookahead:])
	c.Lossy, err = lossy(opus, packets, ref, loss{lost, seed})
	return err
}

// loss is a share of packets, in per cent, and the first seed of which are lost.
type loss struct {
	percent int
	seed    uint64
}

// lossy is the distance of packets from ref where some are lost: the median of
// three patterns, since now and then a single loss upsets a decoder for long.
func lossy(c codecs.Codec, packets [][]byte, ref features, l loss) (float64, error) {
	var all [3]float64
	for i := range all {
		pcm, err := decodeAll(c, packets, drop(len(packets), l.percent, l.seed+uint64(i)))
		if err != nil {
			return 0, err
		}
		all[i], _ = distance(ref, newFeatures(pcm[lookahead:]))
	}
	slices.Sort(all[:])
	return all[1], nil
}

// band is up to what frequency, in kHz, most packets carry sound (RFC 6716 §3.1).
func band(packets [][]byte) int {
	kHz := [...]int{4, 4, 4, 4, 6, 6, 6, 6, 8, 8, 8, 8, 12, 12, 20, 20, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12, 20, 20, 20, 20}
	all := make([]int, len(packets))
	for i, p := range packets {
		all[i] = kHz[p[0]>>3]
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// burst is the most, in dB, that 20 ms of got are louder than they were said, among
// those that are not quiet: what a mean distance hides, and an ear does not.
func burst(said, got []int16) (worst float64) {
	const quiet = 300 // root mean square
	energy := func(pcm []int16) (sum float64) {
		for _, v := range pcm {
			sum += float64(v) * float64(v)
		}
		return sum / float64(len(pcm))
	}
	for at := 0; at+audio.FrameSamples <= len(got); at += audio.FrameSamples / 4 {
		g, s := energy(got[at:at+audio.FrameSamples]), energy(said[at:at+audio.FrameSamples])
		if g > quiet*quiet {
			worst = max(worst, 10*math.Log10(g/(s+1)))
		}
	}
	return worst
}

// cpu is the time that this process has run.
func cpu() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic("quality: " + err.Error()) // cannot happen
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// least is the time a frame takes in µs, or before if that was less.
func least(before float64, d time.Duration, frames int) float64 {
	now := d.Seconds() * 1e6 / float64(frames)
	if before == 0 {
		return now
	}
	return min(before, now)
}

// drop says which of n packets are lost, at random, some per cent of them.
func drop(n, percent int, seed uint64) []bool {
	rng := rand.New(rand.NewPCG(seed, 10))
	gone := make([]bool, n)
	for i := range gone {
		gone[i] = rng.IntN(100) < percent
	}
	return gone
}

func encodeAll(c codecs.Codec, o codecs.Options, said []int16) (packets [][]byte, err error) {
	encoder, err := c.NewEncoder(o)
	if err != nil {
		return nil, err
	}
	var buffer [1500]byte
	for ; len(said) > 0; said = said[audio.FrameSamples:] {
		n, err := encoder.Encode(buffer[:], said[:audio.FrameSamples])
		if err != nil {
			return nil, err
		}
		packets = append(packets, bytes.Clone(buffer[:n]))
	}
	return packets, nil
}

// decodeAll decodes packets, of which some are gone; the one after it repairs
// a packet if it can.
func decodeAll(c codecs.Codec, packets [][]byte, gone []bool) ([]int16, error) {
	decoder, err := c.NewDecoder()
	if err != nil {
		return nil, err
	}
	pcm := make([]int16, len(packets)*audio.FrameSamples)
	for i, p := range packets {
		out := pcm[i*audio.FrameSamples:][:audio.FrameSamples]
		redundant := false
		if i+1 < len(packets) && gone != nil && !gone[i+1] {
			redundant, _ = c.Inspect(packets[i+1])
		}
		switch {
		case gone == nil || !gone[i]:
			_, err = decoder.Decode(out, p)
		case redundant:
			_, err = decoder.DecodeFEC(out, packets[i+1])
		default:
			_, err = decoder.Conceal(out)
		}
		if err != nil {
			return nil, err
		}
	}
	return pcm, nil
}

// writeCodecTable writes the rows as Markdown: one for each bit rate and
// complexity.
func writeCodecTable(w io.Writer, all []coded, flags string) {
	fmt.Fprintf(w, `# What Opus costs, and how it sounds

Written by %s, which [bench/README.md](../README.md) describes.
In each cell: µs to encode a frame of 20 ms; distance in dB from what was said; the same when 10 %% of all packets are
lost; the most, in dB, that 20 ms are louder than they were said, without loss; and up to how many kHz there is sound, of
which the distance knows those up to 7. FEC expects that loss. Padded packets are what secure mode sends: all as long as
the bit rate says.

| kbit/s | complexity | padded | padded, FEC | VBR | VBR, FEC |
| --- | --- | --- | --- | --- | --- |
`, "`go run ./bench/quality -codec "+flags+" >bench/quality/codec.md`")
	for ; len(all) > 0; all = all[4:] {
		fmt.Fprintf(w, "| %d | %d |", all[0].Bitrate/1000, all[0].Complexity)
		for _, c := range all[:4] {
			fmt.Fprintf(w, " %.0f; %.2f; %.2f; %.0f; %d |", c.Encode, c.Clean, c.Lossy, c.Burst, c.Band)
		}
		fmt.Fprintln(w)
	}
}

// expectation is how packets sound that prepare for some loss, where there is
// that loss or another.
type expectation struct {
	Expected int             `json:"expected_percent"`
	Distance map[int]float64 `json:"distance_db_by_percent_lost"`
}

// The shares of packets, in per cent, that are expected and that are lost.
var (
	expectedShares = []int{0, 5, 6, 10, 15, 20, 30}
	lostShares     = []int{0, 1, 2, 5, 10, 20, 30}
)

// expectations measures the default coding under each loss, for each that is
// expected.
func expectations(said []int16, seed uint64) (all []expectation, err error) {
	opus, ok := codecs.Lookup("opus")
	if !ok {
		return nil, fmt.Errorf("no Opus")
	}
	ref := newFeatures(said)
	for _, expected := range expectedShares {
		packets, err := encodeAll(opus, codecs.Options{ExpectedLoss: cmp.Or(expected, codecs.Off)}, said)
		if err != nil {
			return nil, err
		}
		e := expectation{Expected: expected, Distance: map[int]float64{}}
		for _, percent := range lostShares {
			if e.Distance[percent], err = lossy(opus, packets, ref, loss{percent, seed}); err != nil {
				return nil, err
			}
		}
		all = append(all, e)
	}
	return all, nil
}

func writeExpectations(w io.Writer, all []expectation) {
	fmt.Fprint(w, "\nThe same distance of the default coding, by the loss that FEC expects and the loss that there is:\n\n| expected |")
	for _, percent := range lostShares {
		fmt.Fprintf(w, " %d %% lost |", percent)
	}
	fmt.Fprintf(w, "\n|%s\n", strings.Repeat(" --- |", len(lostShares)+1))
	for _, e := range all {
		fmt.Fprintf(w, "| %d %% |", e.Expected)
		for _, percent := range lostShares {
			fmt.Fprintf(w, " %.2f |", e.Distance[percent])
		}
		fmt.Fprintln(w)
	}
}
