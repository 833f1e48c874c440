package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sotto/internal/kat"
	"sotto/zrtp/wire"
)

// recordedCapture is a recorded handshake in which A is the initiator, as a
// pcap file of raw IP packets: the two sides by turns, 10 ms between packets.
// damage may change a datagram; it is told the message's type.
func recordedCapture(t testing.TB, damage func(typ wire.Type, datagram []byte)) []byte {
	t.Helper()
	all := kat.Handshakes()
	h := all[slices.IndexFunc(all, func(h kat.Handshake) bool { return h.Name == "x255" })]
	a, b := h.PacketsA, h.PacketsB
	order := []struct {
		port     uint16
		datagram []byte
	}{{1, a[0]}, {2, b[0]}, {2, b[1]}, {1, a[1]}, {2, b[2]}, {1, a[2]}, {2, b[3]}, {1, a[3]}, {1, a[3]}, {2, b[4]}, {1, a[4]}, {2, b[5]}}

	file := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	file = append(file, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0)
	for i, p := range order {
		payload := bytes.Clone(p.datagram)
		if damage != nil {
			damage(wire.Type(payload[16:24]), payload)
		}
		n := 28 + len(payload)
		ip := []byte{0x45, 0, byte(n >> 8), byte(n), 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1}
		ip = binary.BigEndian.AppendUint16(ip, 5000+p.port)
		ip = binary.BigEndian.AppendUint16(ip, 5003-p.port)
		ip = binary.BigEndian.AppendUint16(ip, uint16(8+len(payload)))
		ip = append(append(ip, 0, 0), payload...)
		for _, v := range []int{1_700_000_000, 10_000 * i, len(ip), len(ip)} {
			file = binary.LittleEndian.AppendUint32(file, uint32(v))
		}
		file = append(file, ip...)
	}
	return file
}

func writeFile(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.pcap")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestZRTPText(t *testing.T) {
	p := start(t, "zrtp", writeFile(t, recordedCapture(t, nil)))
	wantSuccess(t, p)
	lines := strings.Split(strings.TrimSuffix(p.stdout.String(), "\n"), "\n")
	for i, want := range []string{
		"stream 1 side A: 127.0.0.1:5001 to 127.0.0.1:5002, SSRC a11ce000",
		`    1    0.000 1A Hello    version 1.10, client "`,
		"stream 1 side B: 127.0.0.1:5002 to 127.0.0.1:5001, SSRC b0b00000",
		"    2    0.010 1B HelloACK",
		`    3    0.020 1B Hello    version 1.10, client "`,
		"    4    0.030 1A HelloACK",
		"    5    0.040 1B Commit   suite X255 S256 AES1 HS32 B32, ZID ",
		"    6    0.050 1A Commit   suite X255 S256 AES1 HS32 B32, ZID ",
		"    7    0.060 1B DHPart1  public value 32 bytes [H1 fits H2 of #5; MAC of #5 is right]",
		"    8    0.070 1A DHPart2  public value 32 bytes [H1 fits H2 of #6; MAC of #6 is right; hvi of #6 is right]",
		"    9    0.080 1A DHPart2  (duplicate of #8)",
		"   10    0.090 1B Confirm1 encrypted 40 bytes",
		"   11    0.100 1A Confirm2 encrypted 40 bytes",
		"   12    0.110 1B Conf2ACK",
		"stream 1: complete; initiator A; X255 S256 AES1 HS32 B32; 12 messages, 1 of them repeated; 0 with a fault",
	} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d is not %q", i+1, want)
		}
	}
	if len(lines) != 15 || !strings.Contains(lines[7], "[H2 fits H3 of #1; MAC of #1 is right] (both sides commit: A's wins, its hvi is higher)") {
		t.Errorf("%d lines", len(lines))
	}
}

func TestZRTPFault(t *testing.T) {
	file := recordedCapture(t, func(typ wire.Type, datagram []byte) {
		if typ == wire.TypeConfirm1 {
			datagram[40] ^= 1
		}
	})
	p := start(t, "zrtp", writeFile(t, file))
	wantFailure(t, p, exitFault, "1 of 12 messages have a fault")
	if !strings.Contains(p.stdout.String(), "   10    0.090 1B Confirm1 FAULT: CRC is wrong\n") {
		t.Error("the fault is not shown where it is")
	}
}

// From standard input, for programs.
func TestZRTPJSON(t *testing.T) {
	p := start(t, "zrtp", "--json", "-")
	if _, err := p.stdin.Write(recordedCapture(t, nil)); err != nil {
		t.Fatal(err)
	}
	p.stdin.Close()
	wantSuccess(t, p)
	var messages []messageRecord
	var streams []streamRecord
	for line := range strings.Lines(p.stdout.String()) {
		var m messageRecord
		var s streamRecord
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		switch m.Event {
		case "message":
			messages = append(messages, m)
		case "stream":
			if err := json.Unmarshal([]byte(line), &s); err != nil {
				t.Fatal(err)
			}
			streams = append(streams, s)
		default:
			t.Errorf("event %q", m.Event)
		}
	}
	if len(messages) != 12 || len(streams) != 1 {
		t.Fatalf("%d messages, %d streams", len(messages), len(streams))
	}
	if m := messages[0]; m.Number != 1 || m.Time != "2023-11-14T22:13:20Z" || m.Side != "A" || m.From != "127.0.0.1:5001" ||
		m.SSRC != "a11ce000" || m.Type != "Hello" || m.Fields["version"] != "1.10" {
		t.Errorf("%+v", m)
	}
	if m := messages[8]; m.RepeatOf != 8 || !m.Duplicate {
		t.Errorf("%+v", m)
	}
	if s := streams[0]; s.Outcome != "complete" || s.Initiator != "A" || s.Messages != 12 || s.Faulty != 0 || s.Unchecked != nil {
		t.Errorf("%+v", s)
	}
}

// What can't be decoded is told apart from what has a fault, and what was found
// before a file breaks off is shown.
func TestZRTPUnreadable(t *testing.T) {
	whole := recordedCapture(t, nil)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no capture":  {[]string{writeFile(t, []byte("Dear operator, this is a letter."))}, "not a capture file"},
		"empty":       {[]string{writeFile(t, nil)}, "empty"},
		"no file":     {[]string{filepath.Join(t.TempDir(), "none")}, "no such file"},
		"a directory": {[]string{t.TempDir()}, "is a directory"},
		"no ZRTP":     {[]string{writeFile(t, whole[:24])}, "no ZRTP"},
		"no argument": {nil, "want one capture file"},
		"two":         {[]string{"a", "b"}, "want one capture file"},
		"flag":        {[]string{"--yaml"}, "unknown flag"},
	} {
		t.Run(name, func(t *testing.T) {
			wantFailure(t, start(t, append([]string{"zrtp"}, c.args...)...), exitFailed, c.want)
		})
	}
	p := start(t, "zrtp", writeFile(t, whole[:len(whole)-1]))
	wantFailure(t, p, exitFailed, "ends in the middle of a record")
	if !strings.Contains(p.stdout.String(), "   11    0.100 1A Confirm2") {
		t.Error("what was read is not shown")
	}
}

// A peer's names can't reach the terminal as control characters, and frames
// that were passed over are told.
func TestZRTPHostile(t *testing.T) {
	file := recordedCapture(t, nil)
	file[20] = 147 // a link that nobody knows
	var b strings.Builder
	if err := auditCapture(bytes.NewReader(file), &handshakeText{w: &b}); err == nil {
		t.Error("no error")
	}
	if b.String() != "not looked at: 0 IP fragments, 12 frames on unknown links, 0 frames with damaged headers\n" {
		t.Errorf("%q", b.String())
	}

	b.Reset()
	file = recordedCapture(t, func(typ wire.Type, datagram []byte) {
		if typ != wire.TypeHello {
			return
		}
		copy(datagram[12+16:], "\x1b[2J\r\n\x07")
		p, err := wire.ParsePacket(datagram)
		if err == nil {
			t.Fatal("nothing was changed")
		}
		p.Seq, p.SSRC = binary.BigEndian.Uint16(datagram[2:]), binary.BigEndian.Uint32(datagram[8:])
		p.Message = bytes.Clone(datagram[12 : len(datagram)-4])
		wire.AppendPacket(datagram[:0], p)
	})
	if err := auditCapture(bytes.NewReader(file), &handshakeText{w: &b}); err == nil {
		t.Error("no error")
	}
	if strings.ContainsAny(b.String(), "\x1b\r\x07") || !strings.Contains(b.String(), `client ".[2J...`) {
		t.Errorf("%q", b.String())
	}
}

// FuzzZRTP takes any file whatever, and both views of it.
func FuzzZRTP(f *testing.F) {
	f.Add([]byte("\xd4\xc3\xb2\xa1"))
	whole := recordedCapture(f, nil)
	f.Add(whole)
	f.Add(whole[:len(whole)-100])
	f.Fuzz(func(t *testing.T, file []byte) {
		var text strings.Builder
		err := auditCapture(bytes.NewReader(file), &handshakeText{w: &text})
		again := auditCapture(bytes.NewReader(file), newHandshakeJSON(io.Discard))
		if (err == nil) != (again == nil) || err != nil && err.Error() != again.Error() {
			t.Fatalf("%v as text, %v as JSON", err, again)
		}
		for _, r := range text.String() {
			if r < ' ' && r != '\n' {
				t.Fatalf("control character %q", r)
			}
		}
	})
}
