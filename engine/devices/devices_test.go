package devices

import (
	"errors"
	"strings"
	"testing"

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

// A device that is gone fails, so that the engine opens anew, and gives nothing
// before, however much has happened while nobody asked; one that is lost for a moment
// does not fail.
func TestGone(t *testing.T) {
	events := make(chan device.Event, 8)
	tell := func(kinds ...device.EventKind) {
		for _, kind := range kinds {
			events <- device.Event{Kind: kind}
		}
	}
	if err := gone(events); err != nil {
		t.Error(err)
	}
	tell(device.Lost, device.Returned, device.Lost)
	if err := gone(events); err != nil {
		t.Error(err)
	}
	tell(device.Lost, device.Returned, device.Lost, device.Gone, device.Returned)
	if err := gone(events); !errors.Is(err, errGone) {
		t.Errorf("gone: %v", err)
	}
	close(events)
	if err := gone(events); err != nil {
		t.Error(err)
	}
}
