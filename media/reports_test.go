package media_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"sotto/media"
	"sotto/media/audio"
	"sotto/media/protect"
	"sotto/media/route"
)

// phone is one end of a call.
type phone struct {
	sender   *media.Sender
	receiver *media.Receiver
	reports  *media.Reports
	rtp      wire
	rtcp     wire
}

// newPhone makes a phone that waits for keys or, without secure mode, works in
// the clear.
func newPhone(t testing.TB, secure bool, ssrc uint32) *phone {
	t.Helper()
	p := &phone{}
	sc := senderConfig(t, tone(), &p.rtp)
	sc.Secure, sc.SSRC = secure, ssrc
	p.sender = newSender(t, sc)
	rc := receiverConfig(t, audio.Discard{})
	rc.Secure = secure
	p.receiver = newReceiver(t, rc)
	var err error
	p.reports, err = media.NewReports(media.ReportsConfig{
		Sender: p.sender, Receiver: p.receiver, CNAME: "d41d8cd98f00", Write: p.rtcp.write, Secure: secure,
	})
	must(t, err)
	if !secure {
		must(t, p.sender.ReleaseClear())
		must(t, p.receiver.ReleaseClear())
		must(t, p.reports.ReleaseClear())
	}
	return p
}

// release gives a phone the keys of seeds out and in.
func (p *phone) release(t testing.TB, out, in byte) {
	t.Helper()
	must(t, p.sender.Release(verified(t), sealer(t, out)))
	must(t, p.receiver.Release(verified(t), opener(t, in)))
	must(t, p.reports.Release(verified(t), sealer(t, out), opener(t, in)))
}

// read is the packets of a compound.
func read(t testing.TB, compound []byte) []rtcp.Packet {
	t.Helper()
	p, err := rtcp.Unmarshal(compound)
	must(t, err)
	must(t, rtcp.CompoundPacket(p).Validate())
	return p
}

// In secure mode no report leaves and none is read before Release.
func TestSecureReportsAreStillUntilReleased(t *testing.T) {
	p := newPhone(t, true, ourSSRC)
	clear, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: peerSSRC}})
	must(t, err)
	still := func(when string) {
		t.Helper()
		before := p.reports.Stats().ReportsDiscarded.Clear
		must(t, p.reports.Report(epoch))
		must(t, p.reports.Bye(epoch))
		p.reports.HandleRTCP(epoch, bytes.Clone(clear))
		got := p.reports.Stats()
		if len(p.rtcp.packets) != 0 || got.ReportsReceived != 0 || got.ReportsDiscarded.Clear != before+1 {
			t.Fatalf("%s: %d reports sent, %+v", when, len(p.rtcp.packets), got.ReportStats)
		}
	}
	still("at first")
	if err := p.reports.Release(route.Verified{}, sealer(t, 1), opener(t, 1)); !errors.Is(err, media.ErrRoute) {
		t.Fatal(err)
	}
	for _, k := range []struct {
		s *protect.Sealer
		o *protect.Opener
	}{{nil, opener(t, 1)}, {sealer(t, 1), nil}} {
		if err := p.reports.Release(verified(t), k.s, k.o); !errors.Is(err, media.ErrKeys) {
			t.Fatal(err)
		}
	}
	if err := p.reports.ReleaseClear(); !errors.Is(err, media.ErrNoClear) {
		t.Fatal(err)
	}
	still("after refused releases")
	must(t, p.reports.Release(verified(t), sealer(t, 1), opener(t, 1)))
	p.reports.HandleRTCP(epoch, bytes.Clone(clear))
	if got := p.reports.Stats(); got.ReportsReceived != 0 || got.ReportsDiscarded.Malformed+got.ReportsDiscarded.Auth != 1 {
		t.Errorf("a clear report was read: %+v", got.ReportStats)
	}
	must(t, p.reports.Report(epoch))
	if len(p.rtcp.take()) != 1 {
		t.Error("nothing sent after Release")
	}
	p.reports.Revoke()
	still("after Revoke")
}

// Without secure mode reports are clear from ReleaseClear until the first
// Release, and never again.
func TestOpenReportsNeverFallBack(t *testing.T) {
	p := newPhone(t, false, ourSSRC)
	reports, err := media.NewReports(media.ReportsConfig{Sender: p.sender, Receiver: p.receiver, CNAME: "x", Write: p.rtcp.write})
	must(t, err)
	clear, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: peerSSRC}})
	must(t, err)
	step := func(when string, sent int, received uint64) {
		t.Helper()
		before := reports.Stats().ReportsReceived
		must(t, reports.Report(epoch))
		reports.HandleRTCP(epoch, bytes.Clone(clear))
		if n, got := len(p.rtcp.take()), reports.Stats().ReportsReceived-before; n != sent || got != received {
			t.Fatalf("%s: %d reports sent, %d received", when, n, got)
		}
	}
	step("at first", 0, 0)
	must(t, reports.ReleaseClear())
	step("in the clear", 1, 1)
	must(t, reports.Release(route.Verified{}, sealer(t, 1), opener(t, 1)))
	step("under keys", 1, 0)
	if err := reports.ReleaseClear(); !errors.Is(err, media.ErrNoClear) {
		t.Errorf("clear again after the keys came: %v", err)
	}
	step("under keys still", 1, 0)
	reports.Revoke()
	step("after Revoke", 0, 0)
}

// Two phones report to each other what they sent, lost and measured.
func TestReports(t *testing.T) {
	const there, back = 30 * time.Millisecond, 50 * time.Millisecond
	a, b := newPhone(t, true, ourSSRC), newPhone(t, true, peerSSRC)
	a.release(t, 1, 3)
	b.release(t, 3, 1)
	for i := range 100 {
		must(t, a.sender.Tick())
		if i%10 != 5 { // 10 lost
			b.receiver.HandleRTP(at(i).Add(time.Duration(i%2)*8*time.Millisecond), a.rtp.take()[0])
		}
		a.rtp.take()
	}
	now := at(100)
	must(t, a.reports.Report(now))
	must(t, b.reports.Report(now))
	fromA, fromB := a.rtcp.take()[0], b.rtcp.take()[0]
	if media.Classify(fromA) != media.KindRTCP || media.Classify(fromB) != media.KindRTCP {
		t.Error("reports are not told from RTP")
	}
	replay := bytes.Clone(fromA)
	b.reports.HandleRTCP(now.Add(there), fromA)
	b.reports.HandleRTCP(now.Add(there), replay)
	a.reports.HandleRTCP(now.Add(back), fromB) // no sender report repeated yet: no round trip
	if got := a.reports.Stats(); got.PeerReports != 1 || got.PeerFractionLost != 25.0/256 {
		t.Errorf("the peer lost %v of our packets, in %d reports", got.PeerFractionLost, got.PeerReports)
	}

	later := now.Add(4 * time.Second)
	must(t, b.reports.Report(later))
	a.reports.HandleRTCP(later.Add(back), b.rtcp.take()[0])
	got := a.reports.Stats()
	if diff := got.RTT - (there + back); diff < -time.Millisecond || diff > time.Millisecond {
		t.Errorf("round trip %v, want %v", got.RTT, there+back)
	}
	if got.PeerReports != 2 || got.PeerLost != 10 || got.PeerJitter < time.Millisecond || got.PeerJitter > 8*time.Millisecond {
		t.Errorf("the peer lost %d, jitter %v", got.PeerLost, got.PeerJitter)
	}
	if got.ReportsSent != 1 || got.ReportsReceived != 2 || got.PacketsSent != 100 || got.BytesSent != 8000 {
		t.Errorf("%+v", got)
	}
	if got := b.reports.Stats(); got.ReportsReceived != 1 || got.ReportsDiscarded != (media.Discarded{Replay: 1}) || got.RTT != 0 || got.PeerLeft {
		t.Errorf("%+v", got)
	}
	must(t, a.reports.Bye(later))
	b.reports.HandleRTCP(later, a.rtcp.take()[0])
	if !b.reports.Stats().PeerLeft {
		t.Error("the BYE was not heard")
	}
}

// What stands in a report, read by another reader.
func TestReportContents(t *testing.T) {
	p := newPhone(t, false, ourSSRC)
	must(t, p.reports.Report(epoch))
	first := read(t, p.rtcp.take()[0])
	if rr, ok := first[0].(*rtcp.ReceiverReport); !ok || rr.SSRC != ourSSRC || len(rr.Reports) != 0 {
		t.Errorf("before anything was sent: %v", first[0])
	}
	for range 3 {
		must(t, p.sender.Tick())
	}
	f := newFar(t, nil)
	f.seq = 65530
	for i := range 20 {
		if pkt := f.next(); i != 10 {
			p.receiver.HandleRTP(at(i), pkt)
		}
	}
	now := epoch.Add(1500 * time.Millisecond)
	sr, err := rtcp.Marshal([]rtcp.Packet{&rtcp.SenderReport{SSRC: peerSSRC, NTPTime: 0x1122334455667788}})
	must(t, err)
	p.reports.HandleRTCP(epoch, sr)
	must(t, p.reports.Report(now))
	packets := read(t, p.rtcp.take()[0])
	got, ok := packets[0].(*rtcp.SenderReport)
	if !ok || len(packets) != 3 || len(got.Reports) != 1 {
		t.Fatalf("%v", packets)
	}
	if want := uint64(epoch.Unix()+2208988801)<<32 | 1<<31; got.NTPTime != want {
		t.Errorf("NTP time %x, want %x", got.NTPTime, want)
	}
	if got.SSRC != ourSSRC || got.PacketCount != 3 || got.OctetCount != 240 || got.RTPTime != 5000+3*960 {
		t.Errorf("%+v", got)
	}
	want := rtcp.ReceptionReport{
		SSRC: peerSSRC, FractionLost: 256 / 20, TotalLost: 1, LastSequenceNumber: 1<<16 + 13,
		LastSenderReport: 0x33445566, Delay: 65536 * 3 / 2,
	}
	if got.Reports[0] != want {
		t.Errorf("%+v, want %+v", got.Reports[0], want)
	}
	if c := packets[1].(*rtcp.SourceDescription).Chunks; len(c) != 1 || c[0].Source != ourSSRC || c[0].Items[0].Text != "d41d8cd98f00" {
		t.Errorf("%+v", packets[1])
	}
	// A sender report of another source is not repeated as that of this one.
	sr, err = rtcp.Marshal([]rtcp.Packet{&rtcp.SenderReport{SSRC: peerSSRC + 1, NTPTime: 1 << 40}})
	must(t, err)
	p.reports.HandleRTCP(now, sr)
	must(t, p.reports.Report(now))
	if block := read(t, p.rtcp.take()[0])[0].(*rtcp.ReceiverReport).Reports[0]; block.LastSenderReport != 0 || block.Delay != 0 {
		t.Errorf("%+v", block)
	}
	must(t, p.reports.Bye(now))
	last := read(t, p.rtcp.take()[0])
	if _, ok := last[0].(*rtcp.ReceiverReport); !ok || len(last) != 4 {
		t.Fatalf("nothing was sent since: %v", last)
	}
	if bye := last[3].(*rtcp.Goodbye); len(bye.Sources) != 1 || bye.Sources[0] != ourSSRC {
		t.Errorf("%v", bye)
	}
}

// Only a report of the whole and right form counts.
func TestMalformedReports(t *testing.T) {
	p := newPhone(t, false, ourSSRC)
	f := newFar(t, nil)
	p.receiver.HandleRTP(at(0), f.next())
	whole, err := rtcp.Marshal([]rtcp.Packet{
		&rtcp.ReceiverReport{SSRC: peerSSRC, Reports: []rtcp.ReceptionReport{{SSRC: ourSSRC, TotalLost: 7}}},
		&rtcp.Goodbye{Sources: []uint32{peerSSRC}},
	})
	must(t, err)
	bad := 0
	for n := range whole {
		if n == 32 { // the first packet alone
			continue
		}
		p.reports.HandleRTCP(epoch, bytes.Clone(whole[:n]))
		bad++
	}
	counted := bytes.Clone(whole)
	counted[0]++ // one more block than there is
	wrongVersion := bytes.Clone(whole)
	wrongVersion[32] = 0x40
	tooLong := bytes.Clone(whole)
	binary.BigEndian.PutUint16(tooLong[34:], 0xffff)
	for _, b := range [][]byte{counted, wrongVersion, tooLong} {
		p.reports.HandleRTCP(epoch, b)
		bad++
	}
	if got := p.reports.Stats(); got.PeerLost != 0 || got.PeerLeft || got.ReportsReceived != 0 || got.ReportsDiscarded.Malformed != uint64(bad) {
		t.Fatalf("%+v", got.ReportStats)
	}
	p.reports.HandleRTCP(epoch, whole)
	if got := p.reports.Stats(); got.PeerLost != 7 || !got.PeerLeft || got.ReportsReceived != 1 {
		t.Errorf("%+v", got.ReportStats)
	}
}

// Reports about others, negative losses and the BYE of another source change
// nothing; kinds that we do not read are passed over.
func TestReportsOfNoConcern(t *testing.T) {
	p := newPhone(t, false, ourSSRC)
	f := newFar(t, nil)
	p.receiver.HandleRTP(at(0), f.next())
	for _, packets := range [][]rtcp.Packet{
		{&rtcp.ReceiverReport{SSRC: peerSSRC, Reports: []rtcp.ReceptionReport{{SSRC: ourSSRC + 1, TotalLost: 9}}}},
		{&rtcp.ReceiverReport{SSRC: peerSSRC, Reports: []rtcp.ReceptionReport{{SSRC: ourSSRC, TotalLost: 1<<24 - 1}}}},
		{&rtcp.Goodbye{Sources: []uint32{peerSSRC + 1}}},
		{&rtcp.PictureLossIndication{SenderSSRC: peerSSRC, MediaSSRC: ourSSRC}},
	} {
		b, err := rtcp.Marshal(packets)
		must(t, err)
		p.reports.HandleRTCP(epoch, b)
	}
	if got := p.reports.Stats(); got.PeerLost != 0 || got.PeerLeft || got.RTT != 0 || got.ReportsReceived != 4 {
		t.Errorf("%+v", got.ReportStats)
	}
}

// However many blocks about us a datagram has, in one packet or in several, it says
// one thing of a kind: the first.
func TestOneBlockOfAKindCounts(t *testing.T) {
	p := newPhone(t, false, ourSSRC)
	block := func(lost uint8, sent uint32) rtcp.ReceptionReport {
		return rtcp.ReceptionReport{SSRC: ourSSRC, FractionLost: lost, TotalLost: uint32(lost), LastSenderReport: sent}
	}
	now := uint32(uint64(epoch.Unix()+2208988800) << 32 >> 16)
	const second = 65536
	many := []rtcp.ReceptionReport{{SSRC: ourSSRC + 1, FractionLost: 9}, block(0, now-second)}
	for range 20 {
		many = append(many, block(255, now-9*second))
	}
	datagram, err := rtcp.Marshal([]rtcp.Packet{
		&rtcp.ReceiverReport{SSRC: peerSSRC, Reports: many},
		&rtcp.SenderReport{SSRC: peerSSRC, Reports: many[2:]},
		&rtcp.ReceiverReport{SSRC: peerSSRC + 1, Reports: many[2:]},
	})
	must(t, err)
	worse := slices.Clone(voipWords)
	worse[6] = 10<<24 | 127<<16 | 11<<8 | 11
	datagram = append(datagram, xr(slices.Concat(voipWords, worse)...)...)
	datagram = append(datagram, xr(worse...)...)
	p.reports.HandleRTCP(epoch, datagram)
	got := p.reports.Stats()
	if got.PeerReports != 1 || got.PeerLost != 0 || got.PeerFractionLost != 0 || got.RTT != time.Second || got.PeerVoIP.R != 91 {
		t.Errorf("%+v", got.ReportStats)
	}
	before := got.ExpectedLoss
	for range 2 { // a third one in a row would bring it down
		many[1].FractionLost = 0
		datagram, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: peerSSRC, Reports: []rtcp.ReceptionReport{block(0, 0), block(0, 0), block(0, 0)}}})
		must(t, err)
		if got := p.reports.Stats().ExpectedLoss; got != before {
			t.Errorf("%d %% of loss expected, %d before", got, before)
		}
		p.reports.HandleRTCP(epoch, datagram)
	}
	// The same of round trips that extended reports tell.
	p.reports.HandleRTCP(epoch, xr(5<<24|6, ourSSRC, now-2*second, 0, ourSSRC, now-7*second, 0))
	if got := p.reports.Stats(); got.RTT != 2*time.Second || got.AbsurdTimes != 0 {
		t.Errorf("%+v", got.ReportStats)
	}
}

func TestReportsWriteError(t *testing.T) {
	p := newPhone(t, false, ourSSRC)
	p.rtcp.err = errors.New("unreachable")
	if err := p.reports.Report(epoch); !errors.Is(err, p.rtcp.err) {
		t.Error(err)
	}
	if got := p.reports.Stats(); got.ReportsSent != 0 {
		t.Errorf("%+v", got.ReportStats)
	}
}

func TestReportsConfig(t *testing.T) {
	p := newPhone(t, false, ourSSRC)
	for name, change := range map[string]func(*media.ReportsConfig){
		"no sender":      func(c *media.ReportsConfig) { c.Sender = nil },
		"no receiver":    func(c *media.ReportsConfig) { c.Receiver = nil },
		"no way to send": func(c *media.ReportsConfig) { c.Write = nil },
		"no CNAME":       func(c *media.ReportsConfig) { c.CNAME = "" },
		"long CNAME":     func(c *media.ReportsConfig) { c.CNAME = string(make([]byte, 256)) },
	} {
		c := media.ReportsConfig{Sender: p.sender, Receiver: p.receiver, CNAME: "x", Write: p.rtcp.write}
		change(&c)
		if r, err := media.NewReports(c); r != nil || err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
