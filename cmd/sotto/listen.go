package main

import (
	"context"
	"sync"

	"github.com/spf13/cobra"

	"sotto/engine"
)

func newListen() *cobra.Command {
	opts := &options{}
	var once bool
	cmd := &cobra.Command{
		Use:   "listen",
		Short: "Wait for calls and answer them",
		Long: `listen answers calls one after another, until it is interrupted; with --once it
ends with the first call, and with that call's exit code.

Keys during a call, each with Enter:
` + keys + `.`,
		Example: `  sotto listen --bind 127.0.0.1:5062 --in greeting.wav --out heard.wav
  sotto listen --once --in silence --json
  sotto listen --state ~/.sotto --sas B32`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return listen(cmd, opts, once) },
	}
	opts.register(cmd, "127.0.0.1:5060")
	cmd.Flags().BoolVar(&once, "once", false, "end with the first call")
	return cmd
}

// listen answers calls until ctx ends. A call that fails is shown and does not
// keep the next one from being answered.
func listen(cmd *cobra.Command, opts *options, once bool) (err error) {
	p, err := newPhone(cmd, opts)
	if err != nil {
		return err
	}
	defer func() {
		if closing := p.close(); err == nil {
			err = closing
		}
	}()
	p.view.show(listening{Address: p.Addr().String()})
	for {
		c, err := p.await(cmd.Context())
		if cmd.Context().Err() != nil {
			return nil
		}
		if err != nil {
			return failed(err)
		}
		err = p.answer(cmd.Context(), c)
		if once {
			return err
		}
		if err != nil {
			cmd.PrintErrln("sotto:", oneLine(err.Error()))
		}
	}
}

// await waits for the next call.
func (p *phone) await(ctx context.Context) (*engine.Call, error) {
	done := make(chan struct{})
	var user sync.WaitGroup
	user.Go(func() { p.obey(nil, done) })
	defer user.Wait()
	defer close(done)
	return p.Accept(ctx)
}

// answer takes one call and follows it. One that can't be answered ends, and says why
// by its last event as every other.
func (p *phone) answer(ctx context.Context, c *engine.Call) error {
	p.view.show(incoming{Peer: c.Peer()})
	_ = c.Answer()
	return p.follow(ctx, c)
}
