//go:build interop

package interop

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// capture sees every datagram that reaches or leaves a peer's media ports,
// whatever the two processes say about themselves.
type capture struct {
	tcpdump *process
	packets chan []datagram
}

// datagram is one UDP payload seen on the loopback interface.
type datagram struct {
	From, To uint16
	Payload  []byte
}

// kinds of datagram on a media port, by first byte (RFC 7983 §7).
func (d datagram) isRTP() bool {
	return len(d.Payload) >= 12 && d.Payload[0]>>6 == 2 && !d.isRTCP()
}

// isRTCP follows RFC 5761 §4.
func (d datagram) isRTCP() bool {
	return len(d.Payload) >= 8 && d.Payload[0]>>6 == 2 && d.Payload[1] >= 192 && d.Payload[1] <= 223
}

// zrtpType is the message type of a ZRTP packet, else "".
func (d datagram) zrtpType() string {
	if len(d.Payload) < 28 || string(d.Payload[4:8]) != "ZRTP" {
		return ""
	}
	return string(d.Payload[16:24])
}

// looksRandom says whether the first bytes of the payloads take many values.
// In clear Opus that byte names the mode and hardly changes in a call
// (RFC 6716 §3.1).
func looksRandom(packets []datagram) bool {
	const header = 12
	values := map[byte]bool{}
	for _, d := range packets {
		if len(d.Payload) > header {
			values[d.Payload[header]] = true
		}
	}
	return len(values) > 64
}

// startCapture records the traffic of the media ports rtp and rtp+1.
func startCapture(t *testing.T, rtp int) *capture {
	t.Helper()
	requireTool(t, "tcpdump")
	if os.Geteuid() != 0 {
		t.Fatal("watching the loopback interface with tcpdump needs root")
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	filter := fmt.Sprintf("udp port %d or udp port %d", rtp, rtp+1)
	cmd := exec.Command("tcpdump", "-i", "lo", "-n", "-s", "0", "-B", "8192", "--immediate-mode", "-w", "-", filter)
	c := &capture{packets: make(chan []datagram, 1)}
	cmd.Stdout = write
	c.tcpdump = startProcess(t, "tcpdump", cmd)
	write.Close()
	go func() { c.packets <- readPcap(read) }()
	c.tcpdump.await(t, "listening on lo", patience)
	return c
}

// stop returns everything captured.
func (c *capture) stop(t *testing.T) []datagram {
	t.Helper()
	c.tcpdump.cmd.Process.Signal(syscall.SIGINT)
	if code := c.tcpdump.exitCode(t, patience); code != 0 {
		t.Fatalf("tcpdump ended with code %d", code)
	}
	c.tcpdump.await(t, "0 packets dropped by kernel", patience)
	return <-c.packets
}

// readPcap reads a capture file of Ethernet frames with IPv4 and UDP, as
// tcpdump writes it on this machine, up to its end.
func readPcap(r io.Reader) []datagram {
	var all []datagram
	header := make([]byte, 24)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil
	}
	for {
		record := make([]byte, 16)
		if _, err := io.ReadFull(r, record); err != nil {
			return all
		}
		frame := make([]byte, binary.LittleEndian.Uint32(record[8:]))
		if _, err := io.ReadFull(r, frame); err != nil {
			return all
		}
		const ethernet = 14
		if len(frame) < ethernet+20 {
			continue
		}
		udp := ethernet + int(frame[ethernet]&15)*4
		if len(frame) < udp+8 {
			continue
		}
		end := udp + int(binary.BigEndian.Uint16(frame[udp+4:]))
		all = append(all, datagram{
			From:    binary.BigEndian.Uint16(frame[udp:]),
			To:      binary.BigEndian.Uint16(frame[udp+2:]),
			Payload: frame[udp+8 : min(end, len(frame))],
		})
	}
}
