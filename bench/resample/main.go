// Command resample measures the resampler of media/audio beside those of speexdsp
// and soxr: how flat the pass band is, what is added to it, what is left of what
// the lower rate cannot carry, and how long a frame takes. It writes README.md
// beside it with -write.
package main

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sotto/media/audio"
)

//go:embed peer/resample.c
var peerSource []byte

//go:embed method.md
var method string

// pairs are the rates that codecs, files and devices have beside ours.
var pairs = [][2]int{{8000, 48000}, {16000, 48000}, {44100, 48000}, {48000, 8000}, {48000, 16000}, {48000, 44100}}

// converter is one resampler between two rates.
type converter struct {
	name    string
	convert func(pcm []int16) ([]int16, error)
	cost    func(frame []int16) (float64, error) // ns
}

func main() {
	write := flag.Bool("write", false, "write bench/resample/README.md")
	flag.Parse()
	if err := run(*write); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(write bool) error {
	dir, err := os.MkdirTemp("", "sotto-bench-resample-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "resample")
	if err := os.WriteFile(program+".c", peerSource, 0o600); err != nil {
		return err
	}
	if out, err := exec.Command("gcc", "-O2", "-o", program, program+".c", "-lspeexdsp", "-lsoxr").CombinedOutput(); err != nil {
		return fmt.Errorf("gcc: %w\n%s\nsudo apt-get install -y gcc libc6-dev libspeexdsp-dev libsoxr-dev", err, out)
	}
	var table strings.Builder
	table.WriteString("| from, to | resampler | within 0.1 dB up to | -3 dB at | added | left | ns a frame |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, pair := range pairs {
		for _, c := range converters(program, pair) {
			row, err := measure(c, pair)
			if err != nil {
				return fmt.Errorf("%s, %v: %w", c.name, pair, err)
			}
			table.WriteString(row)
		}
	}
	fmt.Print(table.String())
	if !write {
		return nil
	}
	text := strings.Replace(method, "TABLE\n", table.String(), 1)
	return os.WriteFile(filepath.Join("bench", "resample", "README.md"), []byte(text), 0o644)
}

func converters(program string, pair [2]int) []converter {
	all := []converter{{"ours", func(pcm []int16) ([]int16, error) { return ours(pair, pcm) }, func(pcm []int16) (float64, error) { return ourCost(pair, pcm) }}}
	for _, p := range []struct{ name, kind, quality string }{
		{"speexdsp 3", "speexdsp", "3"}, {"speexdsp 5", "speexdsp", "5"}, {"speexdsp 10", "speexdsp", "10"},
		{"soxr low", "soxr", "1"}, {"soxr high", "soxr", "4"},
	} {
		args := []string{p.kind, p.quality, strconv.Itoa(pair[0]), strconv.Itoa(pair[1])}
		all = append(all, converter{
			p.name,
			func(pcm []int16) ([]int16, error) {
				out, err := peer(program, args, pcm)
				got := make([]int16, len(out)/2)
				_, _ = binary.Decode(out, binary.LittleEndian, got) // it has that length
				return got, err
			},
			func(pcm []int16) (float64, error) {
				out, err := peer(program, append(args[:4:4], "2000"), pcm)
				if err != nil {
					return 0, err
				}
				return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
			},
		})
	}
	return all
}

// peer runs the program on pcm.
func peer(program string, args []string, pcm []int16) ([]byte, error) {
	in, err := binary.Append(nil, binary.LittleEndian, pcm)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, args...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	return cmd.Output()
}

func ours(pair [2]int, pcm []int16) ([]int16, error) {
	r, err := audio.NewResampler(pair[0], pair[1])
	if err != nil {
		return nil, err
	}
	out := make([]int16, r.MaxOutput(len(pcm)))
	return out[:r.Process(out, pcm)], nil
}

func ourCost(pair [2]int, frame []int16) (float64, error) {
	const frames = 2000
	r, err := audio.NewResampler(pair[0], pair[1])
	if err != nil {
		return 0, err
	}
	out, least := make([]int16, r.MaxOutput(len(frame))), math.Inf(1)
	for range 10 {
		begin := time.Now()
		for range frames {
			r.Process(out, frame)
		}
		least = min(least, float64(time.Since(begin))/frames)
	}
	return least, nil
}

const (
	peak   = 30000
	length = 0.3 // s of each tone; its ends are left out
	edge   = 0.1
)

// tones goes through c one after another, and visit gets what comes out of each.
func tones(c converter, pair [2]int, hz []float64, visit func(hz float64, out []int16)) error {
	from, to := float64(pair[0]), float64(pair[1])
	n := int(length * from)
	pcm := make([]int16, n*len(hz))
	for i := range pcm {
		pcm[i] = int16(math.Round(peak * math.Sin(2*math.Pi*hz[i/n]*float64(i%n)/from)))
	}
	out, err := c.convert(pcm)
	if err != nil {
		return err
	}
	for i, f := range hz {
		begin := int((length*float64(i) + edge) * to)
		end := begin + int((length-2*edge)*to)
		if end > len(out) {
			return fmt.Errorf("%d samples came out, %d wanted", len(out), end)
		}
		visit(f, out[begin:end])
	}
	return nil
}

// measure is a row of the table.
func measure(c converter, pair [2]int) (string, error) {
	nyquist := float64(min(pair[0], pair[1])) / 2
	var passed, above []float64
	for part := 0.02; part < 0.999; part += 0.01 {
		passed = append(passed, part*nyquist)
	}
	top := float64(pair[0]) / 2
	for hz := nyquist; hz < 0.99*top; hz += (top - nyquist) / 60 {
		above = append(above, hz)
	}
	flat, half, added := 0.0, 0.0, math.Inf(-1)
	ripple := false
	err := tones(c, pair, passed, func(hz float64, out []int16) {
		gain, noise := fit(out, hz, float64(pair[1]))
		if part := hz / nyquist; math.Abs(gain) < 0.1 && !ripple {
			flat = part
			added = max(added, noise)
		} else {
			ripple = true
		}
		if gain > -3 {
			half = max(half, hz/nyquist)
		}
	})
	if err != nil {
		return "", err
	}
	left := "–"
	if pair[1] < pair[0] {
		worst := math.Inf(-1)
		if err := tones(c, pair, above, func(_ float64, out []int16) { worst = max(worst, level(out)) }); err != nil {
			return "", err
		}
		left = fmt.Sprintf("%.0f dB", worst)
	}
	frame := make([]int16, pair[0]/50)
	for i := range frame {
		frame[i] = int16(8000 * math.Sin(float64(i)/5))
	}
	cost, err := c.cost(frame)
	return fmt.Sprintf("| %d, %d | %s | %.2f | %.2f | %.0f dB | %s | %.0f |\n", pair[0], pair[1], c.name, flat, half, added, left, cost), err
}

// fit is the gain of a tone in dB, and how much else there is against a full tone.
func fit(pcm []int16, hz, rate float64) (gain, noise float64) {
	var ss, cc, sc, xs, xc float64
	for i, v := range pcm {
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / rate)
		ss, cc, sc, xs, xc = ss+s*s, cc+c*c, sc+s*c, xs+s*float64(v), xc+c*float64(v)
	}
	det := ss*cc - sc*sc
	a, b := (xs*cc-xc*sc)/det, (xc*ss-xs*sc)/det
	rest := 0.0
	for i, v := range pcm {
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / rate)
		d := float64(v) - a*s - b*c
		rest += d * d
	}
	return 20 * math.Log10(math.Hypot(a, b)/peak), 10 * math.Log10(rest/float64(len(pcm))/(peak*peak/2)+1e-12)
}

// level is how loud pcm is against a full tone, in dB.
func level(pcm []int16) float64 {
	sum := 0.0
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	return 10 * math.Log10(sum/float64(len(pcm))/(peak*peak/2)+1e-12)
}
