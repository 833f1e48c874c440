package route_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"sotto/media/route"
)

// story makes events of bytes: those of a world with few names, so that things
// meet, and hostile texts in it.
type story struct{ bytes []byte }

func (s *story) next() byte {
	if len(s.bytes) == 0 {
		return 0
	}
	b := s.bytes[0]
	s.bytes = s.bytes[1:]
	return b
}

func pick[T any](s *story, of []T) T { return of[int(s.next())%len(of)] }

var (
	origins = []route.Origin{route.Pulse, route.PipeWire, route.BlueZ, route.ALSA, 0, 9}
	ids     = append(slices.Repeat([]route.ID{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, 20), "", "\x00g", "ünd", route.ID(strings.Repeat("i", 300)))
	kinds   = []route.Kind{route.Sink, route.Source, route.Playback, route.Capture, 0, 77}
	calls   = []string{"our call", "our call", "our call", "other call", "third call"}
	groups  = []string{"", "", "", "g", "h", "\x00"}
	texts   = []string{"", "internal", "pci", "usb", "bluez", "a2dp", "alsa", "PCI ", "рci", "\xff", "\x1b[2J", strings.Repeat("x", 5000), "hw:PCH,0", "monitor", "speaker", "true"}
	keys    = []string{"", "device.bus", "device.api", "Device.Bus", "device.form_factor", "node.name", "alsa.card", "api.bluez5.profile", "node.network", "sysfs.path", "x y", "factory.name"}
)

func (s *story) event() route.Event {
	return route.Event{At: time.Unix(int64(s.next()), 0), From: pick(s, origins), Fact: s.fact()}
}

func (s *story) fact() route.Fact {
	switch s.next() % 16 {
	case 0:
		return route.Ready{}
	case 1:
		return route.Lost{Reason: pick(s, texts)}
	case 2, 3:
		return route.Gone{ID: pick(s, ids)}
	case 4, 5, 6:
		return route.Link{ID: pick(s, ids), From: pick(s, ids), To: pick(s, ids)}
	case 7:
		return route.BluetoothDevice{ID: pick(s, ids), Name: pick(s, texts), Address: pick(s, texts), Connected: s.next()&1 == 1,
			Class: uint32(s.next()) << 8, Icon: pick(s, texts), UUIDs: []string{pick(s, texts)}}
	case 8:
		return route.BluetoothTransport{ID: pick(s, ids), Device: pick(s, ids), UUID: pick(s, texts), State: pick(s, texts)}
	case 9:
		return route.BluetoothAdapter{ID: pick(s, ids), Powered: s.next()&1 == 1}
	case 10:
		return route.Jacks{ID: pick(s, ids), Card: pick(s, texts), All: []route.Jack{{Name: pick(s, texts), Plugged: s.next()&1 == 1}}}
	case 11:
		return pick(s, []route.Fact{nil, &route.Node{ID: "1"}, route.Node{}})
	}
	n := pick(s, []func() route.Node{speaker, microphone, func() route.Node { return headset("") }, func() route.Node { return named(pick(s, calls), "", pick(s, kinds)) }})()
	if s.next()&1 == 1 {
		n = pipewire(with(n, func(n *route.Node) {
			if n.Props == nil {
				n.Props = map[string]string{}
			}
		}))
	}
	n.ID, n.Group, n.MonitorOf = pick(s, ids), pick(s, groups), pick(s, append([]route.ID{"", "", ""}, ids...))
	if n.Props != nil && s.next()&1 == 1 {
		n.Props[pick(s, keys)] = pick(s, texts)
	}
	return n
}

// shadow is what the World should have made of it: every thing each monitor
// stands by.
type shadow map[route.Origin]map[route.ID]route.Fact

func (m shadow) apply(e route.Event) {
	switch f := e.Fact.(type) {
	case route.Lost:
		delete(m, e.From)
		return
	case route.Gone:
		delete(m[e.From], f.ID)
		return
	}
	if m[e.From] == nil {
		m[e.From] = map[route.ID]route.Fact{}
	}
	switch f := e.Fact.(type) {
	case route.Node:
		m[e.From][f.ID] = f
	case route.Link:
		m[e.From][f.ID] = f
	case route.BluetoothDevice:
		m[e.From][f.ID] = f
	case route.BluetoothTransport:
		m[e.From][f.ID] = f
	case route.BluetoothAdapter:
		m[e.From][f.ID] = f
	case route.Jacks:
		m[e.From][f.ID] = f
	}
}

// leaks reports whether what this call plays, or what only says that it is ours,
// comes to a headset, found by trying every pair of things again and again until
// nothing new is reached.
func (m shadow) leaks(from route.Origin) bool {
	reached := map[route.ID]bool{}
	for id, f := range m[from] {
		if n, ok := f.(route.Node); ok && n.Kind == route.Playback && n.Owner.PID == ourPID && (from == route.ALSA || n.Props["media.name"] != "other call") {
			reached[id] = true
		}
	}
	for grown := true; grown; {
		grown = false
		step := func(a, b route.ID) {
			if reached[a] && !reached[b] {
				reached[b], grown = true, true
			}
		}
		for id, f := range m[from] {
			switch f := f.(type) {
			case route.Link:
				step(f.From, f.To)
			case route.Node:
				if f.MonitorOf != "" {
					step(f.MonitorOf, id)
				}
				if f.Group == "" || f.Kind == route.Sink || f.Kind == route.Capture {
					continue
				}
				for in, g := range m[from] {
					if g, ok := g.(route.Node); ok && g.Group == f.Group && (g.Kind == route.Sink || g.Kind == route.Capture) {
						step(in, id)
					}
				}
			}
		}
	}
	for id := range reached {
		if n, ok := m[from][id].(route.Node); ok && n.Kind == route.Sink && strings.HasPrefix(n.Name, "bluez") {
			return true
		}
	}
	return false
}

// believe checks what the World says against the shadow.
func believe(t *testing.T, w *route.World, m shadow) (accepted bool) {
	t.Helper()
	r := w.Report(self)
	if !r.Same(w.Report(self)) {
		t.Fatalf("one world, two reports: %+v", r)
	}
	v, err := route.Policy{}.Check(r)
	if v.Valid() != (err == nil) || err == nil && (r.Unknown != "" || len(r.Routes) == 0) {
		t.Fatalf("%+v: %v", r, err)
	}
	if err != nil {
		if len(err.Error()) > 2000 {
			t.Fatalf("a refusal of %d bytes", len(err.Error()))
		}
		return false
	}
	for _, found := range r.Routes {
		if !verdicts[found.Class].byDefault {
			t.Fatalf("accepted: %+v", found)
		}
	}
	if m.leaks(route.Pulse) || m.leaks(route.PipeWire) {
		t.Fatalf("accepted, though it comes to a headset: %+v", r)
	}
	return true
}

// FuzzWorld feeds a World on which a call is going on with whatever the bytes
// say.
func FuzzWorld(f *testing.F) {
	random := rand.New(rand.NewPCG(6, 2))
	for range 8 {
		f.Add(wild(random, 600))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		w, m := begin()
		s := &story{data}
		for len(s.bytes) > 0 {
			e := s.event()
			w.Apply(e)
			m.apply(e)
			believe(t, w, m)
		}
	})
}

// begin is a world with a call on the built-in devices, whose things have names
// that a story uses too.
func begin() (*route.World, shadow) {
	w, m := route.NewWorld(route.Pulse, route.PipeWire), shadow{}
	for _, from := range []route.Origin{route.Pulse, route.PipeWire} {
		short := strings.NewReplacer("sink 0", "0", "source 1", "1", "out 10", "2", "in 11", "3")
		for _, f := range call(from) {
			switch g := f.(type) {
			case route.Node:
				g.ID = route.ID(short.Replace(string(g.ID)))
				f = g
			case route.Link:
				g.From, g.To = route.ID(short.Replace(string(g.From))), route.ID(short.Replace(string(g.To)))
				g.ID = pick(&story{[]byte(g.From)}, []route.ID{"8", "9"})
				f = g
			}
			e := route.Event{From: from, Fact: f}
			w.Apply(e)
			m.apply(e)
		}
	}
	return w, m
}

// TestMillionEvents: a million events, in the short form thousands, leave
// neither a panic nor memory behind, nor a policy that is not what it was.
func TestMillionEvents(t *testing.T) {
	events := 10_000
	if os.Getenv("SOTTO_LONG") != "" {
		events = 1_000_000
	}
	text := []byte(wholePolicy)
	policy, err := route.ParsePolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := route.ParsePolicy(bytes.Clone(text))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(6, 1))
	w, m := begin()
	before := heap()
	accepted := 0
	for i := range events {
		e := (&story{wild(random, 40)}).event()
		w.Apply(e)
		m.apply(e)
		if believe(t, w, m) {
			accepted++
		}
		_, _ = policy.Check(w.Report(self))
		if i%20 == 0 { // most stories end soon in a monitor that is lost
			w, m = begin()
		}
	}
	if grown := heap() - before; grown > 32<<20 {
		t.Errorf("%d MB more are in use", grown>>20)
	}
	if !reflect.DeepEqual(policy, kept) || string(text) != wholePolicy {
		t.Error("the policy has changed")
	}
	t.Logf("%d events; after %d of them the route was acceptable", events, accepted)
	if accepted == 0 || accepted > events*9/10 {
		t.Error("the events are too tame, or too wild, to show anything")
	}
}

func wild(random *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.UintN(256))
	}
	return b
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// FuzzClassify: whatever a device says, it is built in only with all that takes.
func FuzzClassify(f *testing.F) {
	genuine := speaker()
	for _, said := range []string{"", "device.bus=usb", "Device.API=BlueZ5\nx=", "alsa.card=\u0660", "node.link-group=", "device.form_factor=internal "} {
		f.Add(genuine.Name, genuine.Driver, "", genuine.Port.Name, genuine.Port.Type, said, true, byte(0))
		f.Add(genuine.Name, "adapter", "api.alsa.pcm.sink", "", "", said, false, byte(1))
	}
	f.Fuzz(func(t *testing.T, name, driver, factory, port, kind, said string, hardware bool, which byte) {
		n := speaker()
		n.Name, n.Driver, n.Factory, n.Hardware = name, driver, factory, hardware
		n.Port = route.Port{Name: port, Type: kind}
		for line := range strings.Lines(said) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			n.Props[key] = value
		}
		from := pick(&story{[]byte{which}}, origins)
		got := route.Classify(from, n)
		if again := route.Classify(from, n); !reflect.DeepEqual(got, again) {
			t.Fatalf("%+v, then %+v", got, again)
		}
		if !verdicts[got.Class].byDefault {
			return
		}
		all := strings.ToLower(fmt.Sprint(n))
		if strings.Contains(all, "bluez") || strings.Contains(all, "bluetooth") || strings.HasPrefix(driver, "module-null") {
			t.Fatalf("%q is %v", all, got.Class)
		}
		vouched := slices.Contains([]string{"api.alsa.pcm.sink", ""}, n.Factory) && (hardware || from != route.Pulse) && driver != "" && (from != route.PipeWire || driver == "adapter")
		if !vouched || n.Props["device.api"] != "alsa" && from != route.ALSA {
			t.Fatalf("%+v is %v", n, got.Class)
		}
	})
}

// FuzzParsePolicy: no text panics, and none makes a policy that lists what no
// policy may.
func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte(wholePolicy))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := route.ParsePolicy(bytes.Clone(text))
		if err != nil {
			if !reflect.DeepEqual(p, route.Policy{}) || len(err.Error()) > 4000 {
				t.Fatalf("%+v with %v", p, err)
			}
			return
		}
		for _, device := range p.Wired {
			if device == "" || strings.Contains(strings.ToLower(device), "bluez") || strings.Contains(strings.ToLower(device), "bluetooth") {
				t.Fatalf("lists %q", device)
			}
		}
		if p.HoldAfter < 0 || p.EndAfter < 0 {
			t.Fatalf("%+v", p)
		}
		if _, err := p.Verify(route.Route{Class: route.BluetoothSCO, Device: "x"}, route.Route{Device: "y"}); err == nil {
			t.Fatal("allows Bluetooth")
		}
	})
}
