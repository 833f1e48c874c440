package media

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"sotto/codecs"
	"sotto/media/audio"
	"sotto/media/protect"
	"sotto/media/route"
)

var someTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// end is one end of a call whose keys were in use before.
type end struct {
	sender   *Sender
	receiver *Receiver
	reports  *Reports
	sent     []byte // last
}

// newEnd makes an end whose keys have protected packets up to these.
func newEnd(t *testing.T, packet uint64, report uint32) *end {
	t.Helper()
	const p, ssrc = protect.AEADAES128GCM, 7
	key, salt := make([]byte, p.KeyLen()), make([]byte, p.SaltLen())
	sealer := func() *protect.Sealer {
		s, err := protect.NewSealer(p, key, salt)
		must(t, err)
		must(t, s.Resume(packet, report))
		return s
	}
	opener := func() *protect.Opener {
		o, err := protect.NewOpener(p, key, salt)
		must(t, err)
		must(t, o.SetROC(ssrc, uint32(packet>>16)))
		return o
	}
	codec, ok := codecs.Lookup("PCMU")
	if !ok {
		t.Fatal("no PCMU")
	}
	e := &end{}
	write := func(b []byte) error { e.sent = bytes.Clone(b); return nil }
	var err error
	e.sender, err = NewSender(SenderConfig{Source: audio.Silence{}, Codec: codec, SSRC: ssrc, Write: write})
	must(t, err)
	e.receiver, err = NewReceiver(ReceiverConfig{Sink: audio.Discard{}, Payloads: map[uint8]codecs.Codec{0: codec}})
	must(t, err)
	e.reports, err = NewReports(ReportsConfig{Sender: e.sender, Receiver: e.receiver, CNAME: "x", Write: write})
	must(t, err)
	must(t, e.sender.Release(route.Verified{}, sealer()))
	must(t, e.receiver.Release(route.Verified{}, opener()))
	must(t, e.reports.Release(route.Verified{}, sealer(), opener()))
	e.sender.sequence = uint16(packet) + 1
	return e
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Each of the four keys of a call is watched, and new ones are as good as new.
func TestKeysWearThin(t *testing.T) {
	for name, c := range map[string]struct {
		packet  uint64
		report  uint32
		looks   int // at what is left: one in so many uses
		send    func(*end) error
		receive func(e *end, pkt []byte)
	}{
		"packets": {1<<48 - 2 - thinPackets, 0, wearEvery, func(e *end) error { return e.sender.Tick() },
			func(e *end, pkt []byte) { e.receiver.HandleRTP(someTime, pkt) }},
		"reports": {0, 1<<31 - 2 - thinReports, 1, func(e *end) error { return e.reports.Report(someTime) },
			func(e *end, pkt []byte) { e.reports.HandleRTCP(someTime, pkt) }},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := newEnd(t, c.packet, c.report), newEnd(t, c.packet, c.report)
			for _, thin := range []bool{false, true} {
				for i := 1; thin && i < c.looks; i++ {
					must(t, c.send(ours))
					c.receive(theirs, ours.sent)
				}
				must(t, c.send(ours))
				if got := ours.reports.KeysWearThin(); got != thin {
					t.Errorf("sent: thin is %t", got)
				}
				if theirs.reports.KeysWearThin() {
					t.Error("thin before it arrives")
				}
				c.receive(theirs, ours.sent)
				if got := theirs.reports.KeysWearThin(); got != thin {
					t.Errorf("received: thin is %t, %+v", got, theirs.reports.Stats())
				}
			}
			*ours = *newEnd(t, 0, 0)
			must(t, c.send(ours))
			if ours.reports.KeysWearThin() {
				t.Error("new keys wear thin")
			}
		})
	}
}

// The last packet that a key may protect is sent, and nothing after it.
func TestSenderUsesItsKeyUp(t *testing.T) {
	e := newEnd(t, 1<<48-2, 0)
	must(t, e.sender.Tick())
	if e.sent == nil {
		t.Fatal("the last packet was not sent")
	}
	e.sent = nil
	if err := e.sender.Tick(); !errors.Is(err, protect.ErrKeyLimit) || e.sent != nil {
		t.Errorf("%d bytes sent, %v", len(e.sent), err)
	}
}
