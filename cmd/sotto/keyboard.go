package main

import (
	"bufio"
	"context"
	"io"
	"strings"

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

// obey does what the user types, until done is closed. What is typed while there
// is no call, which is nil then, must not speak for the next one.
func (p *phone) obey(ctx context.Context, call *engine.Call, done <-chan struct{}) {
	for {
		var command string
		select {
		case command = <-p.commands:
		case <-done:
			return
		}
		word, rest, _ := strings.Cut(command, " ")
		if call == nil && word != "" {
			p.view.show(hint{"There is no call. Ctrl-C ends."})
			continue
		}
		var err error
		switch word {
		case "name":
			if rest == "" {
				p.view.show(hint{"Type name and whom you talk to, such as name Bob."})
				continue
			}
			err = call.SetName(rest)
		case "trust":
			err = call.Enroll()
		case "y":
			err = call.SetVerified(true)
		case "n":
			err = call.SetVerified(false)
		case "d":
			if rest == "" {
				p.view.show(hint{"Type d and the digits, such as d 12#."})
				continue
			}
			err = call.SendDTMF(rest)
		case "h":
			err = call.Hold(ctx)
		case "r":
			err = call.Resume(ctx)
		case "q":
			err = call.Close()
		case "":
		default:
			p.view.show(hint{"unknown key; type one of: " + keys})
		}
		if err != nil {
			p.view.show(engine.Warning{Text: engine.InWords(err)})
		}
	}
}
