package system

import (
	"fmt"
	"reflect"

	"sotto/media/route"
)

// picture is what is known now. One goroutine owns it.
type picture struct {
	world    *route.World
	self     route.Self
	monitors []monitor

	report  route.Report
	devices []route.Route
}

func (p *picture) draw() {
	p.report, p.devices = p.world.Report(p.self), p.world.Devices()
}

// take applies e, and what waits behind it, and says in words what is new.
// Empty: nothing that matters. What comes meanwhile is left, so that under a
// flood too the picture is drawn.
func (p *picture) take(e route.Event, more <-chan route.Event) string {
	p.world.Apply(e)
	for range len(more) {
		p.world.Apply(<-more)
	}
	for _, from := range p.world.Broken() {
		for _, m := range p.monitors {
			if m.from == from {
				select {
				case m.again <- struct{}{}:
				default: // it begins again already
				}
			}
		}
	}
	return p.redraw()
}

// redraw draws the picture anew, and says in words what is new.
func (p *picture) redraw() string {
	before, devices := p.report, p.devices
	p.draw()
	switch {
	case !p.report.Same(before):
		return changed(before, p.report)
	case !reflect.DeepEqual(p.devices, devices):
		return "there are other audio devices now"
	}
	return ""
}

// changed says in words what is new in a report.
func changed(before, now route.Report) string {
	switch {
	case now.Unknown != "":
		return now.Unknown
	case before.Unknown != "":
		return "the route is known again"
	case len(now.Bluetooth) > len(before.Bluetooth):
		return fmt.Sprintf("Bluetooth audio has connected, %d in all", len(now.Bluetooth))
	case len(now.Orders) > len(before.Orders):
		return fmt.Sprintf("somebody wants the call on %q", now.Orders[len(now.Orders)-1].Target)
	case len(now.Taps) > len(before.Taps):
		return fmt.Sprintf("%q records", now.Taps[len(now.Taps)-1].Program.Name)
	}
	return "the audio of this call goes another way"
}
