package main

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"sotto/codecs"
	"sotto/engine"
	"sotto/engine/devices"
	"sotto/media"
	"sotto/media/route"
)

var (
	// The values that --key-agreement and --sas take.
	keyAgreements = []string{"X3M3", "X1M1", "K448", "K255", "X448", "X255", "EC38", "EC25", "DH3k", "DH2k"}
	sasTypes      = []string{"B256", "B32", "B32E"}
	// Those that --post-quantum leaves.
	postQuantum = []string{"X3M3", "X1M1"}
	// Those of --voice.
	voiceWork = []string{"echo", "noise", "gain"}

	// sipAddress is the form of --identity; the engine looks closer.
	sipAddress = regexp.MustCompile(`^sip:[^@\s]+@[^@\s]+$`)
)

// options are the flags which call and listen share.
type options struct {
	bind, identity, in, out, state string
	dtmf, tones                    string
	duration                       time.Duration
	insecure, verify, json         bool
	postQuantum, requireHash       bool
	realTime, stayAwake            bool
	keyAgreements, sasTypes        []string
	simulateRoute, trace           string
	devices, voice                 []string
	policy, audit                  string

	coding   codecs.Options
	routes   route.Policy   // what policy says
	choice   devices.Choice // if there are no files
	answered atomic.Int64   // calls that have opened their files
	warn     func(text string)
}

// register adds the flags to cmd. defaultBind is where SIP listens.
func (o *options) register(cmd *cobra.Command, defaultBind string) {
	f := cmd.Flags()
	f.StringVar(&o.bind, "bind", defaultBind, "`host:port` for SIP; media uses free ports of the same host, port 0 is any")
	f.StringVar(&o.identity, "identity", "", "our own `sip:address` (default anonymous)")
	f.StringVar(&o.in, "in", "", "what to say: `file.wav`, tone:HZ or silence; the call ends with the file (default the microphone)")
	f.StringVar(&o.out, "out", "", "record what is heard to `file.wav`, a second call to file-2.wav, and so on (default the loudspeaker; with --in nothing)")
	f.StringArrayVar(&o.devices, "device", nil, "`name` of the microphone or of the loudspeaker to use; twice for both, unless one name is both (default the system's; without a sound server one has to be named)")
	f.StringSliceVar(&o.voice, "voice", nil, "what to do to the microphone's sound, of "+strings.Join(voiceWork, ",")+": cancel the loudspeaker's echo, suppress noise, even out loudness; not what the platform does by itself (default nothing; needs a build with speexdsp)")
	f.StringVar(&o.audit, "audit", "", "append what happens to the calls' security to `file`; sotto audit checks it")
	f.StringVar(&o.policy, "policy", "", "`file` that says which audio devices secure mode accepts")
	f.StringVar(&o.state, "state", "", "`directory` that remembers peers from call to call; without it nothing is remembered")
	f.StringVar(&o.dtmf, "dtmf", "", "`digits` to send when the voice begins: 0 to 9, *, #, A to D")
	f.DurationVar(&o.duration, "duration", 0, "hang up this long after the voice begins, such as 10s; 0: never")
	f.BoolVar(&o.insecure, "no-secure-mode", false, "talk in the clear to a phone without ZRTP, and over any audio device")
	f.BoolVar(&o.requireHash, "require-hello-hash", false, "end calls whose signalling does not announce the other side's ZRTP Hello")
	f.BoolVar(&o.verify, "verify", false, "take the SAS as compared and equal; for tests, it defeats the purpose")
	f.BoolVar(&o.realTime, "real-time", false, "run before all programs without deadlines: fewer packets leave late on a busy machine")
	f.BoolVar(&o.stayAwake, "stay-awake", false, "let no processor sleep, where Linux can: fewer packets leave late in a virtual machine, but it takes all the power there is")
	f.BoolVar(&o.json, "json", false, "print every event as one JSON object a line")
	f.StringSliceVar(&o.keyAgreements, "key-agreement", nil, "key agreements, best first, of "+strings.Join(keyAgreements, ",")+" (default X3M3,X1M1,X255,EC25,DH3k)")
	f.BoolVar(&o.postQuantum, "post-quantum", false, "only key agreements that a quantum computer does not break: "+strings.Join(postQuantum, ","))
	f.StringSliceVar(&o.sasTypes, "sas", nil, "forms of the SAS, best first, of "+strings.Join(sasTypes, ",")+" (default B256,B32)")
	f.StringVar(&o.simulateRoute, "simulate-route", "", "pretend that the audio goes over a `class` of device, such as bluetooth-a2dp")
	registerCoding(cmd, &o.coding)
	f.StringVar(&o.trace, "trace", "", "write when each frame passed each stage to `file`")
	for _, hidden := range []string{"simulate-route", "trace"} {
		if err := f.MarkHidden(hidden); err != nil {
			panic("sotto: " + err.Error())
		}
	}
}

// check finds what is wrong before anything is opened.
func (o *options) check() error {
	_, port, err := net.SplitHostPort(o.bind)
	if err != nil {
		return fmt.Errorf("--bind %q: want host:port", o.bind)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("--bind %q: want a port from 0 to 65535", o.bind)
	}
	if o.identity != "" && !sipAddress.MatchString(o.identity) {
		return fmt.Errorf("--identity %q: want a SIP address such as sip:alice@example.org", o.identity)
	}
	if o.duration < 0 {
		return fmt.Errorf("--duration %v: want 0 or more", o.duration)
	}
	if err := known("--key-agreement", o.keyAgreements, keyAgreements); err != nil {
		return err
	}
	if o.postQuantum && o.keyAgreements != nil && !slices.ContainsFunc(o.keyAgreements, func(name string) bool {
		return slices.Contains(postQuantum, name)
	}) {
		return fmt.Errorf("--post-quantum with --key-agreement %s: a quantum computer breaks that; want some of %s",
			strings.Join(o.keyAgreements, ","), strings.Join(postQuantum, ","))
	}
	if err := known("--sas", o.sasTypes, sasTypes); err != nil {
		return err
	}
	if _, err := o.class(); err != nil {
		return err
	}
	if err := media.CheckDigits(o.dtmf); err != nil {
		return fmt.Errorf("--dtmf: %w", err)
	}
	return o.checkAudio()
}

func known(flag string, values, all []string) error {
	for _, v := range values {
		if !slices.Contains(all, v) {
			return fmt.Errorf("%s %q: want some of %s", flag, v, strings.Join(all, ","))
		}
	}
	return nil
}

// config is the engine's part of the options, which have passed check.
func (o *options) config() engine.Config {
	return engine.Config{
		Bind:          o.bind,
		Identity:      o.identity,
		StateDir:      o.state,
		AllowInsecure: o.insecure, RequireHelloHash: o.requireHash,
		KeyAgreements: o.keyAgreements, PostQuantum: o.postQuantum,
		SASTypes:  o.sasTypes,
		Routes:    o.routes,
		AuditFile: o.audit,
		OpenAudio: o.open(),
		Tones:     o.tones,
		Coding:    o.coding,
	}
}
