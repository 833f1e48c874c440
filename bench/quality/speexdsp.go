package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"sotto/media/audio"
)

//go:embed speexdsp/replay.c
var replaySource []byte

// rival is the adaptive jitter buffer of speexdsp, in a program of its own.
type rival struct{ dir, program string }

// buildRival compiles it into a temporary directory.
func buildRival() (*rival, error) {
	dir, err := os.MkdirTemp("", "sotto-bench-quality-")
	if err != nil {
		return nil, err
	}
	r := &rival{dir: dir, program: filepath.Join(dir, "replay")}
	source := r.program + ".c"
	if err := os.WriteFile(source, replaySource, 0o600); err != nil {
		r.remove()
		return nil, err
	}
	if out, err := exec.Command("gcc", "-O2", "-o", r.program, source, "-lspeexdsp").CombinedOutput(); err != nil {
		r.remove()
		return nil, fmt.Errorf("gcc: %w\n%s\nsudo apt-get install -y gcc libc6-dev libspeexdsp-dev", err, out)
	}
	return r, nil
}

func (r *rival) remove() {
	if r != nil {
		_ = os.RemoveAll(r.dir) // a leftover in /tmp harms nobody
	}
}

// replay is what it does with a trace, one line a frame.
func (r *rival) replay(tr trace) ([]byte, error) {
	var in bytes.Buffer
	for _, a := range tr.arrivals {
		_, _ = fmt.Fprintln(&in, int64(a.at), a.packet) // a Buffer takes all
	}
	cmd := exec.Command(r.program, strconv.Itoa(tr.packets))
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	return cmd.Output()
}

// speexdsp replays a trace into speexdsp's buffer. It decides; we decode, and
// recover what is lost where the packet after it has come, as ours does.
func (t *talk) speexdsp(tr trace, r *rival) (row, error) {
	decisions, err := r.replay(tr)
	if err != nil {
		return row{}, err
	}
	decoder, err := t.codec.NewDecoder()
	if err != nil {
		return row{}, err
	}
	came, quickest := tr.times(), tr.quickest()
	h := &heard{}
	pcm := make([]int16, audio.FrameSamples)
	concealed, recovered, whole, left, next := 0, 0, 0, 0, 0
	for i, line := range bytes.Split(bytes.TrimSpace(decisions), []byte("\n")) {
		var what string
		var packet int
		if _, err = fmt.Sscan(string(line), &what, &packet); err != nil || packet < 0 || packet >= tr.packets {
			return row{}, fmt.Errorf("speexdsp said %q: %w", line, err)
		}
		now := time.Duration(i) * frame
		redundant := false
		if came[packet+1] <= now {
			redundant, _ = t.codec.Inspect(t.packets[packet+1])
		}
		switch {
		case what == "P":
			_, err = decoder.Decode(pcm, t.packets[packet])
			h.delays = append(h.delays, now-time.Duration(packet)*frame-quickest[packet])
			whole += counted(packet)
			left += max(packet-next, 0)
			next = packet + 1
		case what == "M" && redundant:
			recovered, next = recovered+counted(i), packet+1
			_, err = decoder.DecodeFEC(pcm, t.packets[packet+1])
		default:
			concealed += counted(i)
			if what == "M" {
				next = packet + 1
			}
			_, err = decoder.Conceal(pcm)
		}
		if err != nil {
			return row{}, err
		}
		h.pcm = append(h.pcm, pcm...)
	}
	out := t.row(tr, speexDSP, h)
	frames := tr.packets - int(settled/frame)
	out.conceal(share(concealed, frames), share(next-int(settled/frame)-whole-recovered, frames))
	out.Recovered = share(recovered, frames)
	out.Changed = share(left, tr.packets)
	out.listen(t, h, 1)
	return out, nil
}
