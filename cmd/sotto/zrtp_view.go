package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"sotto/internal/capture"
	"sotto/zrtp/audit"
)

// handshakeText is for people.
type handshakeText struct {
	w     io.Writer
	start time.Time // of the first message
}

func (v *handshakeText) line(format string, args ...any) error {
	// Not oneLine, which would take the indentation away.
	_, err := fmt.Fprintln(v.w, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	return err
}

func (v *handshakeText) message(d capture.Datagram, m *audit.Message) error {
	if v.start.IsZero() {
		v.start = d.Time
	}
	if m.New {
		if err := v.line("stream %d side %s: %s to %s, SSRC %08x", m.Stream, m.Side, m.From, m.To, m.SSRC); err != nil {
			return err
		}
	}
	place := "--"
	if m.Stream != 0 {
		place = fmt.Sprint(m.Stream, m.Side)
	}
	return v.line("%5d %8.3f %s %-8s %s", m.Number, d.Time.Sub(v.start).Seconds(), place, m.Type, strings.Join(remarks(m), " "))
}

// remarks are what is to be said about a message, in the order of a line.
func remarks(m *audit.Message) []string {
	var all, fields []string
	for _, f := range m.Fields {
		fields = append(fields, f.Name+" "+f.Value)
	}
	if fields != nil {
		all = append(all, strings.Join(fields, ", "))
	}
	switch {
	case m.Duplicate:
		all = append(all, fmt.Sprintf("(duplicate of #%d)", m.RepeatOf))
	case m.RepeatOf != 0:
		all = append(all, fmt.Sprintf("(repeats #%d)", m.RepeatOf))
	}
	if m.Passed != nil {
		all = append(all, "["+strings.Join(m.Passed, "; ")+"]")
	}
	if m.Notes != nil {
		all = append(all, "("+strings.Join(m.Notes, "; ")+")")
	}
	if m.Faults != nil {
		all = append(all, "FAULT: "+strings.Join(m.Faults, "; "))
	}
	return all
}

func (v *handshakeText) end(s audit.Summary) error {
	parts := []string{string(s.Outcome)}
	if s.Initiator != "" {
		parts = append(parts, "initiator "+s.Initiator)
	}
	if s.Suite != "" {
		parts = append(parts, s.Suite)
	}
	parts = append(parts, fmt.Sprintf("%d messages, %d of them repeated", s.Messages, s.Repeats))
	parts = append(parts, fmt.Sprintf("%d with a fault", s.Faults))
	if s.Unchecked != nil {
		parts = append(parts, "not checked: "+strings.Join(s.Unchecked, ", "))
	}
	return v.line("stream %d: %s", s.Stream, strings.Join(parts, "; "))
}

func (v *handshakeText) skipped(s capture.Skipped) error {
	if s == (capture.Skipped{}) {
		return nil
	}
	return v.line("not looked at: %d IP fragments, %d frames on unknown links, %d frames with damaged headers",
		s.Fragments, s.Links, s.Damaged)
}

// handshakeJSON is for programs: one object a line, whose first field is
// "event".
type handshakeJSON struct{ enc *json.Encoder }

func newHandshakeJSON(w io.Writer) handshakeJSON {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return handshakeJSON{enc}
}

// The lines of --json.
type (
	messageRecord struct {
		Event     string            `json:"event"` // "message"
		Number    int               `json:"number"`
		Time      string            `json:"time"`
		Stream    int               `json:"stream"` // 0: of none
		Side      string            `json:"side,omitempty"`
		From      string            `json:"from"`
		To        string            `json:"to"`
		SSRC      string            `json:"ssrc"`
		Sequence  uint16            `json:"sequence"`
		Type      string            `json:"type"`
		Fields    map[string]string `json:"fields,omitempty"`
		RepeatOf  int               `json:"repeat_of,omitempty"`
		Duplicate bool              `json:"duplicate,omitempty"`
		Passed    []string          `json:"passed,omitempty"`
		Notes     []string          `json:"notes,omitempty"`
		Faults    []string          `json:"faults,omitempty"`
	}
	streamRecord struct {
		Event     string   `json:"event"` // "stream"
		Stream    int      `json:"stream"`
		Outcome   string   `json:"outcome"`
		Initiator string   `json:"initiator,omitempty"`
		Suite     string   `json:"suite,omitempty"`
		Messages  int      `json:"messages"`
		Repeats   int      `json:"repeats"`
		Faulty    int      `json:"faulty"`
		Unchecked []string `json:"unchecked,omitempty"`
	}
	skippedRecord struct {
		Event     string `json:"event"` // "skipped"
		Fragments int    `json:"ip_fragments"`
		Links     int    `json:"unknown_links"`
		Damaged   int    `json:"damaged_headers"`
	}
)

func (v handshakeJSON) message(d capture.Datagram, m *audit.Message) error {
	r := messageRecord{
		Event: "message", Number: m.Number, Time: d.Time.UTC().Format(time.RFC3339Nano), Stream: m.Stream, Side: m.Side,
		From: m.From.String(), To: m.To.String(), SSRC: fmt.Sprintf("%08x", m.SSRC), Sequence: m.Sequence,
		Type: m.Type, RepeatOf: m.RepeatOf, Duplicate: m.Duplicate,
		Passed: m.Passed, Notes: m.Notes, Faults: m.Faults,
	}
	if m.Fields != nil {
		r.Fields = map[string]string{}
	}
	for _, f := range m.Fields {
		r.Fields[f.Name] = f.Value
	}
	return v.enc.Encode(r)
}

func (v handshakeJSON) end(s audit.Summary) error {
	return v.enc.Encode(streamRecord{
		Event: "stream", Stream: s.Stream, Outcome: string(s.Outcome), Initiator: s.Initiator, Suite: s.Suite,
		Messages: s.Messages, Repeats: s.Repeats, Faulty: s.Faults, Unchecked: s.Unchecked,
	})
}

func (v handshakeJSON) skipped(s capture.Skipped) error {
	if s == (capture.Skipped{}) {
		return nil
	}
	return v.enc.Encode(skippedRecord{"skipped", s.Fragments, s.Links, s.Damaged})
}
