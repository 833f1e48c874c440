package main

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

//go:embed neteq/replay.js
var replayScript []byte

// neteq replays traces into libwebrtc, in real time.
type neteq struct {
	modules string        // a directory with node_modules/@roamhq/wrtc
	lanes   chan struct{} // as many as run at once
}

// said is what the script says.
type said struct {
	Sent, Dropped int
	RelayLateMS   float64
	Samples       []inbound
}

// inbound is what libwebrtc says of a stream (W3C's identifiers for WebRTC's
// statistics), as totals.
type inbound struct {
	JitterBufferDelay              float64 // seconds, of all samples together
	JitterBufferEmittedCount       float64
	TotalSamplesReceived           float64
	ConcealedSamples               float64
	InsertedSamplesForDeceleration float64
	RemovedSamplesForAcceleration  float64
	FecPacketsReceived             float64
	FecPacketsDiscarded            float64
	PacketsReceived, PacketsLost   float64
}

// replay runs a trace. The speech is coded by libwebrtc's own encoder: keys and
// all, its packets cannot be ours.
func (n *neteq) replay(t *talk, tr trace) (row, error) {
	n.lanes <- struct{}{}
	defer func() { <-n.lanes }()
	dir, err := os.MkdirTemp("", "sotto-bench-neteq-")
	if err != nil {
		return row{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a leftover in /tmp harms nobody
	script, speech, out := filepath.Join(dir, "replay.js"), filepath.Join(dir, "speech.raw"), filepath.Join(dir, "heard.raw")
	if err = os.WriteFile(script, replayScript, 0o600); err != nil {
		return row{}, err
	}
	if err = os.WriteFile(speech, littleEndian(t.said), 0o600); err != nil {
		return row{}, err
	}
	cmd := exec.Command("node", script, speech, out)
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(n.modules, "node_modules"))
	cmd.Stdin, cmd.Stderr = tr.lines(), os.Stderr
	result, err := cmd.Output()
	if err != nil {
		return row{}, fmt.Errorf("node: %w", err)
	}
	var s said
	if err = json.Unmarshal(result, &s); err != nil {
		return row{}, err
	}
	if len(s.Samples) < 10 {
		return row{}, fmt.Errorf("NetEq: %d samples of statistics", len(s.Samples))
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		return row{}, err
	}
	h := &heard{pcm: make([]int16, len(raw)/2)}
	for i := range h.pcm {
		h.pcm[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
	}
	h.delays = s.delays(tr)
	r := t.row(tr, "NetEq", h)
	// What it plays before the first packet counts as concealed: leave out the
	// first second.
	begin, end := s.Samples[5], s.Samples[len(s.Samples)-1]
	percent := func(of func(inbound) float64) float64 {
		return 100 * (of(end) - of(begin)) / (end.TotalSamplesReceived - begin.TotalSamplesReceived)
	}
	r.Concealed = percent(func(v inbound) float64 { return v.ConcealedSamples })
	r.Recovered = percent(func(v inbound) float64 { return (v.FecPacketsReceived - v.FecPacketsDiscarded) * 960 })
	r.Changed = percent(func(v inbound) float64 { return v.InsertedSamplesForDeceleration + v.RemovedSamplesForAcceleration })
	r.Distance = distance(t.clean, newFeatures(h.pcm))
	if s.RelayLateMS > 10 {
		fmt.Fprintf(os.Stderr, "quality: NetEq, %s: the relay was up to %.0f ms late; is the machine busy?\n", tr.name, s.RelayLateMS)
	}
	return r, nil
}

func littleEndian(pcm []int16) []byte {
	b := make([]byte, 0, 2*len(pcm))
	for _, v := range pcm {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	return b
}

// lines is the trace as the script reads it.
func (t trace) lines() *bytes.Buffer {
	var b bytes.Buffer
	for _, at := range t.times()[:t.packets] {
		ms := -1.0
		if at != never {
			ms = at.Seconds() * 1e3
		}
		b.WriteString(strconv.FormatFloat(ms, 'f', 3, 64) + "\n")
	}
	return &b
}

// delays are the added delay of each sample's time: how long packets were in
// the jitter buffer, and how late those were that came.
func (s said) delays(tr trace) (all []time.Duration) {
	quickest := tr.quickest()
	const every = 10 // packets in the time of one sample
	for i := 1; i < len(s.Samples); i++ {
		a, b := s.Samples[i-1], s.Samples[i]
		emitted := b.JitterBufferEmittedCount - a.JitterBufferEmittedCount
		lo := slices.IndexFunc(tr.arrivals, func(v arrival) bool { return v.at >= time.Duration(i-1)*every*frame })
		hi := slices.IndexFunc(tr.arrivals, func(v arrival) bool { return v.at >= time.Duration(i)*every*frame })
		if emitted <= 0 || lo < 0 || hi <= lo {
			continue
		}
		var late time.Duration
		for _, v := range tr.arrivals[lo:hi] {
			late += v.at - time.Duration(v.packet)*frame - quickest[v.packet]
		}
		in := time.Duration((b.JitterBufferDelay - a.JitterBufferDelay) / emitted * 1e9)
		all = append(all, in+late/time.Duration(hi-lo))
	}
	return all
}
