package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"sotto/engine"
	"sotto/engine/realtime"
)

// phone is an Engine with what the command line says about its calls.
type phone struct {
	*engine.Engine
	opts     *options
	view     view
	trace    *tracer   // nil: none
	awake    io.Closer // nil: processors may sleep
	commands <-chan string
}

// newPhone opens everything. The caller closes it.
func newPhone(cmd *cobra.Command, opts *options) (*phone, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	if opts.realTime {
		if err := realtime.Prioritize(); err != nil {
			return nil, failed(fmt.Errorf("--real-time: %w; root may, and who has a limit for it: ulimit -r 1", err))
		}
	}
	p := &phone{opts: opts, view: newView(cmd.OutOrStdout(), opts)}
	opts.warn = func(text string) { p.view.show(engine.Warning{Text: text}) }
	cfg := opts.config()
	if opts.trace != "" {
		trace, err := newTracer(opts.trace)
		if err != nil {
			return nil, err
		}
		p.trace, cfg.Tracer = trace, trace
	}
	e, err := engine.New(cfg)
	if err != nil {
		if p.trace != nil {
			err = errors.Join(err, p.trace.close())
		}
		return nil, usage(err)
	}
	p.Engine = e
	if opts.stayAwake {
		if p.awake, err = realtime.StayAwake(); err != nil {
			return nil, failed(errors.Join(fmt.Errorf("--stay-awake: %w%s", err, rootMay(err)), p.close()))
		}
	}
	p.commands = readCommands(cmd.InOrStdin())
	return p, nil
}

// rootMay is what to do about an error, if it is that one.
func rootMay(err error) string {
	if errors.Is(err, os.ErrPermission) {
		return "; root may"
	}
	return ""
}

// close hangs up what is left and writes the trace.
func (p *phone) close() error {
	err := p.Engine.Close()
	if p.trace != nil {
		err = errors.Join(err, p.trace.close())
	}
	if p.awake != nil {
		err = errors.Join(err, p.awake.Close())
	}
	if err != nil {
		return failed(err)
	}
	return nil
}

// follow shows what happens in call until it has ended. When ctx ends, it
// hangs up.
func (p *phone) follow(ctx context.Context, call *engine.Call) error {
	hangUp := func() { _ = call.Close() } // how it ended is in the Ended event
	defer context.AfterFunc(ctx, hangUp)()
	limit := time.AfterFunc(time.Hour, hangUp)
	limit.Stop()
	defer limit.Stop()
	done := make(chan struct{})
	var user sync.WaitGroup
	user.Go(func() { p.obey(call, done) })
	defer user.Wait()
	defer close(done)
	talked := false
	for {
		event, err := call.Next(context.WithoutCancel(ctx))
		if errors.Is(err, io.EOF) {
			return failed(errors.New("the call ended without saying why"))
		}
		if err != nil {
			return failed(err)
		}
		p.view.show(event)
		switch e := event.(type) {
		case engine.Secured:
			if p.opts.verify {
				p.verify(call, true)
			}
		case engine.Ended:
			return outcome(ctx, e, p.opts.insecure)
		}
		if !talked && talks(event) {
			talked = true
			p.begin(call, limit)
		}
	}
}

// talks reports whether voice flows from event on, be it in the clear. A Warning
// alone, such as one of the audit trail, does not say that.
func talks(event engine.Event) bool {
	switch e := event.(type) {
	case engine.Secured:
		return true
	case engine.Security:
		return e.Level == engine.LevelClear
	}
	return false
}

// begin does what the command line wants done when the voice begins.
func (p *phone) begin(call *engine.Call, limit *time.Timer) {
	if p.opts.duration > 0 {
		limit.Reset(p.opts.duration)
	}
	p.complain(call.SendDTMF(p.opts.dtmf))
}

// outcome is nil if the call ended as it should. In secure mode that includes
// that it was secure.
func outcome(ctx context.Context, e engine.Ended, insecure bool) error {
	err := errors.New(e.Reason.Text)
	switch {
	case e.Reason.Kind == engine.NotSecure || e.Reason.Kind == engine.NoRoute:
		return &failure{exitNotSecure, err}
	case e.Reason.Kind == engine.Canceled && ctx.Err() != nil:
		return &failure{exitInterrupted, err}
	case e.Reason.Kind != engine.HungUp:
		return failed(err)
	case !insecure && !e.Level.Encrypted():
		return &failure{exitNotSecure, errors.New("the call ended before it was secure: " + e.Reason.Text)}
	}
	return nil
}

// verify tells the call that the user found the SAS equal, or different.
func (p *phone) verify(call *engine.Call, equal bool) {
	p.complain(call.SetVerified(equal))
}
