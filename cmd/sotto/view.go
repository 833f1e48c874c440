package main

import (
	"io"
)

// view shows to somebody what happens: the engine's events and those of this
// file, in order. Its methods may be called from several goroutines.
type view interface {
	show(event any)
}

// What happens beside a call.
type (
	// listening: calls to this address are answered from now on.
	listening struct{ Address string }
	// calling: a call is on its way.
	calling struct{ URI, Address string }
	// incoming: somebody calls.
	incoming struct{ Peer string }
	// hint helps the user with what was typed.
	hint struct{ Text string }
)

func newView(w io.Writer, opts *options) view {
	if opts.json {
		return newJSONView(w)
	}
	return &textView{w: w, asked: opts.verify}
}
