package route_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"sotto/media/route"
)

// verdicts is every class: what the default says, and whether listing the
// device helps.
var verdicts = map[route.Class]struct{ byDefault, listed bool }{
	route.Unknown:         {false, false},
	route.Internal:        {true, true},
	route.BuiltinEarpiece: {true, true},
	route.BuiltinSpeaker:  {true, true},
	route.BuiltinMic:      {true, true},
	route.WiredHeadset:    {false, true},
	route.WiredHeadphones: {false, true},
	route.LineOut:         {false, false},
	route.Digital:         {false, false},
	route.USBAudio:        {false, true},
	route.USBHeadset:      {false, true},
	route.BluetoothSCO:    {false, false},
	route.BluetoothA2DP:   {false, false},
	route.BLEAudio:        {false, false},
	route.HearingAid:      {false, false},
	route.HDMI:            {false, false},
	route.Network:         {false, false},
	route.Virtual:         {false, false},
	route.Monitor:         {false, false},
	route.RemoteSubmix:    {false, false},
	route.Dock:            {false, false},
	route.Car:             {false, false},
	route.Telephony:       {false, false},
	route.Telephony + 1:   {false, false}, // no class of ours
	255:                   {false, false},
}

func TestEveryClass(t *testing.T) {
	if int(route.Telephony)+3 != len(verdicts) {
		t.Fatalf("%d classes are in the table, there are %d", len(verdicts)-2, route.Telephony+1)
	}
	mic := route.Route{Class: route.BuiltinMic, Capture: true}
	for class, want := range verdicts {
		r := route.Route{Class: class, Device: "dev0", Evidence: []string{"api=x"}}
		for _, c := range []struct {
			policy route.Policy
			want   bool
		}{
			{route.Policy{}, want.byDefault},
			{route.Policy{Wired: []string{"dev0"}}, want.listed},
			{route.Policy{Wired: []string{"dev1", "dev00", ""}}, want.byDefault},
		} {
			v, err := c.policy.Verify(mic, r)
			if v.Valid() != c.want || (err == nil) != c.want {
				t.Errorf("%v under %+v: valid %v, error %v", class, c.policy, v.Valid(), err)
			}
			if err == nil {
				continue
			}
			var refusal *route.Refusal
			if !errors.As(err, &refusal) || refusal.Class != class || refusal.Device != "dev0" ||
				refusal.Reason == "" || !reflect.DeepEqual(refusal.Evidence, r.Evidence) {
				t.Errorf("%v: %+v", class, err)
			}
		}
	}
}

// A device without a name is not on any list.
func TestNamelessDeviceIsNotListed(t *testing.T) {
	if v, err := (route.Policy{Wired: []string{""}}).Verify(route.Route{Class: route.USBHeadset}); v.Valid() || err == nil {
		t.Error("accepted")
	}
}

// One bad route is enough, wherever it stands; no route is none verified.
func TestAllRoutesCount(t *testing.T) {
	good, bad := route.Route{Class: route.BuiltinSpeaker}, route.Route{Class: route.BluetoothSCO}
	for _, routes := range [][]route.Route{{}, {bad}, {bad, good}, {good, bad}, {good, good, bad}, {{}}} {
		if v, err := (route.Policy{}).Verify(routes...); v.Valid() || err == nil {
			t.Errorf("%v: accepted", routes)
		}
	}
}

func TestZeroVerifiedIsNotValid(t *testing.T) {
	if (route.Verified{}).Valid() {
		t.Error("valid")
	}
}

// What has been revoked is revoked in every copy, and stays so.
func TestRevoke(t *testing.T) {
	v, err := route.Policy{}.Verify(route.Route{Class: route.Internal})
	if err != nil || !v.Valid() {
		t.Fatal(err)
	}
	held := v
	other, err := route.Policy{}.Verify(route.Route{Class: route.Internal})
	if err != nil {
		t.Fatal(err)
	}
	v.Revoke()
	v.Revoke()
	route.Verified{}.Revoke()
	if v.Valid() || held.Valid() || !other.Valid() {
		t.Error("one revocation is not one")
	}
}

// The text names the device and tells the user what to do.
func TestRefusalText(t *testing.T) {
	for _, c := range []struct {
		r    route.Route
		want []string
	}{
		{route.Route{Class: route.BluetoothSCO, Device: "Buds"}, []string{"route: Bluetooth headset (SCO) \"Buds\" is refused", "over the air", "; disconnect \"Buds\", or continue on the built-in speaker"}},
		{route.Route{Class: route.BluetoothA2DP, Device: "bluez_output.1", Name: "CheapHeadset"}, []string{"(A2DP) \"CheapHeadset\" is refused", "disconnect \"CheapHeadset\", or continue on"}},
		{route.Route{Class: route.BluetoothSCO, Name: "Buds", Capture: true}, []string{"or continue with the built-in microphone"}},
		{route.Route{Class: route.Virtual, Name: "Null Output", Reason: "it claims more than it is"}, []string{"secure mode: it claims more than it is; take the call off \"Null Output\""}},
		{route.Route{Class: route.HDMI, Name: "x\x1b[2J\n" + strings.Repeat("y", 500)}, []string{`HDMI or DisplayPort "x\x1b[2J\ny`, "…"}},
		{route.Route{Class: route.USBHeadset, Device: "hw:1"}, []string{"USB headset \"hw:1\"", "have the policy list"}},
		{route.Route{}, []string{"unknown route is refused", "cannot be told"}},
		{route.Route{Class: 200}, []string{"class(200) is refused", "cannot be told"}},
	} {
		err := route.Policy{}.Accept(c.r)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v does not say %q", c.r, err, want)
			}
		}
		if c.r.Class != route.USBHeadset && strings.Contains(err.Error(), "list this device") {
			t.Errorf("%+v: %v promises what a list cannot do", c.r, err)
		}
	}
	_, err := route.Policy{}.Verify()
	if err == nil || !strings.Contains(err.Error(), "no audio route is known") {
		t.Error(err)
	}
}

// A microphone alone, or a loudspeaker alone, is half a call: the other half may be
// anything. Where there is no device there need be only one.
func TestBothDirections(t *testing.T) {
	mic, speaker := route.Route{Class: route.BuiltinMic, Capture: true}, route.Route{Class: route.BuiltinSpeaker}
	file, recording := route.Route{Class: route.Internal}, route.Route{Class: route.Internal, Capture: true}
	for _, c := range []struct {
		routes []route.Route
		reason string // empty: accepted
	}{
		{[]route.Route{mic, speaker}, ""},
		{[]route.Route{speaker, mic, speaker}, ""},
		{[]route.Route{file}, ""},
		{[]route.Route{recording}, ""},
		{[]route.Route{mic, file}, ""},
		{[]route.Route{recording, speaker}, ""},
		{[]route.Route{speaker}, "microphone"},
		{[]route.Route{speaker, speaker, file}, "microphone"},
		{[]route.Route{mic}, "loudspeaker"},
		{[]route.Route{mic, recording}, "loudspeaker"},
	} {
		v, err := route.Policy{}.Verify(c.routes...)
		if v.Valid() != (c.reason == "") || (err == nil) != v.Valid() || err != nil && !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%+v: %v", c.routes, err)
		}
	}
}
