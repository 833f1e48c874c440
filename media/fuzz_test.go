package media_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"

	"github.com/pion/rtcp"

	"sotto/codecs"
	"sotto/media"
)

// fuzzed is a phone whose tape can be looked at.
type fuzzed struct {
	*phone
	tape tape
}

func newFuzzed(t testing.TB, secure bool) *fuzzed {
	t.Helper()
	f := &fuzzed{phone: newPhone(t, secure, ourSSRC)}
	c := receiverConfig(t, &f.tape)
	c.Secure = secure
	c.Payloads[noiseType] = codecs.ComfortNoise
	f.receiver = newReceiver(t, c)
	var err error
	f.reports, err = media.NewReports(media.ReportsConfig{
		Sender: f.sender, Receiver: f.receiver, CNAME: "x", Write: f.rtcp.write, Secure: secure,
	})
	must(t, err)
	if !secure {
		must(t, f.receiver.ReleaseClear())
		must(t, f.reports.ReleaseClear())
	}
	return f
}

// take hands over a datagram as an engine does, plays a frame and reports.
func (f *fuzzed) take(t *testing.T, i int, datagram []byte, playing bool) {
	t.Helper()
	b := bytes.Clone(datagram)
	switch media.Classify(b) {
	case media.KindRTP:
		f.receiver.HandleRTP(at(i), b)
	case media.KindRTCP:
		f.reports.HandleRTCP(at(i), b)
	}
	before := f.tape.frames()
	play(t, f.receiver, at(i))
	must(t, f.reports.Report(at(i)))
	if heard := f.tape.frames() - before; playing != (heard == 1) {
		t.Fatalf("%d frames were heard", heard)
	}
	if sent := f.rtcp.take(); playing != (len(sent) == 1) {
		t.Fatalf("%d reports were sent", len(sent))
	}
}

// seal protects a datagram as a hostile peer who has the keys could.
func seal(t *testing.T, datagram []byte) []byte {
	t.Helper()
	s := sealer(t, 1)
	b := append(bytes.Clone(datagram), make([]byte, profile.RTCPOverhead())...)
	var n int
	var err error
	if media.Classify(b) == media.KindRTCP {
		n, err = s.SealRTCP(b, len(datagram))
	} else {
		n, err = s.Seal(b, len(datagram))
	}
	if err != nil {
		return nil
	}
	return b[:n]
}

// split reads a sequence of datagrams, each after its length in two bytes.
func split(data []byte) (datagrams [][]byte) {
	for len(data) >= 2 && len(datagrams) < 40 {
		n := min(int(binary.BigEndian.Uint16(data)), len(data)-2)
		datagrams = append(datagrams, data[2:2+n])
		data = data[2+n:]
	}
	return datagrams
}

// FuzzDatagrams throws datagrams at a phone in the clear, at one that waits
// for its keys, and at one that has them, there as they are and authenticated.
// Nothing panics, every tick plays one frame and sends one report or, while
// there are no keys, none; and without them nothing is played or believed.
func FuzzDatagrams(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		open, waiting, keyed, insider := newFuzzed(t, false), newFuzzed(t, true), newFuzzed(t, true), newFuzzed(t, true)
		keyed.release(t, 3, 1)
		insider.release(t, 3, 1)
		for i, d := range split(data) {
			open.take(t, i, d, true)
			waiting.take(t, i, d, false)
			keyed.take(t, i, d, true)
			insider.take(t, i, seal(t, d), true)
		}
		if !keyed.tape.silent(0) || keyed.receiver.Authenticated() || keyed.reports.Stats().ReportsReceived != 0 {
			t.Fatal("something not authenticated counted")
		}
		if got := waiting.reports.Stats(); got.PacketsReceived+got.ReportsReceived+got.Streams != 0 {
			t.Fatalf("something counted without keys: %+v", got)
		}
	})
}

// FuzzReport reads any bytes as one RTCP datagram; what is sent after is a
// whole compound packet.
func FuzzReport(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		p := newFuzzed(t, false)
		p.reports.HandleRTCP(at(0), bytes.Clone(data))
		got := p.reports.Stats()
		if d := got.ReportsDiscarded; got.ReportsReceived+d.Malformed != 1 || got.RTT < 0 {
			t.Fatalf("%+v", got.ReportStats)
		}
		must(t, p.reports.Report(at(1)))
		sent, err := rtcp.Unmarshal(p.rtcp.take()[0])
		must(t, err)
		must(t, rtcp.CompoundPacket(sent).Validate())
	})
}

// The fuzz targets are worth little without the packets they start from.
func TestSeedsArePresent(t *testing.T) {
	for name, want := range map[string]int{"FuzzDatagrams": 11, "FuzzReport": 15} {
		entries, err := os.ReadDir("testdata/fuzz/" + name)
		if err != nil || len(entries) < want {
			t.Errorf("%s: %d seeds, %v; want %d", name, len(entries), err, want)
		}
	}
}
