package devices

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sotto/media/audio/device"
	"sotto/media/route"
)

func TestChoose(t *testing.T) {
	all := []device.Device{
		{ID: "mic", Direction: device.Capture, Default: true}, {ID: "other-mic", Direction: device.Capture},
		{ID: "speaker", Direction: device.Playback}, {ID: "headset", Direction: device.Playback, Default: true},
	}
	cards := []device.Device{
		{ID: "hw:PCH,0", Direction: device.Capture}, {ID: "hw:C320,0", Direction: device.Capture},
		{ID: "hw:PCH,0", Direction: device.Playback}, {ID: "hw:C320,0", Direction: device.Playback}, {ID: "hw:PCH,3", Direction: device.Playback},
	}
	policy := route.Policy{Strict: true}
	for _, c := range []struct {
		name              string
		all               []device.Device
		ids               []string
		capture, playback string
		fails             string
	}{
		{"nothing said", all, nil, "", "", ""},
		{"a loudspeaker", all, []string{"speaker"}, "", "speaker", ""},
		{"both", all, []string{"speaker", "other-mic"}, "other-mic", "speaker", ""},
		{"a stranger", all, []string{"spaeker"}, "", "", `"spaeker"; there are "mic" (capture), "other-mic" (capture), "speaker" (playback)`},
		{"two of a kind", all, []string{"speaker", "headset"}, "", "", "both playback devices"},
		{"a card that is both", cards, []string{"hw:PCH,0"}, "hw:PCH,0", "hw:PCH,0", ""},
		{"a card's loudspeaker, and another's microphone", cards, []string{"hw:PCH,3", "hw:C320,0"}, "hw:C320,0", "hw:PCH,3", ""},
		{"two cards that are both", cards, []string{"hw:PCH,0", "hw:C320,0"}, "", "", "both playback devices"},
		{"no default card", cards, nil, "", "", "no "},
		{"none at all", nil, nil, "", "", "no"},
		{"no default", all[1:], nil, "", "", "no capture device"},
		{"no loudspeaker", all[:2], []string{"mic"}, "", "", "no playback device"},
	} {
		got, err := choose(c.all, policy, c.ids)
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: %v, want %q", c.name, err, c.fails)
			}
			continue
		}
		if err != nil || got.Capture != c.capture || got.Playback != c.playback || !got.Policy.Strict {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
}

// The default device is the one that the system would take at that time.
func TestPick(t *testing.T) {
	all := []device.Device{{ID: "a", Direction: device.Playback}, {ID: "b", Direction: device.Capture, Default: true}, {ID: "b", Direction: device.Playback, Default: true}}
	for id, want := range map[string]string{"": "b", "a": "a", "b": "b"} {
		if got, err := pick(all, device.Playback, id); got != want || err != nil {
			t.Errorf("%q: %q, %v", id, got, err)
		}
	}
	if _, err := pick(all, device.Capture, "a"); !errors.Is(err, ErrNoDevice) {
		t.Errorf("a loudspeaker to speak into: %v", err)
	}
}

// part is a device that may have been gone.
type part bool

func (p part) Gone() bool { return bool(p) }

// A device that has been gone fails, so that the engine opens anew.
func TestGone(t *testing.T) {
	if err := gone(part(false)); err != nil {
		t.Error(err)
	}
	if err := gone(part(true)); !errors.Is(err, errGone) {
		t.Errorf("gone: %v", err)
	}
}

// restless is a watch over a machine on which something happens all the time, so that
// its answers take a while.
type restless struct {
	route.Watch
	alarms chan route.Alarm
}

func (r restless) Alarms() <-chan route.Alarm { return r.alarms }

func (r restless) Devices(ctx context.Context) ([]route.Route, error) {
	r.alarms <- route.Alarm{}
	select {
	case <-time.After(300 * time.Millisecond):
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A device that is not known in time is refused, which is told and tried again, also if
// the watch is being asked just then.
func TestNotKnownInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := restless{alarms: make(chan route.Alarm, 1)}
		_, err := Choice{}.admit(t.Context(), w, "mic", "speaker")
		if refusal := new(route.Refusal); !errors.As(err, &refusal) || refusal.Device != "mic" {
			t.Error(err)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		<-w.alarms
		if _, err := (Choice{}).admit(ended, w, "mic", "speaker"); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
