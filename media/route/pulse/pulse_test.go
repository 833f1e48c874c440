package pulse

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"sotto/media/route"
)

// What two real servers have said of the same scene: a remap, a combination, a
// loopback, a Bluetooth headset, and two programs.
func TestObjects(t *testing.T) {
	for _, c := range []struct {
		file         string
		nodes, links int
		headset      route.Node // without its properties
	}{
		{"pulseaudio-16.1.txt", 18, 7, route.Node{
			Kind: route.Sink, Name: "bluez_sink.AA_BB_CC_DD_EE_07.a2dp_sink", Description: "CheapHeadset", Driver: "module-bluez5-device.c",
			Port: route.Port{Name: "headset-output", Type: "Headset", Available: "yes"}, Hardware: true,
		}},
		{"pipewire-0.3.65.txt", 16, 7, route.Node{
			Kind: route.Sink, Name: "bluez_output.AA_BB_CC_DD_EE_07.1", Description: "CheapHeadset", Driver: "PipeWire",
			Port: route.Port{Name: "headset-output", Type: "Headset", Available: "yes"}, Hardware: true,
		}},
	} {
		nodes, links := map[string]route.Node{}, map[route.ID]route.Link{}
		for _, fact := range parseAll(t, recorded(t, c.file)) {
			switch f := fact.(type) {
			case route.Node:
				nodes[f.Name] = f
			case route.Link:
				links[f.ID] = f
			}
		}
		headset := nodes[c.headset.Name]
		if headset.Props["device.api"] == "" || headset.ID == "" {
			t.Errorf("%s: %+v", c.file, headset)
		}
		headset.Props, headset.ID = nil, ""
		if !reflect.DeepEqual(headset, c.headset) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", c.file, headset, c.headset)
		}
		for _, name := range []string{"builtin_speaker", "innocent", "both"} {
			if nodes[name].Group == "" {
				t.Errorf("%s: %s has no group: %+v", c.file, name, nodes[name])
			}
		}
		monitor := nodes["builtin_speaker.monitor"]
		if monitor.Kind != route.Source || monitor.MonitorOf != nodes["builtin_speaker"].ID || monitor.MonitorOf == "" {
			t.Errorf("%s: %+v", c.file, monitor)
		}
		spy := nodes["parec"]
		if spy.Kind != route.Capture || spy.Owner.Name != "parec" || spy.Owner.PID == 0 || spy.Group != "" {
			t.Errorf("%s: %+v", c.file, spy)
		}
		if l := links[spy.ID+" link"]; l.From != monitor.ID || l.To != spy.ID {
			t.Errorf("%s: the spy's link is %+v", c.file, l)
		}
		if len(nodes) != c.nodes || len(links) != c.links {
			t.Errorf("%s: %d nodes, %d links", c.file, len(nodes), len(links))
		}
	}
}

// parseAll parses recorded lists.
func parseAll(t testing.TB, answers map[uint32][]byte) (facts []route.Fact) {
	t.Helper()
	for f := range facility(numFacilities) {
		b := body{rest: answers[facilities[f].command+1]}
		for len(b.rest) > 0 {
			facts = append(facts, facilities[f].parse(&b)...)
		}
		if b.err != nil {
			t.Fatalf("%d: %v", f, b.err)
		}
	}
	return facts
}

// No part of an object passes for one.
func TestPrefixes(t *testing.T) {
	for _, file := range []string{"pulseaudio-16.1.txt", "pipewire-0.3.65.txt"} {
		answers := recorded(t, file)
		for f := range facility(numFacilities) {
			list := answers[facilities[f].command+1]
			b := body{rest: list}
			facilities[f].parse(&b)
			whole := len(list) - len(b.rest)
			if b.err != nil || whole == 0 {
				t.Fatalf("%s: %d: %v", file, f, b.err)
			}
			for n := range whole {
				if b := (body{rest: list[:n]}); len(facilities[f].parse(&b)) == 0 || b.err == nil {
					t.Errorf("%s: %d: %d of %d bytes are an object", file, f, n, whole)
				}
			}
		}
	}
}

func TestWatch(t *testing.T) {
	s := startServer(t, "pulseaudio-16.1.txt")
	events := s.watch(t, false)
	_, before := until(t, events, is[route.Ready])
	if want := parseAll(t, s.answers); !reflect.DeepEqual(before, want) {
		t.Errorf("told %d facts before Ready, want %d", len(before), len(want))
	}

	// A sink changes: it is asked for, and told.
	one := body{rest: s.answers[cmdSink+1]}
	changed := device(&one, route.Sink)[0].(route.Node)
	list := s.answers[cmdSink+1]
	s.do(func() { s.answers[cmdSink] = list[:len(list)-len(one.rest)] })
	s.send(cmdSubscribedEvent, appendNumber(appendNumber(nil, 0x10), 0))
	got, _ := until(t, events, is[route.Node])
	if !reflect.DeepEqual(got, changed) {
		t.Errorf("got %+v", got)
	}

	// A stream goes.
	s.send(cmdSubscribedEvent, appendNumber(appendNumber(nil, 0x20|uint32(sinkInputs)), 3))
	if got, _ := until(t, events, is[route.Gone]); got != any(route.Gone{ID: "sink-input 3 link"}) {
		t.Errorf("got %+v", got)
	}
	if got, _ := until(t, events, is[route.Gone]); got != any(route.Gone{ID: "sink-input 3"}) {
		t.Errorf("got %+v", got)
	}

	// A source that is gone before it could be asked for is nothing to tell.
	s.send(cmdSubscribedEvent, appendNumber(appendNumber(nil, uint32(sources)), 99))

	// The server stops, and comes back.
	s.do(func() { s.silent = true })
	stopped := time.Now()
	until(t, events, lost("does not answer in time"))
	t.Logf("noticed after %v", time.Since(stopped))
	s.do(func() { s.silent = false })
	until(t, events, is[route.Ready])

	// The server dies, and comes back.
	s.do(func() { s.conn.Close() })
	until(t, events, is[route.Lost])
	until(t, events, is[route.Ready])
}

// What cannot be understood ends the connection and is told.
func TestConfused(t *testing.T) {
	for name, confuse := range map[string]func(*server){
		"what was not asked": func(s *server) { s.send(cmdReply, nil) },
		"error":              func(s *server) { s.do(func() { delete(s.answers, cmdServerInfo) }) },
		"understood":         func(s *server) { s.send(cmdSubscribedEvent, appendText(nil, "x")) },
		"a packet of":        func(s *server) { s.do(func() { s.conn.Write([]byte(strings.Repeat("\xff", 20))) }) },
	} {
		s := startServer(t, "pulseaudio-16.1.txt")
		events := s.watch(t, false)
		until(t, events, is[route.Ready])
		confuse(s)
		until(t, events, lost(name))
	}
}

// A server of the other kind is not followed: its graph would go unwatched.
func TestWrongServer(t *testing.T) {
	s := startServer(t, "pipewire-0.3.65.txt")
	until(t, s.watch(t, false), lost("another one"))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if on, err := OnPipeWire(ctx, s.socket); !on || err != nil {
		t.Errorf("%v, %v", on, err)
	}
	real := startServer(t, "pulseaudio-16.1.txt")
	if on, err := OnPipeWire(ctx, real.socket); on || err != nil {
		t.Errorf("%v, %v", on, err)
	}
	until(t, real.watch(t, true), lost("another one"))
}

func TestOldServer(t *testing.T) {
	s := startServer(t, "pulseaudio-16.1.txt")
	s.do(func() { s.answers[cmdAuth] = appendNumber(nil, 34) })
	until(t, s.watch(t, false), lost("protocol is 34"))
}

func TestSocket(t *testing.T) {
	for _, c := range []struct{ server, runtime, pulse, want string }{
		{"", "/run/user/7", "", "/run/user/7/pulse/native"},
		{"", "/run/user/7", "/p", "/p/native"},
		{"unix:/a/b", "/run/user/7", "", "/a/b"},
		{"/a/b", "", "", "/a/b"},
		{"tcp:example.org", "/run/user/7", "", ""},
		{"example.org", "/run/user/7", "", ""},
		{"{host}unix:/a", "/run/user/7", "", ""},
		{"/a tcp:b", "/run/user/7", "", ""},
	} {
		t.Setenv("PULSE_SERVER", c.server)
		t.Setenv("XDG_RUNTIME_DIR", c.runtime)
		t.Setenv("PULSE_RUNTIME_PATH", c.pulse)
		got, err := Socket()
		if got != c.want || errors.Is(err, ErrNoSocket) != (c.want == "") {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
}

// Whatever a server sends: no panic, and no more memory than it has sent.
func FuzzTake(f *testing.F) {
	for _, file := range []string{"pulseaudio-16.1.txt", "pipewire-0.3.65.txt"} {
		for command, answer := range recorded(f, file) {
			if command != cmdServerInfo {
				f.Add(uint32(cmdReply), command-1, answer)
			}
		}
	}
	f.Add(uint32(cmdSubscribedEvent), uint32(0), appendNumber(appendNumber(nil, 0x11), 3))
	f.Fuzz(func(t *testing.T, command, asked uint32, payload []byte) {
		s := newSession(discard{})
		s.tell = func(_ time.Time, fact route.Fact) error {
			if n, ok := fact.(route.Node); ok && len(n.Props) > maxProps {
				t.Errorf("%d properties", len(n.Props))
			}
			return nil
		}
		for index, f := range facilities {
			if f.command == asked {
				if err := s.ask(object{facility(index), 1}); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = s.take(packet{command, s.tag, body{rest: payload}}, time.Now())
		if len(s.pending) > 2 {
			t.Errorf("%d requests after one packet", len(s.pending))
		}
	})
}

// TestMillionPackets: a million damaged packets, in the short form thousands,
// to a session that goes on until it refuses one; what is told goes to a World.
func TestMillionPackets(t *testing.T) {
	packets := 10_000
	if os.Getenv("SOTTO_LONG") != "" {
		packets = 1_000_000
	}
	answers := [2]map[uint32][]byte{recorded(t, "pulseaudio-16.1.txt"), recorded(t, "pipewire-0.3.65.txt")}
	random := rand.New(rand.NewPCG(6, 3))
	world := route.NewWorld(route.Pulse)
	told, refused := 0, 0
	tell := func(at time.Time, fact route.Fact) error {
		told++
		world.Apply(route.Event{At: at, From: route.Pulse, Fact: fact})
		return nil
	}
	begin := func() *session {
		s := newSession(discard{})
		s.tell = tell
		return s
	}
	s := begin()
	for range packets {
		f := facility(random.UintN(numFacilities))
		p := packet{cmdSubscribedEvent, control, body{rest: appendNumber(appendNumber(nil, random.Uint32N(4)<<4|random.Uint32N(5)), random.Uint32N(8))}}
		if random.UintN(2) == 0 {
			if err := s.ask(object{f, random.Uint32N(8)}); err != nil {
				t.Fatal(err)
			}
			p = packet{cmdReply, s.tag, body{rest: bytes.Clone(answers[random.UintN(2)][facilities[f].command+1])}}
		}
		for range random.UintN(3) {
			p.body.rest[random.IntN(len(p.body.rest))] = byte(random.UintN(256))
		}
		if err := s.take(p, time.Now()); err != nil {
			refused++
			world.Apply(route.Event{At: time.Now(), From: route.Pulse, Fact: route.Lost{Reason: err.Error()}})
			s = begin()
		}
		if len(s.pending) > 4*8+1 || len(s.asked) > 4*8+1 {
			t.Fatalf("%d requests, about %d objects", len(s.pending), len(s.asked))
		}
	}
	world.Report(route.Self{PID: 1})
	t.Logf("%d packets: %d facts told, %d packets refused", packets, told, refused)
	if told < packets/10 || refused < packets/100 {
		t.Error("the packets are too wild, or too tame, to show anything")
	}
}
