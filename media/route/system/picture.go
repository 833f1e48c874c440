package system

import (
	"cmp"
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

// looks is how many of the events that wait are looked at one by one.
const looks = 8

// take applies e, and what waits behind it, and says in words what is new.
// Empty: nothing that matters. What comes meanwhile is left, so that under a
// flood too the picture is drawn. What has come and is gone again is new as well:
// each event is looked at by itself, and of those too many for that whatever may
// hide another counts as one.
func (p *picture) take(e route.Event, more <-chan route.Event) (text string) {
	p.world.Apply(e)
	for n := range len(more) {
		if n < looks {
			text = cmp.Or(text, p.redraw())
		}
		if adds := p.world.Apply(<-more); !adds && n >= looks {
			text = cmp.Or(text, "more has happened at once than can be looked at")
		}
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
	return cmp.Or(text, p.redraw())
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
