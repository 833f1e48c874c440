package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"sync"

	"sotto/engine"
)

// readCommands gives the lines of in. The goroutine behind it lives as long as
// the process, because a read from a terminal can't be interrupted.
func readCommands(in io.Reader) <-chan string {
	commands := make(chan string)
	go func() {
		for lines := bufio.NewScanner(in); lines.Scan(); {
			commands <- strings.TrimSpace(lines.Text())
		}
	}()
	return commands
}

// keys is what the user can type during a call.
const keys = "y the SAS is the same, n it differs, name NAME whom you talk\nto, trust that the PBX may listen, d DIGITS send DTMF,\nh hold, r resume, q hang up"

// maxChanges is how many keys may wait for the other side.
const maxChanges = 8

// obey does what the user types, until done is closed. What is typed while there
// is no call, which is nil then, must not speak for the next one.
func (p *phone) obey(call *engine.Call, done <-chan struct{}) {
	changes := make(chan func(context.Context) error, maxChanges)
	var changing sync.WaitGroup
	changing.Go(func() { p.change(changes) })
	defer changing.Wait()
	defer close(changes)
	for {
		var command string
		select {
		case command = <-p.commands:
		case <-done:
			return
		}
		word, rest, _ := strings.Cut(command, " ")
		switch {
		case word == "":
		case call == nil:
			p.view.show(hint{"There is no call. Ctrl-C ends."})
		case word == "h":
			p.later(changes, call.Hold)
		case word == "r":
			p.later(changes, call.Resume)
		default:
			p.complain(p.do(call, word, rest))
		}
	}
}

// change makes the changes of a call that the other side has to answer, one after
// the other, beside all other keys: it may take its time. The end of the call ends
// them, an interruption too, which hangs up.
func (p *phone) change(changes <-chan func(context.Context) error) {
	for change := range changes {
		p.complain(change(context.Background()))
	}
}

// later has a change wait for those before it.
func (p *phone) later(changes chan<- func(context.Context) error, change func(context.Context) error) {
	select {
	case changes <- change:
	default:
		p.view.show(hint{"The other side has not answered yet. Type q and Enter to hang up."})
	}
}

// do does what need not wait for the other side.
func (p *phone) do(call *engine.Call, word, rest string) error {
	switch word {
	case "name":
		if rest != "" {
			return call.SetName(rest)
		}
		p.view.show(hint{"Type name and whom you talk to, such as name Bob."})
	case "trust":
		return call.Enroll()
	case "y":
		return call.SetVerified(true)
	case "n":
		return call.SetVerified(false)
	case "d":
		if rest != "" {
			return call.SendDTMF(rest)
		}
		p.view.show(hint{"Type d and the digits, such as d 12#."})
	case "q":
		return call.Close()
	default:
		p.view.show(hint{"unknown key; type one of: " + keys})
	}
	return nil
}

// complain tells what a key could not do. That the call has ended is told anyway.
func (p *phone) complain(err error) {
	if err != nil && !errors.Is(err, engine.ErrEnded) {
		p.view.show(engine.Warning{Text: engine.InWords(err)})
	}
}
