package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"sotto/internal/capture"
	"sotto/zrtp/audit"
)

// exitFault is what `sotto zrtp` exits with if something is wrong in the file,
// as diff does with a difference. What it can't do at all is exitFailed.
const exitFault = 1

func newZRTP() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "zrtp FILE",
		Short: "Decode and check the ZRTP handshakes in a capture file",
		Long: `zrtp reads a pcap or pcapng file, - for standard input, and prints one line for
each ZRTP message in it: its frame's number, seconds since the first message,
stream and side (A is who was heard first), what it says, and what was checked:

  CRC and lengths; the hash chain H3, H2, H1; the MAC of Hello and Commit once
  its key is revealed; hvi over DHPart2 and the responder's Hello; which Commit
  wins if both sides send one; who may send what; that the choice was offered.

A message without FAULT has passed all that could be checked. Repeated ones are
marked. What no capture can show is not checked: H0 and the keys of the Confirms
are never sent in the clear. So this finds what was damaged or changed on the
way, but not somebody who agreed keys with both sides: that only comparing the
SAS finds.

Exit codes: 0 all is well, 1 a message has a fault or a side gave up, 2 the file
can't be read or has no ZRTP in it, or the command line is wrong.`,
		Example: `  sotto zrtp call.pcapng
  sotto zrtp --json call.pcap | jq 'select(.faults)'
  tcpdump -i any -U -w - udp | sotto zrtp -

  stream 1 side A: 127.0.0.1:5004 to 127.0.0.1:5006, SSRC a11ce000
      1    0.000 1A Hello    version 1.10, client "BZRTPCPP1.1", ZID 6162…
  stream 1 side B: 127.0.0.1:5006 to 127.0.0.1:5004, SSRC b0b00000
      2    0.010 1B HelloACK
      …
      7    0.060 1A Commit   suite X255 S256 AES1 HS80 B32, … [H2 fits H3 of #1; MAC of #1 is right]
      9    0.080 1A DHPart2  public value 32 bytes [H1 fits H2 of #7; MAC of #7 is right; hvi of #7 is right]
     10    0.090 1B Confirm1 encrypted 40 bytes FAULT: CRC is wrong`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return failed(errors.New("zrtp: want one capture file, or - for standard input"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var show handshakeView = &handshakeText{w: cmd.OutOrStdout()}
			if asJSON {
				show = newHandshakeJSON(cmd.OutOrStdout())
			}
			if args[0] == "-" {
				return auditCapture(cmd.InOrStdin(), show)
			}
			file, err := os.Open(args[0])
			if err != nil {
				return failed(err)
			}
			defer file.Close()
			return auditCapture(file, show)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print every message as one JSON object a line")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return failed(err) })
	return cmd
}

// handshakeView shows what is found, as it is found.
type handshakeView interface {
	message(capture.Datagram, *audit.Message) error
	end(audit.Summary) error
	skipped(capture.Skipped) error
}

// auditCapture decodes one file. What was found before a file breaks off is
// shown all the same.
func auditCapture(r io.Reader, show handshakeView) error {
	packets, err := capture.NewReader(r)
	if err != nil {
		return failed(err)
	}
	auditor := audit.New()
	messages, faults, broken := 0, 0, error(nil)
	for broken == nil {
		var d capture.Datagram
		if d, broken = packets.Next(); broken != nil {
			break
		}
		var m *audit.Message
		m, broken = auditor.Add(audit.Datagram{Number: d.Number, From: d.From, To: d.To, Payload: d.Payload, Missing: d.Missing})
		if m == nil {
			continue
		}
		messages++
		if len(m.Faults) > 0 {
			faults++
		}
		if err := show.message(d, m); err != nil {
			return failed(err)
		}
	}
	for _, s := range auditor.Summaries() {
		if err := show.end(s); err != nil {
			return failed(err)
		}
	}
	if err := show.skipped(packets.Skipped()); err != nil {
		return failed(err)
	}
	switch {
	case !errors.Is(broken, io.EOF):
		return failed(broken)
	case messages == 0:
		return failed(errors.New("zrtp: there is no ZRTP in this file"))
	case faults > 0:
		return &failure{exitFault, fmt.Errorf("zrtp: %d of %d messages have a fault", faults, messages)}
	}
	return nil
}
