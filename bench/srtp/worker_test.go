package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"testing"

	"sotto/internal/oracle"
	"sotto/internal/processor"
	"sotto/media/protect"
)

// recorder is an engine that writes down what it is given, and spoils it.
type recorder struct {
	t        *testing.T
	sealed   int
	seqs     map[int]uint16 // of the packet staged last, of each context
	contexts []int          // in the order in which they were staged
	chunk    []packet
}

func (r *recorder) prepare(string, int) error { return nil }

func (r *recorder) seal(_ int, buf []byte, n int) (int, error) {
	r.sealed++
	buf[n] = 0x5a
	return n + 1, nil
}

func (r *recorder) stage(op string, chunk []packet) {
	r.chunk = chunk
	for _, p := range chunk {
		seq := binary.BigEndian.Uint16(p.buf[2:])
		if last, ok := r.seqs[p.context]; ok && seq != last+1 {
			r.t.Fatalf("context %d: %d after %d", p.context, seq, last)
		}
		r.seqs[p.context] = seq
		r.contexts = append(r.contexts, p.context)
		if n := headerLen + 80; p.buf[0] != 0x80 || op == unprotectOp && (p.n != n+1 || p.buf[n] != 0x5a) || op == protectOp && p.n != n {
			r.t.Fatalf("%s: a packet of %d bytes, %x", op, p.n, p.buf[:p.n])
		}
	}
}

func (r *recorder) run(string, string) {
	for _, p := range r.chunk {
		clear(p.buf)
	}
}

func (r *recorder) check() error { return nil }

// Every packet of a measurement is new, and the contexts take turns.
func TestMeterMakesPackets(t *testing.T) {
	for _, n := range []int{1, 32, 300} {
		r := &recorder{t: t, seqs: map[int]uint16{}}
		m := &meter{engine: r}
		for _, op := range []string{protectOp, unprotectOp, protectOp} {
			r.contexts, r.sealed = nil, 0
			l := cell{"any", 80, op, n}.load(single)
			got, err := m.measure(l)
			if err != nil || got.NS <= 0 {
				t.Fatal(got, err)
			}
			if len(r.contexts) != l.Warm+l.Timed || l.Timed != chunks*chunkLen || l.Warm < n {
				t.Errorf("%d packets for %+v", len(r.contexts), l)
			}
			for i, context := range r.contexts {
				if context != i%n {
					t.Fatalf("packet %d is context %d's of %d", i, context, n)
				}
			}
			if want := map[string]int{protectOp: 0, unprotectOp: l.Warm + l.Timed}[op]; r.sealed != want {
				t.Errorf("%s: sealed %d, want %d", op, r.sealed, want)
			}
		}
	}
}

// Both engines do what is asked of them, and say so when it fails.
func TestEngines(t *testing.T) {
	for name, c := range map[string]struct {
		engine engine
		modes  []string
		has    func(string) bool
	}{
		"ours":   {&ours{}, []string{single, batch}, oursHas},
		pionName: {&pion{}, []string{single}, oracle.Has},
	} {
		m := &meter{engine: c.engine}
		for _, profile := range profiles {
			if !c.has(profile) {
				if name == "ours" {
					t.Errorf("we have no %s", profile)
				}
				continue
			}
			for _, mode := range c.modes {
				for _, op := range ops {
					if got, err := m.measure(cell{profile, 40, op, 3}.load(mode)); err != nil || got.NS <= 0 {
						t.Errorf("%s, %s, %s, %s: %+v, %v", name, profile, op, mode, got, err)
					}
				}
				if err := twice(c.engine, m, mode); err == nil {
					t.Errorf("%s, %s, %s: a packet opens twice", name, profile, mode)
				}
			}
		}
	}
}

// twice unprotects the packets of the last measurement once more.
func twice(e engine, m *meter, mode string) error {
	m.bufs[0] = [stride]byte(m.store[:stride])
	n := headerLen + 40 + profileNamed(m.profile).TagLen()
	e.stage(unprotectOp, []packet{{0, m.bufs[0][:], n}})
	e.run(unprotectOp, mode)
	err := e.check()
	if p, ok := e.(*pion); ok {
		p.err = nil
	}
	return err
}

func TestProfilesHaveOurs(t *testing.T) {
	if len(profiles) != len(protect.Profiles()) {
		t.Errorf("%d of %d profiles are measured", len(profiles), len(protect.Profiles()))
	}
}

// A worker answers each load with one line, and errors too.
func TestWorker(t *testing.T) {
	var in bytes.Buffer
	requests := json.NewEncoder(&in)
	for _, l := range []load{cell{profiles[0], 40, protectOp, 2}.load(batch), {Profile: "none", Contexts: 1, Op: protectOp, Mode: single}} {
		if err := requests.Encode(l); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := work("ours", &in, &out); err != nil {
		t.Fatal(err)
	}
	var h hello
	var first, second answer
	answers := json.NewDecoder(&out)
	for _, v := range []any{&h, &first, &second} {
		if err := answers.Decode(v); err != nil {
			t.Fatal(err)
		}
	}
	if h.Tier != protect.Tier() || first.Error != "" || first.Sample.NS <= 0 || second.Error == "" {
		t.Errorf("%+v, %+v, %+v", h, first, second)
	}
	if err := answers.Decode(&first); err != io.EOF {
		t.Error(err)
	}
}

// What limit.c computes is checked with every measurement; it has to be able
// to compute everything that is measured.
func TestLimit(t *testing.T) {
	s, err := startLimit()
	if able := processor.HasAES && processor.HasSHA && processor.HasAVX2; !able {
		if err == nil {
			t.Error("a processor without AES-NI, SHA-NI or AVX2 has a limit")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, profile := range profiles {
		for _, size := range sizes {
			for _, mode := range s.modes {
				if got, err := s.take(cell{profile, size, protectOp, 1}, mode); err != nil || got.NS <= 0 {
					t.Errorf("%s, %d bytes, %s: %+v, %v", profile, size, mode, got, err)
				}
			}
		}
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}
