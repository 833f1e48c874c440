package route

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// survey makes a Report.
type survey struct {
	world  *World
	self   Self
	report Report
	tapped map[Tap]int // where in report.Taps; by program, and by its name alone
}

// Report says what holds for self. If it cannot be known, it says why, and
// nothing else. For a self without a PID, which has no streams, the taps are those
// of all devices.
func (w *World) Report(self Self) Report {
	s := survey{world: w, self: self, report: Report{At: w.at}, tapped: map[Tap]int{}}
	unknown := w.unknown()
	for _, from := range []Origin{Pulse, PipeWire, ALSA} {
		if unknown == "" {
			unknown = s.follow(from)
			s.overhear(from)
		}
	}
	if unknown != "" {
		return Report{At: w.at, Unknown: unknown}
	}
	s.radios()
	s.report.Routes = merge(s.report.Routes)
	return s.report
}

// follow follows our streams where one monitor shows them. What it returns is
// why they are not known.
func (s *survey) follow(from Origin) (unknown string) {
	g := s.world.views[from].graph(from)
	playback, decoys := g.ours(s.self, Playback)
	capture, spies := g.ours(s.self, Capture)
	if s.world.shows(from) {
		if len(playback) == 0 && s.self.Playback {
			return fmt.Sprintf("%v does not show where this call is played", from)
		}
		if decoys > 0 { // what we take for ours may be one too
			return fmt.Sprintf("%v shows more streams than this program plays", from)
		}
		if len(capture) == 0 && s.self.Capture {
			return fmt.Sprintf("%v does not show where this call is recorded", from)
		}
	}
	for _, n := range playback {
		if !s.outward(g, n) {
			return "no device plays this call"
		}
	}
	for _, n := range capture {
		if !s.inward(g, n) {
			return "no device records this call"
		}
	}
	s.orders(from, append(playback, capture...))
	if spies > 0 {
		s.report.Taps = append(s.report.Taps, Tap{
			Program: Process{PID: s.self.PID, Name: "a program that calls itself this one"},
			Stream:  fmt.Sprintf("%d streams too many", spies),
		})
	}
	return ""
}

// orders adds who has been told to take our streams elsewhere.
func (s *survey) orders(from Origin, streams []Node) {
	v := &s.world.views[from]
	for _, id := range slices.Sorted(maps.Keys(v.objects)) {
		o, is := v.objects[id].fact.(Order)
		if !is || !slices.ContainsFunc(streams, func(n Node) bool { return n.ID == o.Stream }) {
			continue
		}
		if !slices.ContainsFunc(s.report.Routes, func(r Route) bool { return r.Device == o.Target }) {
			o.Target = clip(o.Target)
			s.report.Orders = append(s.report.Orders, o)
		}
	}
}

// shows reports whether our streams have to be seen by the monitor: by those of
// the daemons, and by ALSA where there is none.
func (w *World) shows(from Origin) bool {
	if from == ALSA {
		return slices.Contains(w.want, ALSA) && !slices.Contains(w.want, Pulse) && !slices.Contains(w.want, PipeWire)
	}
	return slices.Contains(w.want, from)
}

// outward follows what a stream of ours plays.
func (s *survey) outward(g *graph, stream Node) (device bool) {
	last := stream
	for _, f := range g.reach(g.next, stream.ID) {
		switch f.node.Kind {
		case Sink:
			device = true
			last = f.node
			s.arrive(g, f, false)
		default:
			s.give(g, f, Tap{Device: cmp.Or(last.Description, last.Name), Monitor: true})
		}
	}
	return device
}

// inward follows back what a stream of ours records, and then whom else the
// same microphone reaches.
func (s *survey) inward(g *graph, stream Node) (device bool) {
	var sources []ID
	for _, f := range g.reach(g.prev, stream.ID) {
		slices.Reverse(f.way) // as the voice goes
		switch f.node.Kind {
		case Source:
			sources = append(sources, f.node.ID)
			s.arrive(g, f, true)
		case Sink: // recorded from behind
			r := s.verdict(g, f.node)
			if rank(r.Class) < rank(Monitor) {
				r.Class, r.Reason = Monitor, ""
			}
			r.Capture = true
			s.add(r, f.way)
		default:
			if f.node.Kind == Capture && !f.linked { // what a filter takes
				continue
			}
			s.add(stranger(g, f), f.way)
		}
		device = true
	}
	for _, f := range g.reach(g.next, sources...) {
		switch f.node.Kind {
		case Sink:
			s.arrive(g, f, false)
		default:
			microphone := g.nodes[f.start]
			s.give(g, f, Tap{Device: cmp.Or(microphone.Description, microphone.Name)})
		}
	}
	return device
}

// arrive adds the route to a device.
func (s *survey) arrive(g *graph, f found, capture bool) {
	r := s.verdict(g, f.node)
	r.Capture = capture
	s.add(r, f.way)
}

func (s *survey) add(r Route, way []string) {
	if len(way) > 0 {
		r.Evidence = append(slices.Clone(r.Evidence), "through="+strings.Join(way, ", "))
	}
	s.report.Routes = append(s.report.Routes, r)
}

// overhear adds who records from any device, where there is no call whose devices
// these could be.
func (s *survey) overhear(from Origin) {
	if s.self.PID != 0 || !s.world.shows(from) {
		return
	}
	g := s.world.views[from].graph(from)
	for _, kind := range []Kind{Sink, Source} {
		var devices []ID
		for _, n := range g.all(kind) {
			if n.MonitorOf == "" { // its sink leads there
				devices = append(devices, n.ID)
			}
		}
		for _, f := range g.reach(g.next, devices...) {
			if device := g.nodes[f.start]; f.says() && f.node.Kind == Capture {
				s.tap(f, Tap{Device: cmp.Or(device.Description, device.Name), Monitor: kind == Sink})
			}
		}
	}
}

// stranger is the route from something that is no microphone.
func stranger(g *graph, f found) Route {
	r := Route{Class: Virtual, Device: clip(cmp.Or(f.node.Name, string(f.node.ID))), Name: clip(f.node.Owner.Name), Capture: true}
	r.Reason = "it is a program that plays, and no microphone"
	if against, ok := g.verdicts[f.node.ID]; ok {
		r = against
		r.Capture = true
	} else if !f.says() {
		r.Class, r.Reason = Unknown, notSaid
	}
	return r
}

const notSaid = "it has not said yet what it is"

// says reports whether it is known at all what f does with audio.
func (f found) says() bool { return f.known && f.node.Kind != 0 }

// give is for what gets audio and is no sink: a program, whatever it calls
// itself, a radio or a network in a stream's clothes, or nobody knows. What is
// only the other end of a filter, or a monitor, nobody has linked.
func (s *survey) give(g *graph, f found, t Tap) {
	against, suspect := g.verdicts[f.node.ID]
	switch {
	case !f.says() && !suspect:
		s.add(Route{Device: clip(cmp.Or(f.node.Name, string(f.node.ID))), Name: clip(f.node.Owner.Name), Reason: notSaid}, f.way)
	case f.node.Kind == Playback && !f.linked, f.node.Kind == Source && !f.linked:
	case suspect && (f.node.Kind != Source || rank(against.Class) >= rank(Network)):
		s.add(against, f.way)
	default:
		s.tap(f, t)
	}
}

// tap adds a program that records, unless that is us. PipeWire's imitation of
// PulseAudio may know the name of a program alone, which it has told of before it
// knew its process: that is the one of this name whose process is known.
func (s *survey) tap(f found, t Tap) {
	if s.self.owns(f.node) && f.node.Kind == Capture {
		return // counted elsewhere
	}
	t.Program, t.Device, t.Stream = f.node.Owner, clip(t.Device), clip(cmp.Or(f.node.Description, f.node.Name))
	t.Program.Name = clip(cmp.Or(t.Program.Name, f.node.Driver, f.node.Name))
	same := t // whoever has seen it
	same.Stream = ""
	named := same
	named.Program.PID = 0
	if _, seen := s.tapped[same]; seen {
		return
	}
	at, seen := s.tapped[named]
	if seen && s.report.Taps[at].Program.PID == 0 {
		s.report.Taps[at] = t
	} else {
		at = len(s.report.Taps)
		s.report.Taps = append(s.report.Taps, t)
	}
	s.tapped[same], s.tapped[named] = at, at
}

// verdict is what a device was found to be, the kernel having been heard.
func (s *survey) verdict(g *graph, n Node) Route {
	if g.from == ALSA {
		return slices.MaxFunc(s.world.wired(n), func(a, b Route) int { return rank(a.Class) - rank(b.Class) })
	}
	r := g.verdicts[n.ID]
	if g.from == PipeWire && n.Port == (Port{}) && r.Class == Unknown {
		if n.Port = s.world.portOf(n); n.Port != (Port{}) {
			r = Classify(PipeWire, n)
		}
	}
	switch {
	case r.Class.rule() == refused:
		return r
	case g.twin[n.ID]:
		r.Class, r.Reason = Unknown, "another device says that it is the same one"
		return r
	}
	return s.world.corroborate(r, n)
}

// merge leaves one route of each device, the worst.
func merge(routes []Route) []Route {
	type end struct {
		device  string
		capture bool
	}
	var merged []Route
	at := map[end]int{}
	for _, r := range routes {
		i, ok := at[end{r.Device, r.Capture}]
		switch {
		case !ok:
			at[end{r.Device, r.Capture}] = len(merged)
			merged = append(merged, r)
		case rank(r.Class) > rank(merged[i].Class):
			merged[i] = r
		}
	}
	return merged
}

// rank orders classes by how bad they are.
func rank(c Class) int {
	switch c.rule() {
	case allowed:
		return 0
	case listable:
		return 1
	}
	switch c {
	case BluetoothSCO, BluetoothA2DP, BLEAudio, HearingAid:
		return 6
	case Network, Telephony:
		return 5
	case Virtual, Monitor, RemoteSubmix:
		return 4
	case Unknown:
		return 2
	}
	return 3
}

// Devices are all devices that a call can be opened on, with what they were
// found to be. Where there is a daemon the kernel's are not among them.
func (w *World) Devices() []Route {
	s := survey{world: w}
	for _, from := range []Origin{Pulse, PipeWire, ALSA} {
		if from == ALSA && !w.shows(ALSA) {
			continue
		}
		g := w.views[from].graph(from)
		for _, kind := range []Kind{Sink, Source} {
			for _, n := range g.all(kind) {
				s.arrive(g, found{node: n}, kind == Source)
			}
		}
	}
	return merge(s.report.Routes)
}
