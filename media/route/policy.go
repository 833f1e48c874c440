package route

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// Policy is what secure mode accepts. The zero value accepts built-in devices
// and [Internal], nothing else. No policy allows Bluetooth, or what is unknown.
type Policy struct {
	// Wired lists devices, by [Route.Device], that are accepted although they
	// are a wired or USB headset, headphones or sound card.
	Wired []string
	// Strict refuses calls while a Bluetooth audio device is connected, used
	// or not: accessories have been taken over while they were idle.
	Strict bool
	// AdapterOff has the Bluetooth radios powered down for secure calls, and
	// refuses them while one has power.
	AdapterOff bool
	// RefuseTaps refuses calls while another program records the microphone
	// or what is played. Otherwise it is only told.
	RefuseTaps bool
	// AllowTaps are the programs that RefuseTaps does not mean, such as an
	// echo canceller, by [Tap.Program]'s name.
	AllowTaps []string
	// HoldAfter and EndAfter are how long a call stays muted because of its
	// route before it is put on hold, or ended. Zero: for ever.
	HoldAfter, EndAfter time.Duration
}

// maxPolicy is the size of the largest policy, in bytes.
const maxPolicy = 1 << 20

// file is a Policy as a file has it.
type file struct {
	Wired      []string `json:"wired"`
	Strict     bool     `json:"strict"`
	AdapterOff bool     `json:"adapter-off"`
	RefuseTaps bool     `json:"refuse-taps"`
	AllowTaps  []string `json:"allow-taps"`
	HoldAfter  string   `json:"hold-after"`
	EndAfter   string   `json:"end-after"`
	// Allow is there to be refused: classes cannot be allowed.
	Allow []string `json:"allow"`
}

// LoadPolicy reads the policy at path. See [ParsePolicy].
func LoadPolicy(path string) (Policy, error) {
	f, err := os.Open(path)
	if err != nil {
		return Policy{}, fmt.Errorf("route: policy: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPolicy+1))
	if err != nil {
		return Policy{}, fmt.Errorf("route: policy %s: %w", path, err)
	}
	p, err := ParsePolicy(text)
	if err != nil {
		return Policy{}, fmt.Errorf("%w (%s)", err, path)
	}
	return p, nil
}

// ParsePolicy reads a policy written in JSON:
//
//	{
//	  "wired": ["alsa_output.usb-Plantronics_C320-00.analog-stereo"],
//	  "strict": true,
//	  "adapter-off": false,
//	  "refuse-taps": true,
//	  "allow-taps": ["easyeffects"],
//	  "hold-after": "10s",
//	  "end-after": "2m"
//	}
//
// All of it may be left out. The error names the line and the field, and the
// policy is then the zero one. A device of Bluetooth, or a class that no policy
// allows, is such an error.
func ParsePolicy(text []byte) (Policy, error) {
	if len(text) > maxPolicy {
		return Policy{}, fmt.Errorf("route: policy: more than %d bytes", maxPolicy)
	}
	if field, at := repeated(text); field != "" {
		return Policy{}, fmt.Errorf("route: policy: line %d: %q is there twice", line(text, at), field)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var f file
	if err := d.Decode(&f); err != nil {
		return Policy{}, fmt.Errorf("route: policy: %s", complaint(text, d, err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Policy{}, fmt.Errorf("route: policy: line %d: something follows the policy", line(text, d.InputOffset()))
	}
	p, field, err := f.policy()
	if err != nil {
		return Policy{}, fmt.Errorf("route: policy: line %d: %q: %w", line(text, int64(bytes.Index(text, []byte(`"`+field+`"`)))), field, err)
	}
	return p, nil
}

// complaint says what is wrong with text, and where.
func complaint(text []byte, d *json.Decoder, err error) string {
	at := d.InputOffset()
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
	case errors.As(err, &kind):
		return fmt.Sprintf("line %d: %q: %s is not what belongs here", line(text, kind.Offset), kind.Field, kind.Value)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		at, err = int64(len(text)), errors.New("it ends too early")
	default:
		if _, field, ok := strings.Cut(err.Error(), "unknown field "); ok {
			at = int64(bytes.Index(text, []byte(field)))
		}
	}
	return fmt.Sprintf("line %d: %s", line(text, at), strings.TrimPrefix(err.Error(), "json: "))
}

// line is the number of the line at an offset, from 1.
func line(text []byte, at int64) int {
	return 1 + bytes.Count(text[:max(0, min(at, int64(len(text))))], []byte("\n"))
}

// policy is f with its values looked at; field is where the error is.
func (f file) policy() (p Policy, field string, err error) {
	p = Policy{Wired: f.Wired, Strict: f.Strict, AdapterOff: f.AdapterOff, RefuseTaps: f.RefuseTaps, AllowTaps: f.AllowTaps}
	if f.Allow != nil {
		return Policy{}, "allow", errors.New("no policy allows a whole class of devices; list wired and USB devices under \"wired\"")
	}
	for _, device := range f.Wired {
		if err := listed(device); err != nil {
			return Policy{}, "wired", err
		}
	}
	if slices.Contains(f.AllowTaps, "") {
		return Policy{}, "allow-taps", errors.New("a program without a name")
	}
	for _, t := range []struct {
		field, text string
		into        *time.Duration
	}{{"hold-after", f.HoldAfter, &p.HoldAfter}, {"end-after", f.EndAfter, &p.EndAfter}} {
		if t.text == "" {
			continue
		}
		if *t.into, err = time.ParseDuration(t.text); err != nil || *t.into <= 0 {
			return Policy{}, t.field, fmt.Errorf("%q is no time such as \"30s\"", clip(t.text))
		}
	}
	return p, "", nil
}

// listed finds what is wrong with listing a device. What the list says is only
// a wish: the device itself has to turn out to be wired too.
func listed(device string) error {
	t, damage := listen(Node{Name: device})
	if device == "" {
		damage = "it has no name"
	}
	if damage != "" {
		return fmt.Errorf("%q cannot be listed: %s", clip(device), damage)
	}
	for _, h := range hints {
		if _, ok := t.hint(nil, h.words); !ok {
			continue
		}
		switch class := t.bluetooth(h.class); class {
		case BluetoothSCO, BluetoothA2DP, BLEAudio, HearingAid:
			return fmt.Errorf("%q is Bluetooth, which no policy allows: %s", clip(device), overTheAir)
		default:
			return fmt.Errorf("%q cannot be listed: only wired and USB devices can", clip(device))
		}
	}
	if class := classNamed(device); class != numClasses && class.rule() != allowed {
		return fmt.Errorf("%q is a class, not a device: no policy allows a whole class", clip(device))
	}
	return nil
}

// classNamed is the class of that name in words, or numClasses.
func classNamed(name string) Class {
	for c := range classes {
		if strings.EqualFold(classes[c].name, name) || strings.EqualFold(strings.Fields(classes[c].name)[0], name) {
			return Class(c)
		}
	}
	return numClasses
}

// repeated finds a field that is there twice, which JSON leaves to chance.
func repeated(text []byte) (field string, at int64) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return "", 0
	}
	var seen []string
	for d.More() {
		key, err := d.Token()
		name, ok := key.(string)
		if err != nil || !ok {
			return "", 0
		}
		if slices.ContainsFunc(seen, func(s string) bool { return strings.EqualFold(s, name) }) {
			return name, d.InputOffset()
		}
		seen = append(seen, name)
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return "", 0
		}
	}
	return "", 0
}
