package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
the name that --device takes and a policy lists. Bluetooth audio devices that are
connected are listed too, because a strict policy refuses calls beside them.

It exits with 2 if it cannot be known what there is: calls would be silent then.`,
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
}

// once prints one list, when all is known or was waited for in vain.
func (l *routeList) once(ctx context.Context, devices deviceWatch) error {
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

// follow prints a list now and after each change, until ctx ends or the watch
// is lost.
func (l *routeList) follow(ctx context.Context, devices deviceWatch) error {
	unknown := l.once(ctx, devices)
	for ctx.Err() == nil {
		select {
		case _, ok := <-devices.Alarms():
			if !ok {
				return failed(route.ErrWatch)
			}
			unknown = l.print(ctx, devices)
		case <-ctx.Done():
			return nil
		}
	}
	return unknown
}

// routesRecord is a list as programs read it.
type routesRecord struct {
	Event     string            `json:"event"`
	Unknown   string            `json:"unknown,omitempty"`
	Devices   []deviceRecord    `json:"devices"`
	Bluetooth []bluetoothRecord `json:"bluetooth"`
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

// print prints what there is. The error says that it is not known.
func (l *routeList) print(ctx context.Context, devices deviceWatch) error {
	all, err := devices.Devices(ctx)
	if err != nil {
		return failed(err)
	}
	report, err := devices.Report(ctx)
	if err != nil {
		return failed(err)
	}
	record := routesRecord{Event: "routes", Unknown: report.Unknown, Devices: []deviceRecord{}, Bluetooth: []bluetoothRecord{}}
	for _, r := range all {
		record.Devices = append(record.Devices, l.judge(r))
	}
	for _, d := range report.Bluetooth {
		record.Bluetooth = append(record.Bluetooth, bluetoothRecord{cmp.Or(d.Name, string(d.ID)), d.Address})
	}
	if l.json {
		err = json.NewEncoder(l.w).Encode(record)
	} else {
		_, err = io.WriteString(l.w, record.text())
	}
	if err == nil && report.Unknown != "" {
		err = errors.New(report.Unknown)
	}
	if err != nil {
		return failed(err)
	}
	return nil
}

func (l *routeList) judge(r route.Route) deviceRecord {
	d := deviceRecord{Device: r.Device, Name: r.Name, Direction: "playback", Class: r.Class.String(), Accepted: true}
	if r.Capture {
		d.Direction = "capture"
	}
	if l.evidence {
		d.Evidence = r.Evidence
	}
	_, err := l.policy.Verify(r)
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
	if len(r.Devices) == 0 {
		line("There are no audio devices.")
	}
	return string(b)
}
