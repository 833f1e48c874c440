package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func newCall() *cobra.Command {
	opts := &options{}
	var ringing time.Duration
	cmd := &cobra.Command{
		Use:   "call sip:ADDRESS",
		Short: "Call somebody",
		Long: `call places one call and follows it until it ends. No voice leaves before the
keys are agreed and the audio route is found acceptable; a phone without ZRTP
hears nothing, and the call ends with code 3. Until the call is answered its
loudspeaker lets you hear that it rings or, for four seconds, that it is refused.

Keys during the call, each with Enter:
` + keys + `.`,
		Example: `  sotto call sip:bob@127.0.0.1:5062 --in question.wav --out answer.wav
  sotto call sip:bob@192.0.2.7 --bind 192.0.2.3:5060 --state ~/.sotto
  sotto call sip:bob@127.0.0.1:5062 --in tone:440 --duration 10s --json`,
		Args: oneAddress,
		RunE: func(cmd *cobra.Command, args []string) error { return call(cmd, opts, args[0], ringing) },
	}
	opts.register(cmd, "127.0.0.1:0")
	cmd.Flags().StringVar(&opts.tones, "tones", "", "how it sounds that the call rings or is refused: as in `country` DE, FR, GB, JP or US, or off (default an international tone; with --in or --out off)")
	cmd.Flags().DurationVar(&ringing, "ring-timeout", time.Minute, "give up if nobody has answered by then")
	return cmd
}

// oneAddress says what is wanted where cobra only counts.
func oneAddress(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return errors.New("call: want one SIP address, such as sip:bob@192.0.2.7")
	}
	return nil
}

// call places one call and follows it.
func call(cmd *cobra.Command, opts *options, uri string, ringing time.Duration) (err error) {
	if ringing <= 0 {
		return fmt.Errorf("--ring-timeout %v: want more than 0", ringing)
	}
	p, err := newPhone(cmd, opts)
	if err != nil {
		return err
	}
	defer func() {
		if closing := p.close(); err == nil {
			err = closing
		}
	}()
	// An interruption hangs up by way of follow, which says so.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), ringing)
	defer cancel()
	c, err := p.Dial(ctx, uri)
	if err != nil {
		return usage(err)
	}
	p.view.show(calling{URI: uri, Address: p.Addr().String()})
	return p.follow(cmd.Context(), c)
}
