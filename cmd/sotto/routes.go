package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sotto/media/route"
	"sotto/media/route/system"
)

// settling is how long the monitors may take to tell what there is.
const settling = 3 * time.Second

func newRoutes() *cobra.Command {
	var l routeList
	var policy string
	var watch bool
	cmd := &cobra.Command{
		Use:   "routes",
		Short: "List the audio devices, and say which ones secure mode accepts",
		Long: `routes lists the microphones and loudspeakers of this machine: what each was found
to be, and whether secure mode accepts it or why not. The last line of each is
the name that --device takes and a policy lists. What a policy may refuse calls
for besides is listed too: Bluetooth audio devices that are connected, Bluetooth
adapters, and programs that record. The last line of a list says whether a call
could be heard as things stand, and if not, why. A policy with adapter-off has
the adapters powered down when a call begins; routes leaves them as they are.

It exits with 2 if it cannot be known what there is, with --watch at the end:
calls would be silent then.`,
		Example: `  sotto routes -v
  sotto routes --watch --json
  sotto routes --policy policy.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if policy != "" {
				if l.policy, err = route.LoadPolicy(policy); err != nil {
					return fmt.Errorf("--policy: %w", err)
				}
			}
			recoverRadios()
			l.w = cmd.OutOrStdout()
			devices, err := system.Open(route.Self{})
			if err != nil {
				return failed(err)
			}
			defer func() { err = errors.Join(err, devices.Close()) }()
			if watch {
				return l.follow(cmd.Context(), devices)
			}
			return l.once(cmd.Context(), devices)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&l.evidence, "verbose", "v", false, "say what each verdict was concluded from")
	f.BoolVar(&watch, "watch", false, "list them again whenever something changes, until interrupted")
	f.BoolVar(&l.json, "json", false, "print every list as one JSON object a line")
	f.StringVar(&policy, "policy", "", "`file` that says which audio devices secure mode accepts")
	return cmd
}

// deviceWatch is what lists are made of: a [system.Watch].
type deviceWatch interface {
	route.Watch
	Devices(ctx context.Context) ([]route.Route, error)
}

// routeList prints lists of devices.
type routeList struct {
	w              io.Writer
	policy         route.Policy
	json, evidence bool
	unknown        string // why the last list may not have all there is
}

// once prints one list, when all is known or was waited for in vain. The error
// may be that it is not known.
func (l *routeList) once(ctx context.Context, devices deviceWatch) error {
	err := l.settle(ctx, devices)
	switch {
	case err != nil && ctx.Err() != nil:
		return failed(errors.New("interrupted before it was known what there is"))
	case err != nil:
		return err
	}
	return l.known()
}

// follow prints a list now and after each change, until ctx ends or the watch
// is lost. The error may be that at the end it was not known what there is.
func (l *routeList) follow(ctx context.Context, devices deviceWatch) error {
	err := l.settle(ctx, devices)
	for err == nil && ctx.Err() == nil {
		select {
		case _, ok := <-devices.Alarms():
			if !ok {
				return failed(route.ErrWatch)
			}
			err = l.print(ctx, devices)
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return l.known()
	}
	return err
}

func (l *routeList) settle(ctx context.Context, devices deviceWatch) error {
	patience, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	for {
		report, err := devices.Report(ctx)
		if err != nil {
			return failed(err)
		}
		if report.Unknown == "" || patience.Err() != nil {
			return l.print(ctx, devices)
		}
		select {
		case <-devices.Alarms():
		case <-patience.Done():
		}
	}
}

// known is nil if the last list was of all there is.
func (l *routeList) known() error {
	if l.unknown == "" {
		return nil
	}
	return failed(errors.New(l.unknown))
}

// routesRecord is a list as programs read it.
type routesRecord struct {
	Event     string            `json:"event"`
	Silent    bool              `json:"silent"`           // what calls would be now
	Reason    string            `json:"reason,omitempty"` // why they would
	Unknown   string            `json:"unknown,omitempty"`
	Devices   []deviceRecord    `json:"devices"`
	Bluetooth []bluetoothRecord `json:"bluetooth"`
	Adapters  []adapterRecord   `json:"adapters"`
	Taps      []tapRecord       `json:"taps"`
}

type deviceRecord struct {
	Device    string   `json:"device"`
	Name      string   `json:"name,omitempty"`
	Direction string   `json:"direction"` // capture or playback
	Class     string   `json:"class"`
	Accepted  bool     `json:"accepted"`
	Reason    string   `json:"reason,omitempty"` // why it is refused
	Evidence  []string `json:"evidence,omitempty"`
}

type bluetoothRecord struct {
	Name    string `json:"name"`
	Address string `json:"address,omitempty"`
}

type adapterRecord struct {
	Adapter string `json:"adapter"`
	Powered bool   `json:"powered"`
}

// tapRecord is a program that records a device, or what is played on it.
type tapRecord struct {
	Program string `json:"program"`
	PID     int    `json:"pid"`
	Device  string `json:"device"`
	Monitor bool   `json:"monitor"`
}

// print prints what there is, as far as it is known.
func (l *routeList) print(ctx context.Context, devices deviceWatch) error {
	all, err := devices.Devices(ctx)
	if err != nil {
		return failed(err)
	}
	report, err := devices.Report(ctx)
	if err != nil {
		return failed(err)
	}
	l.unknown = report.Unknown
	record := routesRecord{
		Event: "routes", Reason: l.silence(report, all), Unknown: report.Unknown,
		Devices: []deviceRecord{}, Bluetooth: []bluetoothRecord{}, Adapters: []adapterRecord{}, Taps: []tapRecord{},
	}
	record.Silent = record.Reason != ""
	for _, r := range all {
		record.Devices = append(record.Devices, l.judge(r))
	}
	for _, d := range report.Bluetooth {
		record.Bluetooth = append(record.Bluetooth, bluetoothRecord{cmp.Or(d.Name, string(d.ID)), d.Address})
	}
	for _, a := range report.Adapters {
		record.Adapters = append(record.Adapters, adapterRecord{string(a.ID), a.Powered})
	}
	for _, t := range report.Taps {
		record.Taps = append(record.Taps, tapRecord{t.Program.Name, t.Program.PID, t.Device, t.Monitor})
	}
	if l.json {
		err = json.NewEncoder(l.w).Encode(record)
	} else {
		_, err = io.WriteString(l.w, record.text())
	}
	if err != nil {
		return failed(err)
	}
	return nil
}

// silence is why a call would be silent now, on whatever is accepted of all
// devices. Empty: it would not.
func (l *routeList) silence(report route.Report, all []route.Route) string {
	if report.Unknown != "" {
		return report.Unknown
	}
	var microphone, loudspeaker bool
	for _, r := range all {
		if err := l.policy.Accept(r); err == nil {
			report.Routes = append(report.Routes, r)
			microphone, loudspeaker = microphone || r.Capture, loudspeaker || !r.Capture
		}
	}
	switch {
	case !microphone:
		return "no microphone is accepted"
	case !loudspeaker:
		return "no loudspeaker is accepted"
	}
	if _, err := l.policy.Check(report); err != nil {
		return strings.TrimPrefix(err.Error(), "route: ")
	}
	return ""
}

func (l *routeList) judge(r route.Route) deviceRecord {
	d := deviceRecord{Device: r.Device, Name: r.Name, Direction: "playback", Class: r.Class.String(), Accepted: true}
	if r.Capture {
		d.Direction = "capture"
	}
	if l.evidence {
		d.Evidence = r.Evidence
	}
	err := l.policy.Accept(r)
	var refusal *route.Refusal
	if errors.As(err, &refusal) {
		d.Accepted, d.Reason = false, refusal.Reason
	}
	return d
}

// text is the list as people read it.
func (r routesRecord) text() string {
	var b []byte
	line := func(format string, args ...any) { b = fmt.Appendf(b, format+"\n", args...) }
	for _, d := range r.Devices {
		verdict := "accepted"
		if !d.Accepted {
			verdict = "REFUSED "
		}
		line("%s  %-8s  %s: %s", verdict, d.Direction, d.Class, oneLine(d.Name))
		if d.Reason != "" {
			line("          %s", oneLine(d.Reason))
		}
		for _, e := range d.Evidence {
			line("          . %s", oneLine(e))
		}
		line("          %s", oneLine(d.Device))
	}
	for _, d := range r.Bluetooth {
		line("connected by Bluetooth: %s %s", oneLine(d.Name), oneLine(d.Address))
	}
	for _, a := range r.Adapters {
		power := "without power"
		if a.Powered {
			power = "on"
		}
		line("Bluetooth adapter %s: %s", oneLine(a.Adapter), power)
	}
	for _, t := range r.Taps {
		what := ""
		if t.Monitor {
			what = "what is played on "
		}
		line("recorded by %s (process %d): %s%s", oneLine(t.Program), t.PID, what, oneLine(t.Device))
	}
	if len(r.Devices) == 0 && r.Unknown == "" {
		line("There are no audio devices.")
	}
	if r.Silent {
		line("calls now: SILENT, because %s", oneLine(r.Reason))
	} else {
		line("calls now: on the devices that are accepted")
	}
	return string(b)
}
