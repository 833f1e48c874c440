// Command states writes what a ZRTP Session does in each state, from the table
// that drives it, as Markdown to standard output.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"sotto/zrtp"
	"sotto/zrtp/wire"
)

func main() {
	write(os.Stdout, zrtp.Transitions())
}

const head = `# The states of a ZRTP session

Written by ` + "`go generate ./zrtp`" + ` from the table that drives the session. It says what one authentic, well-formed message
does in one state. What is not listed is dropped in silence; a check that fails leads to ErrorSent and an Error message.
Some rows depend on more: a session that only responds answers Hello in Discovery with HelloACK and stays; a repeated
Hello in CommitSent draws a HelloACK where the Commit is much longer; a Commit in CommitSent that loses the contention of
RFC 6189 §4.2 is ignored; in Multistream and Preshared mode, which have no DHParts, a Commit leads to Confirm1Sent and is answered with Confirm1, and only there is Confirm1 accepted in CommitSent and a
Commit in Confirm1Sent; a Commit in Preshared mode whose key is not found is answered with a Commit of ours; an
Error, which carries no proof, leads to Closed unless the handshake goes on within 1.2 seconds.

`

// write renders the table, and a diagram of the rows that change the state.
func write(w io.Writer, rows []zrtp.Transition) {
	var b strings.Builder
	b.WriteString(head)
	b.WriteString("| state | message | next state | answer |\n| --- | --- | --- | --- |\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.From, name(r.Message), r.To, answer(r.Reply))
	}
	b.WriteString("\n```mermaid\nstateDiagram-v2\n    [*] --> Idle\n    Idle --> Discovery: Start / Hello\n")
	for _, r := range rows {
		if r.From != r.To {
			fmt.Fprintf(&b, "    %s --> %s: %s\n", r.From, r.To, label(r))
		}
	}
	b.WriteString("    Closed --> [*]\n```\n")
	_, _ = io.WriteString(w, b.String()) // nobody reads: nothing to do
}

func label(r zrtp.Transition) string {
	if r.Reply == (wire.Type{}) {
		return name(r.Message)
	}
	return name(r.Message) + " / " + name(r.Reply)
}

func answer(t wire.Type) string {
	if t == (wire.Type{}) {
		return "–"
	}
	return name(t)
}

func name(t wire.Type) string { return strings.TrimRight(string(t[:]), " ") }
