package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"sotto/media/audio"
)

//go:embed neteq/receive.js
var receiveScript []byte

const (
	// punctual is how late a packet may go out to NetEq, which hears it in real
	// time. The others get it as late; but where we are late, NetEq may be, too.
	punctual = 50 * time.Millisecond
	// balanced is by how much NetEq's counters may disagree, in per cent of the time:
	// what it holds when they are read is in some of them only.
	balanced = 0.15
	// lanes are how many traces run at once, unless something else is said.
	lanes = 3
	// tries are how often a trace is replayed until it was punctual.
	tries = 8
)

// neteq replays traces into libwebrtc, in real time.
type neteq struct {
	modules string // a directory with node_modules/@roamhq/wrtc
	lanes   int    // traces that run at once
}

// inbound is what libwebrtc says of a stream (W3C's identifiers for WebRTC's
// statistics), as totals.
type inbound struct {
	Timestamp                      float64 // ms since 1970
	JitterBufferDelay              float64 // seconds, of all samples together
	JitterBufferEmittedCount       float64
	TotalSamplesReceived           float64
	ConcealedSamples               float64
	InsertedSamplesForDeceleration float64
	RemovedSamplesForAcceleration  float64
	FecPacketsReceived             float64
	FecPacketsDiscarded            float64
	PacketsDiscarded               float64
}

// replayAll runs the traces, and those again for which the machine was too slow. It
// makes them what was sent in fact.
func (n *neteq) replayAll(t *talk, traces []*trace) (rows []row, err error) {
	tried := map[*trace]int{}
	for len(traces) > 0 {
		some := traces[:min(n.lanes, len(traces))]
		traces = traces[len(some):]
		got, err := n.together(t, some)
		if err != nil {
			return nil, err
		}
		for i, tr := range some {
			if tried[tr]++; got[i].late <= punctual {
				rows, *tr = append(rows, got[i].row), got[i].sent
				continue
			}
			if tried[tr] == tries {
				return nil, fmt.Errorf("NetEq, %s: in each of %d tries it or a packet was late, here by %v: the machine is too busy", tr.name, tries, got[i].late)
			}
			fmt.Fprintf(os.Stderr, "quality: NetEq, %s, again: it or a packet was %v late\n", tr.name, got[i].late.Round(time.Millisecond))
			traces = append(traces, tr)
		}
	}
	return rows, nil
}

// replayed is what came of a trace.
type replayed struct {
	row  row
	sent trace         // when the packets went out in fact
	late time.Duration // by how much the latest of them was too late, or what was heard
}

// together runs traces at once. The calls are set up before, because that takes
// more of the machine than all the rest.
func (n *neteq) together(t *talk, traces []*trace) ([]replayed, error) {
	calls, got, errs := make([]*receiving, len(traces)), make([]replayed, len(traces)), make([]error, len(traces))
	defer func() {
		for _, c := range calls {
			c.close()
		}
	}()
	each := func(f func(i int) error) error {
		var all sync.WaitGroup
		for i := range traces {
			all.Go(func() { errs[i] = f(i) })
		}
		all.Wait()
		return errors.Join(errs...)
	}
	err := each(func(i int) (err error) {
		calls[i], err = n.call(t)
		return err
	})
	if err == nil {
		err = each(func(i int) (err error) {
			got[i], err = calls[i].replay(*traces[i])
			return err
		})
	}
	if err == nil {
		err = each(func(i int) (err error) {
			return calls[i].judge(t, &got[i])
		})
	}
	return got, err
}

// judge ends a call and makes a row of what libwebrtc says, and of what was heard.
func (c *receiving) judge(t *talk, replay *replayed) error {
	tr := replay.sent
	samples, err := c.end()
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(filepath.Join(c.dir, "heard.raw"))
	if err != nil {
		return err
	}
	h := &heard{pcm: make([]int16, len(raw)/2)}
	for i := range h.pcm {
		h.pcm[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
	}
	since := func(s inbound) time.Duration {
		return time.Duration(s.Timestamp*1e6) - time.Duration(c.begin.UnixNano())
	}
	samples = slices.DeleteFunc(samples, func(s inbound) bool { return since(s) < settled || s.TotalSamplesReceived == 0 })
	if len(samples) < 10 {
		return fmt.Errorf("NetEq, %s: %d samples of statistics", tr.name, len(samples))
	}
	replay.late = max(replay.late, stalled(samples))
	quickest := tr.quickest()
	for i := 1; i < len(samples); i++ {
		a, b := samples[i-1], samples[i]
		emitted := b.JitterBufferEmittedCount - a.JitterBufferEmittedCount
		var late time.Duration
		came := 0
		for _, v := range tr.arrivals {
			if v.at >= since(a) && v.at < since(b) {
				late += v.at - time.Duration(v.packet)*frame - quickest[v.packet]
				came++
			}
		}
		if emitted > 0 && came > 0 {
			in := time.Duration((b.JitterBufferDelay - a.JitterBufferDelay) / emitted * 1e9)
			h.delays = append(h.delays, in+late/time.Duration(came))
		}
	}
	r := t.row(tr, netEQ, h)
	first, last := samples[0], samples[len(samples)-1]
	percent := func(of func(inbound) float64) float64 {
		return 100 * (of(last) - of(first)) / (last.TotalSamplesReceived - first.TotalSamplesReceived)
	}
	recovered := func(v inbound) int { return int(v.FecPacketsReceived - v.FecPacketsDiscarded) }
	late := int(last.PacketsDiscarded - first.PacketsDiscarded)
	frames, again := tr.packets-int(settled/frame), recovered(last)-recovered(first)
	r.Recovered = share(again, frames)
	r.conceal(percent(func(v inbound) float64 { return v.ConcealedSamples }), share(tr.lost()+late-again, frames))
	rest := percent(func(v inbound) float64 {
		return v.TotalSamplesReceived - v.JitterBufferEmittedCount - v.InsertedSamplesForDeceleration + v.RemovedSamplesForAcceleration
	})
	if math.Abs(rest-r.MadeUp) > balanced {
		return fmt.Errorf("NetEq, %s: %.2f %% made up, and by its other counters %.2f %%", tr.name, r.MadeUp, rest)
	}
	r.Changed = percent(func(v inbound) float64 { return v.InsertedSamplesForDeceleration + v.RemovedSamplesForAcceleration })
	r.listen(t, h, 5) // its time is not ours
	replay.row = r
	return nil
}

// stalled is by how much at most what libwebrtc has played was off the clock, from
// one sample of its statistics to the next: it was not run in time, and then made
// good what nobody would have heard.
func stalled(samples []inbound) (most time.Duration) {
	for i := 1; i < len(samples); i++ {
		a, b := samples[i-1], samples[i]
		played := (b.TotalSamplesReceived - a.TotalSamplesReceived) * 1e9 / audio.SampleRate
		most = max(most, time.Duration(played-(b.Timestamp-a.Timestamp)*1e6).Abs())
	}
	return most
}

// receiving is a call whose other end is libwebrtc.
type receiving struct {
	dir     string // with what it hears
	web     *webrtc
	peer    netip.AddrPort
	packets [][]byte // of the speech, as they are sent
	begin   time.Time
	node    *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// call starts libwebrtc. The receiving is to be closed, with an error too.
func (n *neteq) call(t *talk) (c *receiving, err error) {
	c = &receiving{}
	if c.dir, err = os.MkdirTemp("", "sotto-bench-neteq-"); err != nil {
		return c, err
	}
	if c.web, err = newWebRTC(); err != nil {
		return c, err
	}
	script := filepath.Join(c.dir, "receive.js")
	if err = os.WriteFile(script, receiveScript, 0o600); err != nil {
		return c, err
	}
	node := exec.Command("node", script, filepath.Join(c.dir, "heard.raw"))
	node.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(n.modules, "node_modules"))
	node.Stderr = os.Stderr
	if c.in, err = node.StdinPipe(); err != nil {
		return c, err
	}
	out, err := node.StdoutPipe()
	if err != nil {
		return c, err
	}
	c.out = bufio.NewReader(out)
	if err = node.Start(); err != nil {
		return c, err
	}
	c.node = node
	if _, err = c.out.ReadBytes('\n'); err != nil {
		return c, fmt.Errorf("node: %w", err)
	}
	answer, err := json.Marshal(c.web.answer())
	if err != nil {
		return c, err
	}
	if _, err = c.in.Write(append(answer, '\n')); err != nil {
		return c, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	sealer, peer, err := c.web.connect(ctx)
	if err != nil {
		return c, err
	}
	c.peer = peer
	var b [1500]byte
	for i := range t.packets {
		n, err := sealer.Seal(b[:], t.rtp(b[:], i))
		if err != nil {
			return c, err
		}
		c.packets = append(c.packets, bytes.Clone(b[:n]))
	}
	return c, nil
}

// replay sends the packets of a trace when they are to arrive.
func (c *receiving) replay(tr trace) (r replayed, err error) {
	if _, err = io.WriteString(c.in, "begin\n"); err != nil {
		return r, err
	}
	c.begin = time.Now().Add(100 * time.Millisecond)
	r.sent = tr
	r.sent.arrivals = slices.Clone(tr.arrivals)
	for i, a := range tr.arrivals {
		time.Sleep(time.Until(c.begin.Add(a.at)))
		if _, err = c.web.conn.WriteToUDPAddrPort(c.packets[a.packet], c.peer); err != nil {
			return r, err
		}
		r.sent.arrivals[i].at = time.Since(c.begin)
		r.late = max(r.late, r.sent.arrivals[i].at-a.at)
	}
	return r, nil
}

// end hangs up and says what libwebrtc said.
func (c *receiving) end() (samples []inbound, err error) {
	if err = c.in.Close(); err != nil {
		return nil, err
	}
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	return samples, json.Unmarshal(line, &samples)
}

func (c *receiving) close() {
	if c == nil {
		return
	}
	if c.web != nil {
		c.web.close()
	}
	if c.node != nil {
		_ = c.node.Process.Kill() // it may have ended
		_ = c.node.Wait()
	}
	_ = os.RemoveAll(c.dir) // a leftover in /tmp harms nobody
}
