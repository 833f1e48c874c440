package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"sotto/media/audio"
	"sotto/media/audio/speech"
)

const (
	// talkTime is how long the phones of the demo talk: the longer clip, and
	// time for its end to be heard.
	talkTime = 8500 * time.Millisecond
	// demoLimit is how long the whole demo may take.
	demoLimit = 90 * time.Second
)

// demoOptions are the flags of the demo.
type demoOptions struct {
	dir            string
	json, insecure bool
}

func newDemo() *cobra.Command {
	opts := &demoOptions{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Two phones call each other on this machine and measure the call",
		Long: `demo starts two phones in processes of their own. They call each other over the
loopback interface, agree keys, and each says a few sentences; what they hear
goes to WAV files. In between, this process watches every packet. It prints what
was measured, and fails if the two SAS differ, speech is not recognisable,
packets are lost, or a single packet on the wire was not encrypted.

Then one phone calls with a simulated Bluetooth headset, which secure mode
refuses: no voice leaves it.

With --no-secure-mode the wire between the phones drops ZRTP, and phones that
would rather talk in the clear do so: the demo must notice, and fail.`,
		Example: `  sotto demo
  sotto demo --dir recordings --json
  sotto demo --no-secure-mode`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd, opts) },
	}
	cmd.Flags().StringVar(&opts.dir, "dir", "out", "`directory` for recordings")
	cmd.Flags().BoolVar(&opts.json, "json", false, "print the table as one JSON object")
	cmd.Flags().BoolVar(&opts.insecure, "no-secure-mode", false, "phones without secure mode, and a wire that keeps them from agreeing keys")
	return cmd
}

// runDemo prints the report; the error says what is off.
func runDemo(cmd *cobra.Command, opts *demoOptions) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), demoLimit)
	defer cancel()
	d := &demo{opts: opts, progress: cmd.ErrOrStderr()}
	report, err := d.run(ctx)
	if err != nil {
		return failed(err)
	}
	if opts.json {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetEscapeHTML(false)
		err = enc.Encode(report)
	} else {
		err = report.print(cmd.OutOrStdout())
	}
	if err != nil {
		return failed(err)
	}
	return report.verdict()
}

// demo makes the two calls.
type demo struct {
	opts     *demoOptions
	progress io.Writer
	clips    [2][]int16 // what each side says
	check    *clearCheck
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.progress, format+"\n", args...) }

// file is where the demo keeps what belongs to one side.
func (d *demo) file(s side, name string) string {
	return filepath.Join(d.opts.dir, fmt.Sprintf("%v-%s", s, name))
}

func (d *demo) run(ctx context.Context) (*report, error) {
	if err := d.prepare(); err != nil {
		return nil, err
	}
	d.say("Two phones call each other and talk for %v …", talkTime)
	talk, err := d.call(ctx, d.recording, d.opts.insecure)
	if err != nil {
		return nil, err
	}
	d.say("Comparing what was heard with what was said …")
	r, err := d.measure(talk)
	if err != nil {
		return nil, err
	}
	d.say("One more call, with a Bluetooth headset …")
	refused, err := d.call(ctx, headset, false)
	if err != nil {
		return nil, err
	}
	r.Refusal = d.refusal(refused)
	return r, nil
}

// prepare writes what each side is to say: its clip, and silence behind it
// until the call is over.
func (d *demo) prepare() error {
	if err := os.MkdirAll(d.opts.dir, 0o755); err != nil {
		return err
	}
	var whole [2][]int16
	for s, wav := range map[side][]byte{caller: speech.Caller(), callee: speech.Callee()} {
		source, err := audio.NewWAVSource(bytes.NewReader(wav))
		if err != nil {
			return err
		}
		if d.clips[s], err = audio.ReadAll(source); err != nil {
			return err
		}
		whole[s] = make([]int16, audio.SampleRate*int(talkTime/time.Second+4))
		copy(whole[s], d.clips[s])
		if err := writeWAV(d.file(s, "said.wav"), whole[s]); err != nil {
			return err
		}
	}
	var err error
	d.check, err = newClearCheck(whole[:]...)
	return err
}

func writeWAV(path string, pcm []int16) error {
	sink, err := audio.CreateWAV(path)
	if err != nil {
		return err
	}
	for ; len(pcm) >= audio.FrameSamples; pcm = pcm[audio.FrameSamples:] {
		if err := sink.WriteFrame(pcm[:audio.FrameSamples]); err != nil {
			return errors.Join(err, sink.Close())
		}
	}
	return sink.Close()
}

// talked is all that is known of one call between the two phones.
type talked struct {
	phones [2]heard
	code   [2]int
	errors [2]string
	setUp  time.Duration
	seen   []datagram
}

// call has the two phones call each other over a tap. extra gives the flags
// that a phone gets in this call alone; attacked has the tap drop ZRTP.
func (d *demo) call(ctx context.Context, extra func(side) []string, attacked bool) (*talked, error) {
	answering, err := startChild(ctx, callee, d.args(callee, extra, "listen", "--once")...)
	if err != nil {
		return nil, err
	}
	address, err := answering.address()
	if err != nil {
		return nil, err
	}
	line, err := newTap(address, attacked)
	if err != nil {
		return nil, errors.Join(err, answering.stop())
	}
	defer line.close()
	dialling, err := startChild(ctx, caller, d.args(caller, extra, "call", line.uri(), "--duration", talkTime.String())...)
	if err != nil {
		return nil, errors.Join(err, answering.stop())
	}
	t := &talked{}
	if t.code[caller], err = dialling.wait(); err != nil {
		return nil, errors.Join(err, answering.stop())
	}
	if line.setUp() == 0 {
		_ = answering.stop() // nobody has called it
		return nil, fmt.Errorf("the call was not answered: %s", dialling.complaint())
	}
	if t.code[callee], err = answering.wait(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("given up: %w", context.Cause(ctx))
	}
	for s, c := range [2]*child{dialling, answering} {
		t.phones[s], t.errors[s] = c.heard, c.complaint()
	}
	t.setUp, t.seen = line.setUp(), line.datagrams()
	return t, nil
}

// args is the command line of one phone.
func (d *demo) args(s side, extra func(side) []string, command ...string) []string {
	args := append(command, "--bind", "127.0.0.1:0", "--in", d.file(s, "said.wav"))
	if d.opts.insecure {
		args = append(args, "--no-secure-mode")
	}
	return append(args, extra(s)...)
}

// recording has a phone keep what it hears, and when.
func (d *demo) recording(s side) []string {
	return []string{"--out", d.file(s, "heard.wav"), "--trace", d.file(s, "trace.txt")}
}

// headset gives the caller a Bluetooth headset, in secure mode.
func headset(s side) []string {
	if s == caller {
		return []string{"--simulate-route", "bluetooth-a2dp", "--no-secure-mode=false"}
	}
	return nil
}

// measure compares both ends of a call.
func (d *demo) measure(t *talked) (*report, error) {
	r := &report{Dir: d.opts.dir, SetUp: milliseconds(t.setUp)}
	sent, secure := d.check.judge(t.seen)
	r.Secure = milliseconds(secure)
	for s := range t.phones {
		phone, other := t.phones[s], t.phones[side(s).other()]
		p := &r.Phones[s]
		p.SAS, p.Suite, p.Codec, p.ExitCode, p.Error = phone.secured.SAS, phone.secured.Suite, phone.codec, t.code[s], t.errors[s]
		p.Wire = sent[s]
		p.Sent, p.Missed, p.Heard = phone.ended.Stats.Sent, phone.ended.Stats.Missed, other.ended.Stats
		p.Said, p.HeardFile = d.file(side(s), "said.wav"), d.file(side(s).other(), "heard.wav")
		if other.ended.Stats.Received == 0 {
			continue // nothing to compare; the verdict says so
		}
		var err error
		if p.Latency, err = newLatency(d.file(side(s), "trace.txt"), d.file(side(s).other(), "trace.txt")); err != nil {
			return nil, err
		}
		if p.Correlation, p.SegSNR, err = compare(d.clips[s], p.HeardFile); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// compare says how like the reference a recording is.
func compare(reference []int16, path string) (correlation, segSNR float64, err error) {
	source, err := audio.OpenWAV(path)
	if err != nil {
		return 0, 0, err
	}
	pcm, err := audio.ReadAll(source)
	if err = errors.Join(err, source.Close()); err != nil {
		return 0, 0, err
	}
	s := audio.Compare(reference, pcm)
	return s.Correlation, s.SegSNR, nil
}

// refusal sums up the call over a route that is refused.
func (d *demo) refusal(t *talked) refusalReport {
	sent, _ := d.check.judge(t.seen)
	return refusalReport{
		Class: t.phones[caller].refused.Class, Reason: t.phones[caller].refused.Reason,
		ExitCode: t.code[caller], Voice: sent[caller].voice(), ZRTP: sent[caller].ZRTP,
	}
}
