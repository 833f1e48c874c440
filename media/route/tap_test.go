package route_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"sotto/media/route"
)

// Who records what we say or hear is reported by name and process, and refused
// if the policy says so, unless the policy knows the program.
func TestTaps(t *testing.T) {
	const mic, out = "Built-in Audio Analog Stereo", "Built-in Audio Analog Stereo"
	spy := route.Process{PID: theirPID, Name: "program666"}
	monitor := with(microphone(), func(n *route.Node) { n.ID, n.MonitorOf, n.Name = "source 2", "sink 0", "x.monitor" })
	for _, c := range []struct {
		name  string
		facts []route.Fact
		want  []route.Tap
	}{
		{"our microphone", []route.Fact{stream("in 30", route.Capture, theirPID), link("source 1", "in 30")},
			[]route.Tap{{Program: spy, Device: mic, Stream: "in 30"}}},
		{"the monitor of our sink, a source of PulseAudio", []route.Fact{monitor, stream("in 30", route.Capture, theirPID), link("source 2", "in 30")},
			[]route.Tap{{Program: spy, Device: out, Stream: "in 30", Monitor: true}}},
		{"the monitor of our sink, ports of PipeWire", []route.Fact{stream("in 30", route.Capture, theirPID), link("sink 0", "in 30")},
			[]route.Tap{{Program: spy, Device: out, Stream: "in 30", Monitor: true}}},
		{"our stream itself", []route.Fact{stream("in 30", route.Capture, theirPID), link("out 10", "in 30")},
			[]route.Tap{{Program: spy, Device: "out 10", Stream: "in 30", Monitor: true}}},
		{"who calls what takes a stream that plays", []route.Fact{stream("out 30", route.Playback, theirPID), link("source 1", "out 30")},
			[]route.Tap{{Program: spy, Device: mic, Stream: "out 30"}}},
		{"the same, of what we play", []route.Fact{stream("out 30", route.Playback, theirPID), link("sink 0", "out 30")},
			[]route.Tap{{Program: spy, Device: out, Stream: "out 30", Monitor: true}}},
		{"who calls what takes a microphone", []route.Fact{with(microphone(), func(n *route.Node) {
			n.ID, n.Name, n.Description = "source 9", "mine", "Mine"
			n.Props["alsa.device"] = "7"
		}), link("source 1", "source 9")},
			[]route.Tap{{Program: route.Process{Name: "module-alsa-card.c"}, Device: mic, Stream: "Mine"}}},
		{"behind a filter, linked in beside it", []route.Fact{
			filter("in 20", route.Capture, "loopback"), with(filter("out 21", route.Playback, "loopback"), func(n *route.Node) { n.Driver = "spy" }),
			link("source 1", "in 20"), link("source 1", "out 21"),
		}, []route.Tap{
			{Program: route.Process{Name: "module-loopback.c"}, Device: mic, Stream: "in 20"}, {Program: route.Process{Name: "spy"}, Device: mic, Stream: "out 21"},
		}},
		{"behind a filter", []route.Fact{
			filter("in 20", route.Capture, "echo-cancel"), filter("source 21", route.Source, "echo-cancel"), link("source 1", "in 20"),
			stream("in 30", route.Capture, theirPID), link("source 21", "in 30"),
		}, []route.Tap{{Program: route.Process{Name: "module-echo-cancel.c"}, Device: mic, Stream: "in 20"}, {Program: spy, Device: mic, Stream: "in 30"}}},
		{"who gives our PID for its own", []route.Fact{stream("in 30", route.Capture, ourPID), link("source 1", "in 30")},
			claims(1)},
		{"who has our call's name too", []route.Fact{named("our call", "in 30", route.Capture), link("source 1", "in 30")}, claims(1)},
		{"who has the other call's name too", []route.Fact{
			named("other call", "in 30", route.Capture), link("source 1", "in 30"), named("other call", "in 31", route.Capture), link("source 1", "in 31"),
		}, claims(1)},
		{"who has the name of a call that is over", []route.Fact{named("third call", "in 30", route.Capture), link("source 1", "in 30")}, claims(1)},
		{"the other call", []route.Fact{named("other call", "in 30", route.Capture), link("source 1", "in 30")}, nil},
		{"the other call's stream that plays", []route.Fact{named("other call", "out 31", route.Playback), link("source 1", "out 31")},
			[]route.Tap{{Program: route.Process{PID: ourPID, Name: fmt.Sprint("program", ourPID)}, Device: mic, Stream: "out 31"}}},
		{"other devices do not matter", []route.Fact{
			stream("in 30", route.Capture, theirPID), link("source 3", "in 30"), with(microphone(), func(n *route.Node) { n.ID, n.Name = "source 3", "other"; n.Props["alsa.device"] = "7" }),
			stream("out 31", route.Playback, theirPID), link("out 31", "sink 0"),
		}, nil},
	} {
		w := route.NewWorld(route.Pulse)
		tell(w, route.Pulse, append(call(route.Pulse), c.facts...)...)
		r := w.Report(self)
		if r.Unknown != "" || !slices.Equal(r.Taps, c.want) {
			t.Errorf("%s: %+v", c.name, r)
			continue
		}
		if _, err := (route.Policy{}).Check(r); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		_, err := route.Policy{RefuseTaps: true}.Check(r)
		var refusal *route.Refusal
		if (err != nil) != (len(c.want) > 0) || errors.As(err, &refusal) && (refusal.Tap == nil || *refusal.Tap != c.want[0]) {
			t.Errorf("%s: %v", c.name, err)
		}
		known := route.Policy{RefuseTaps: true}
		for _, tap := range c.want {
			known.AllowTaps = append(known.AllowTaps, tap.Program.Name)
		}
		if _, err := known.Check(r); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if len(c.want) > 1 {
			known.AllowTaps = known.AllowTaps[:1]
			if _, err := known.Check(r); err == nil {
				t.Errorf("%s: a spy hides behind an echo canceller", c.name)
			}
		}
	}
}

// claims is what is told of n programs that give our PID for their own.
func claims(n int) []route.Tap {
	return []route.Tap{{Program: route.Process{PID: ourPID, Name: "a program that calls itself this one"}, Stream: fmt.Sprintf("%d streams too many", n)}}
}

// One program that two monitors see is one tap.
func TestTapSeenTwice(t *testing.T) {
	w := route.NewWorld(route.Pulse, route.PipeWire)
	for i, from := range []route.Origin{route.Pulse, route.PipeWire} {
		spy := stream("in 30", route.Capture, theirPID)
		spy.Description = []string{"recording", "spy"}[i]
		tell(w, from, append(call(from), spy, link("source 1", "in 30"))...)
	}
	if r := w.Report(self); len(r.Taps) != 1 {
		t.Errorf("%+v", r.Taps)
	}
}

// A server that knows a program by its name alone tells of one whose process
// the other knows, whichever is heard first. Two processes stay two.
func TestTapOfUnknownProcess(t *testing.T) {
	for _, c := range []struct {
		pulse, pipeWire, want []int
	}{
		{[]int{0}, []int{theirPID}, []int{theirPID}},
		{[]int{theirPID}, []int{0}, []int{theirPID}},
		{[]int{0, 0}, []int{0}, []int{0}},
		{[]int{0}, []int{theirPID, theirPID + 1}, []int{theirPID, theirPID + 1}},
		{[]int{theirPID, 0, theirPID + 1}, []int{0}, []int{theirPID, theirPID + 1}},
		{[]int{theirPID, theirPID + 1}, []int{theirPID + 1, theirPID}, []int{theirPID, theirPID + 1}},
	} {
		w := route.NewWorld(route.Pulse, route.PipeWire)
		for from, pids := range map[route.Origin][]int{route.Pulse: c.pulse, route.PipeWire: c.pipeWire} {
			facts := call(from)
			for i, pid := range pids {
				id := route.ID(fmt.Sprint("in ", 30+i))
				spy := stream(id, route.Capture, pid)
				spy.Owner.Name = "spy"
				facts = append(facts, spy, link("source 1", id))
			}
			tell(w, from, facts...)
		}
		var got []int
		for _, tap := range w.Report(self).Taps {
			got = append(got, tap.Program.PID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v and %v: %v, want %v", c.pulse, c.pipeWire, got, c.want)
		}
	}
}

// Where there is no call, whoever records from any device is told of.
func TestTapsWithoutCall(t *testing.T) {
	w := route.NewWorld(route.Pulse)
	monitor := with(microphone(), func(n *route.Node) { n.ID, n.MonitorOf, n.Name = "source 2", "sink 0", "x.monitor" })
	tell(w, route.Pulse, append(call(route.Pulse), monitor,
		stream("in 30", route.Capture, theirPID), link("source 1", "in 30"),
		stream("in 31", route.Capture, theirPID), link("source 2", "in 31"),
		stream("out 32", route.Playback, theirPID), link("out 32", "sink 0"))...)
	r := w.Report(route.Self{})
	const device = "Built-in Audio Analog Stereo"
	spy := route.Process{PID: theirPID, Name: "program666"}
	want := []route.Tap{
		{Program: spy, Device: device, Stream: "in 31", Monitor: true},
		{Program: route.Process{PID: ourPID, Name: fmt.Sprint("program", ourPID)}, Device: device, Stream: "in 11"}, // any call's
		{Program: spy, Device: device, Stream: "in 30"},
	}
	if !slices.Equal(r.Taps, want) || len(r.Routes) != 0 {
		t.Errorf("%+v", r)
	}
}

func TestTapText(t *testing.T) {
	w := route.NewWorld(route.Pulse)
	tell(w, route.Pulse, append(call(route.Pulse), stream("in 30", route.Capture, theirPID), link("source 1", "in 30"))...)
	_, err := route.Policy{RefuseTaps: true}.Check(w.Report(self))
	if want := `route: the program "program666" (process 666) is refused in secure mode: it records the microphone from "Built-in Audio Analog Stereo"; close "program666"`; err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}
