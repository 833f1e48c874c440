package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// recognisable is the correlation from which on speech counts as understood:
// other speech stays below 0.5.
const recognisable = 0.8

// report is what the demo measured. Times are in milliseconds.
type report struct {
	SetUp   float64        `json:"setup_ms"`  // from the INVITE to the answer
	Secure  float64        `json:"secure_ms"` // from the first Hello to the first SRTP packet or Conf2ACK
	Phones  [2]phoneReport `json:"phones"`    // caller, callee
	Refusal refusalReport  `json:"refusal"`
	Dir     string         `json:"dir"`
}

// phoneReport is about one side, and what became of its voice.
type phoneReport struct {
	SAS         string    `json:"sas"`
	Suite       string    `json:"suite"`
	Codec       string    `json:"codec"`
	ExitCode    int       `json:"exit_code"`
	Error       string    `json:"error,omitempty"`
	Sent        uint64    `json:"sent"`
	Missed      uint64    `json:"missed"` // frames not sent, because the machine was too busy
	Heard       callStats `json:"heard"`  // by the other side
	Latency     latency   `json:"latency"`
	Correlation float64   `json:"correlation"`
	SegSNR      float64   `json:"segmental_snr_db"`
	Wire        traffic   `json:"wire"` // packets seen between the two
	Said        string    `json:"said"`
	HeardFile   string    `json:"heard_file"`
}

// refusalReport is about the call of a phone whose audio route is refused.
type refusalReport struct {
	Class    string `json:"route_class"`
	Reason   string `json:"reason"`
	ExitCode int    `json:"exit_code"`
	Voice    int    `json:"voice_packets"` // that left the phone
	ZRTP     int    `json:"zrtp_packets"`
}

// print writes the table for people.
func (r *report) print(w io.Writer) error {
	a, b := &r.Phones[caller], &r.Phones[callee]
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, x, y any) {
		fmt.Fprintf(t, "%s\t"+format+"\t"+format+"\n", name, x, y)
	}
	fmt.Fprintf(t, "\n%s\t%.1f ms\n", "set-up, INVITE to answer", r.SetUp)
	if r.Secure > 0 {
		fmt.Fprintf(t, "%s\t%.1f ms\n", "first Hello to secure", r.Secure)
	} else {
		fmt.Fprintln(t, "first Hello to secure\tnever")
	}
	fmt.Fprintln(t, "\tcaller\tcallee")
	row("suite", "%s", a.Suite, b.Suite)
	row("SAS", "%s", oneLine(a.SAS), oneLine(b.SAS))
	fmt.Fprintln(t, "voice of\tcaller\tcallee")
	row("packets sent", "%d", a.Sent, b.Sent)
	row("received", "%d", a.Heard.Received, b.Heard.Received)
	row("lost", "%d", a.Heard.Lost, b.Heard.Lost)
	row("late", "%d", a.Heard.Late, b.Heard.Late)
	row("encoder to decoder, p50", "%.1f ms", a.Latency.P50, b.Latency.P50)
	row("p99", "%.1f ms", a.Latency.P99, b.Latency.P99)
	row("p99.9", "%.1f ms", a.Latency.P999, b.Latency.P999)
	row("similarity, correlation", "%.3f", a.Correlation, b.Correlation)
	row("segmental SNR", "%.1f dB", a.SegSNR, b.SegSNR)
	row("on the wire: SRTP", "%d", a.Wire.SRTP, b.Wire.SRTP)
	row("ZRTP, SRTCP", "%s", fmt.Sprint(a.Wire.ZRTP, ", ", a.Wire.SRTCP), fmt.Sprint(b.Wire.ZRTP, ", ", b.Wire.SRTCP))
	row("clear packets seen", "%d", a.Wire.Clear, b.Wire.Clear)
	row("said", "%s", a.Said, b.Said)
	row("heard by the other", "%s", a.HeardFile, b.HeardFile)
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nWith a Bluetooth headset: %s\nVoice packets that left this phone: %d.\n\n",
		oneLine(r.Refusal.Reason), r.Refusal.Voice)
	return err
}

// verdict is nil if nothing is off; otherwise it says all that is.
func (r *report) verdict() error {
	code, off := exitFailed, []string(nil)
	insecure := func(format string, args ...any) {
		code = exitNotSecure
		off = append(off, fmt.Sprintf(format, args...))
	}
	if a, b := r.Phones[caller], r.Phones[callee]; a.SAS == "" && b.SAS == "" {
		insecure("no keys were agreed")
	} else if a.SAS != b.SAS || a.Suite != b.Suite {
		insecure("the two phones show a different SAS or suite: %q (%s) and %q (%s)", a.SAS, a.Suite, b.SAS, b.Suite)
	}
	for s, p := range r.Phones {
		if p.Wire.Clear != 0 {
			insecure("unencrypted packets of the %v on the wire: %d", side(s), p.Wire.Clear)
		}
		off = append(off, p.off(side(s))...)
	}
	if f := r.Refusal; f.ExitCode != exitNotSecure || f.Class == "" {
		insecure("the Bluetooth route was not refused (exit code %d)", f.ExitCode)
	} else if f.Voice != 0 {
		insecure("voice packets that left a phone with a Bluetooth route: %d", f.Voice)
	}
	if off == nil {
		return nil
	}
	return &failure{code, errors.New("demo: " + strings.Join(off, "; "))}
}

// off lists what is wrong with one phone's voice beside its security.
func (p *phoneReport) off(s side) (off []string) {
	add := func(format string, args ...any) { off = append(off, fmt.Sprintf(format, args...)) }
	if p.ExitCode != exitOK {
		add("the %v ended with exit code %d: %s", s, p.ExitCode, p.Error)
	}
	if p.Codec != "opus" {
		add("the %v used the codec %q instead of Opus", s, p.Codec)
	}
	if p.Wire.SRTP == 0 {
		add("no encrypted voice of the %v passed the wire", s)
	}
	if p.Heard.Lost != 0 {
		add("packets of the %v lost: %d", s, p.Heard.Lost)
	}
	if p.Correlation < recognisable {
		add("the speech of the %v is not recognisable (correlation %.2f)", s, p.Correlation)
	}
	if off != nil && p.Missed > 0 {
		add("the machine had no time for %d frames of the %v; try again when it does less", p.Missed, s)
	}
	return off
}
