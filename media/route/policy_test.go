package route_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sotto/media/route"
)

const wholePolicy = `{
  "wired": ["alsa_output.usb-Plantronics_C320-00.analog-stereo", "hw:PCH,0"],
  "strict": true,
  "adapter-off": true,
  "refuse-taps": true,
  "allow-taps": ["easyeffects"],
  "hold-after": "10s",
  "end-after": "2m"
}
`

func TestParsePolicy(t *testing.T) {
	for _, c := range []struct {
		text string
		want route.Policy
	}{
		{`{}`, route.Policy{}},
		{wholePolicy, route.Policy{
			Wired: []string{"alsa_output.usb-Plantronics_C320-00.analog-stereo", "hw:PCH,0"}, Strict: true, AdapterOff: true,
			RefuseTaps: true, AllowTaps: []string{"easyeffects"}, HoldAfter: 10 * time.Second, EndAfter: 2 * time.Minute,
		}},
	} {
		if got, err := route.ParsePolicy([]byte(c.text)); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", c.text, got, err)
		}
	}
}

// What is wrong is said with its line and field, and gives no policy at all.
func TestParsePolicyErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{``, `line 1: it ends too early`},
		{"{\n\"strict\": true,\n", `line 3: it ends too early`},
		{"{\n\"strict\": yes}", `line 2: invalid character 'y'`},
		{"{\n\n\"strict\": \"yes\"}", `line 3: "strict": string is not what belongs here`},
		{"{\n\"wired\": \"all\"}", `line 2: "wired": string is not what belongs here`},
		{"{\n\"wired\": [],\n\"bluetooth\": true}", `line 3: unknown field "bluetooth"`},
		{"{\n\"strict\": true,\n\"strict\": false}", `line 3: "strict" is there twice`},
		{"{\n\"strict\": true,\n\"Strict\": false}", `line 3: "Strict" is there twice`},
		{"{}\n{}", `line 2: something follows the policy`},
		{"[]", `line 1: "": array is not what belongs here`},
		{"{\n\"wired\": [\"bluez_output.AC_80_0A_11_22_33.1\"]}", `line 2: "wired": "bluez_output.AC_80_0A_11_22_33.1" is Bluetooth, which no policy allows: it sends the voice over the air`},
		{`{"wired": ["Bluetooth"]}`, `"Bluetooth" is Bluetooth, which no policy allows`},
		{`{"wired": ["BLUEZ_sink.x"]}`, `is Bluetooth, which no policy allows`},
		{`{"wired": ["x.a2dp_sink"]}`, `is Bluetooth, which no policy allows`},
		{`{"wired": ["hearing aid"]}`, `is Bluetooth, which no policy allows`},
		{`{"wired": ["unknown"]}`, `"unknown" is a class, not a device: no policy allows a whole class`},
		{`{"wired": ["HDMI or DisplayPort"]}`, `"HDMI or DisplayPort" is a class`},
		{`{"wired": ["Wireless headset"]}`, `"Wireless headset" cannot be listed: only wired and USB devices can`},
		{`{"wired": ["tunnel-sink.host"]}`, `"tunnel-sink.host" cannot be listed: only wired and USB devices can`},
		{`{"wired": [""]}`, `"wired": "" cannot be listed: it has no name`},
		{`{"wired": ["bluеz"]}`, `cannot be listed: its name has odd characters`},
		{`{"allow": ["bluetooth-sco"]}`, `"allow": no policy allows a whole class of devices`},
		{`{"allow": []}`, `"allow": no policy allows a whole class of devices`},
		{`{"allow-taps": [""]}`, `"allow-taps": a program without a name`},
		{"{\n\"hold-after\": \"soon\"}", `line 2: "hold-after": "soon" is no time such as "30s"`},
		{"{\n\"end-after\": \"-1s\"}", `line 2: "end-after": "-1s" is no time`},
		{strings.Repeat(" ", 2<<20), `more than 1048576 bytes`},
	} {
		got, err := route.ParsePolicy([]byte(c.text))
		if err == nil || !strings.HasPrefix(err.Error(), "route: policy: ") || !strings.Contains(err.Error(), c.want) || !reflect.DeepEqual(got, route.Policy{}) {
			t.Errorf("%.60s: %+v, %v", c.text, got, err)
		}
	}
}

func TestLoadPolicy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.json")
	if _, err := route.LoadPolicy(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"strict": true}`)
	if p, err := route.LoadPolicy(path); err != nil || !p.Strict {
		t.Error(p, err)
	}
	write(`{"strict": 1}`)
	if _, err := route.LoadPolicy(path); err == nil || !strings.Contains(err.Error(), "line 1") || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
	write(strings.Repeat(" ", 2<<20))
	if _, err := route.LoadPolicy(path); err == nil {
		t.Error("an enormous file is a policy")
	}
}

// The policy that the page on secure mode shows is one.
func TestDocumentedPolicy(t *testing.T) {
	page, err := os.ReadFile("../../docs/secure-mode.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(page), "```json\n")
	text, _, closed := strings.Cut(text, "```")
	if !found || !closed {
		t.Fatal("the page shows none")
	}
	if p, err := route.ParsePolicy([]byte(text)); err != nil || !p.Strict || !p.RefuseTaps || len(p.Wired) != 1 || p.EndAfter != 5*time.Minute {
		t.Error(p, err)
	}
}

// No policy whatever lets a class through that none may.
func TestNoPolicyAllowsBluetooth(t *testing.T) {
	p, err := route.ParsePolicy([]byte(wholePolicy))
	if err != nil {
		t.Fatal(err)
	}
	for class, want := range verdicts {
		r := route.Route{Class: class, Device: "hw:PCH,0"}
		if err := p.Accept(r); (err == nil) != want.listed {
			t.Errorf("%v: %v", class, err)
		}
	}
}
