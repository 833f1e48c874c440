package media_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"sotto/media"
	"sotto/media/audio"
)

// extended is the XR packet of the next report that p sends.
func (p *phone) extended(t *testing.T, now time.Time) *rtcp.ExtendedReport {
	t.Helper()
	must(t, p.reports.Report(now))
	x, ok := read(t, p.rtcp.take()[0])[2].(*rtcp.ExtendedReport)
	if !ok || x.SenderSSRC != ourSSRC {
		t.Fatalf("no XR: %v", x)
	}
	return x
}

// voipOf is the VoIP metrics block of an XR packet.
func voipOf(t *testing.T, x *rtcp.ExtendedReport) rtcp.VoIPMetricsReportBlock {
	t.Helper()
	for _, block := range x.Reports {
		if v, ok := block.(*rtcp.VoIPMetricsReportBlock); ok {
			return *v
		}
	}
	t.Fatalf("no VoIP metrics: %+v", x)
	return rtcp.VoIPMetricsReportBlock{}
}

// What was lost is in the VoIP metrics as another reader finds them, in Stats,
// and in the quality.
func TestVoIPMetrics(t *testing.T) {
	p := newPhone(t, false, ourSSRC)
	f := newFar(t, nil)
	f.coder, f.pt, f.samples = newCoder(t, "PCMU", 440), 0, 160
	f.step = 160
	lost := map[int]bool{40: true, 100: true, 102: true, 103: true} // one alone, and a burst of 4 packets
	for i := range 200 {
		pkt := f.next()
		if !lost[i] {
			p.receiver.HandleRTP(at(i), pkt)
		}
		play(t, p.receiver, at(i))
	}
	v := voipOf(t, p.extended(t, at(200)))
	stats := p.reports.Stats()
	played := uint64(v.GapDuration)/20 + 4
	if played < 190 || played > 200 {
		t.Fatalf("%d packets were rated", played)
	}
	if v.SSRC != peerSSRC || v.LossRate != uint8(4*256/played) || v.DiscardRate != 0 || v.BurstDensity != 192 || v.GapDensity != uint8(256/(played-4)) ||
		v.BurstDuration != 80 || v.RoundTripDelay != 0 || v.Gmin != 16 || v.RXConfig != 0xf0 {
		t.Errorf("%+v", v)
	}
	if v.SignalLevel != 127 || v.NoiseLevel != 127 || v.RERL != 127 || v.ExtRFactor != 127 {
		t.Errorf("tells of the voice: %+v", v)
	}
	if v.EndSystemDelay != uint16((20*time.Millisecond+stats.Delay).Milliseconds()) || v.JBNominal != uint16(stats.Target.Milliseconds()) || v.JBMaximum < 640 || v.JBAbsMax != v.JBMaximum {
		t.Errorf("delays: %+v, %+v", v, stats.ReceiverStats)
	}
	got := stats.VoIP
	if got.BurstDuration != 80*time.Millisecond || got.BurstDensity != 0.75 || got.LossRate != 4/float64(played) {
		t.Errorf("%+v", got)
	}
	// 2 % lost with Bpl 25.1 and the delay impair 93.2 by 8.4.
	if got.R < 84.5 || got.R > 85.1 || float64(v.RFactor) != float64(int(got.R+0.5)) || got.MOSLQ < 4.2 || got.MOSCQ > got.MOSLQ || v.MOSLQ < 42 || v.MOSCQ > v.MOSLQ {
		t.Errorf("%+v, sent as %+v", got.Quality, v)
	}
	if stats.Quality != got.Quality {
		t.Errorf("lately %+v, in all %+v", stats.Quality, got.Quality)
	}
	// What comes after is rated apart from what was before.
	for i := range 200 {
		p.receiver.HandleRTP(at(200+i), f.next())
		play(t, p.receiver, at(200+i))
		if i == 30 {
			must(t, p.reports.Report(at(230)))
			if now := p.reports.Stats(); now.Quality != stats.Quality {
				t.Error("quality of a few packets")
			}
		}
	}
	must(t, p.reports.Report(at(400)))
	if now := p.reports.Stats(); now.Quality.R < 91.5 || now.VoIP.R > 90 || now.VoIP.R < stats.VoIP.R {
		t.Errorf("lately %+v, in all %+v", now.Quality, now.VoIP)
	}
}

// A report in a pause rates the codec of the voice before it: comfort noise is none.
func TestQualityInAPause(t *testing.T) {
	p := newFuzzed(t, false)
	f := newFar(t, nil)
	f.coder, f.pt, f.samples, f.step = newCoder(t, "PCMU", 440), 0, 160, 160
	run(t, p.receiver, f, 0, 200)
	p.receiver.HandleRTP(at(200), f.packet(noiseType, []byte{42}))
	play(t, p.receiver, at(200))
	v := voipOf(t, p.extended(t, at(201)))
	if got := p.reports.Stats(); v.RFactor < 90 || v.RFactor > 94 || got.Quality.R < 90 || got.VoIP.R < 90 {
		t.Errorf("R factor %d; lately %+v, in all %+v", v.RFactor, got.Quality, got.VoIP)
	}
}

// A phone that only listens learns the round trip by its reference time, and
// answers the other's.
func TestRoundTripOfAListener(t *testing.T) {
	const there, back = 30 * time.Millisecond, 50 * time.Millisecond
	a, b := newPhone(t, true, ourSSRC), newPhone(t, true, peerSSRC)
	a.release(t, 1, 3)
	b.release(t, 3, 1)
	now := at(0)
	must(t, a.reports.Report(now))
	b.reports.HandleRTCP(now.Add(there), a.rtcp.take()[0])
	later := now.Add(5 * time.Second)
	must(t, b.sender.Tick()) // so b's is a sender report without a reference time
	must(t, b.reports.Report(later))
	a.reports.HandleRTCP(later.Add(back), b.rtcp.take()[0])
	got := a.reports.Stats()
	if diff := got.RTT - (there + back); diff < -time.Millisecond || diff > time.Millisecond || got.AbsurdTimes != 0 {
		t.Errorf("round trip %v, want %v", got.RTT, there+back)
	}
}

// xr is an XR packet of the peer with these words after its SSRC.
func xr(words ...uint32) []byte {
	b := []byte{0x80, 207, 0, byte(len(words) + 1)}
	for _, w := range append([]uint32{peerSSRC}, words...) {
		b = binary.BigEndian.AppendUint32(b, w)
	}
	return b
}

// voipWords is a VoIP metrics block about us with R 91, MOS-LQ 4.4 and MOS-CQ
// 4.3.
var voipWords = []uint32{
	7<<24 | 8, ourSSRC, 0x40_20_80_10, 100<<16 | 900, 55<<16 | 66, 0x7f7f7f10, 91<<24 | 127<<16 | 44<<8 | 43, 0xf0<<24 | 60, 80<<16 | 100,
}

func TestPeerVoIP(t *testing.T) {
	p := newPhone(t, false, ourSSRC)
	p.reports.HandleRTCP(epoch, xr(append([]uint32{0xfe<<24 | 1, 9}, voipWords...)...)) // after a block that nobody knows
	want := media.VoIPMetrics{
		LossRate: 0.25, DiscardRate: 0.125, BurstDensity: 0.5, GapDensity: 0.0625,
		BurstDuration: 100 * time.Millisecond, GapDuration: 900 * time.Millisecond,
		RoundTrip: 55 * time.Millisecond, EndSystem: 66 * time.Millisecond,
		Quality: media.Quality{R: 91, MOSLQ: 4.4, MOSCQ: 4.3},
	}
	got := p.reports.Stats()
	if got.PeerVoIP != want || got.ReportsReceived != 1 {
		t.Errorf("%+v", got.ReportStats)
	}
	// Of another stream: of no concern.
	other := xr(voipWords...)
	binary.BigEndian.PutUint32(other[12:], ourSSRC+1)
	other[16] = 0
	p.reports.HandleRTCP(epoch, other)
	// Ratings that cannot be are ignored.
	unknown := xr(voipWords...)
	unknown[32], unknown[34], unknown[35] = 101, 9, 51
	if got := p.reports.Stats().PeerVoIP; got != want {
		t.Errorf("%+v", got)
	}
	p.reports.HandleRTCP(epoch, unknown)
	if got := p.reports.Stats().PeerVoIP; got.Known() || got.R != 0 || got.LossRate != 0.25 {
		t.Errorf("%+v", got)
	}
}

// A block that does not have the length of its type, or does not end with the
// packet, makes the whole compound worth nothing.
func TestFalseLengths(t *testing.T) {
	loss, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: peerSSRC, Reports: []rtcp.ReceptionReport{{SSRC: ourSSRC, TotalLost: 7}}}})
	must(t, err)
	longer := func(words []uint32, by int) []uint32 { // says that it is
		changed := slices.Clone(words)
		changed[0] += uint32(by)
		return changed
	}
	for name, packet := range map[string][]byte{
		"XR without SSRC":             {0x80, 207, 0, 0},
		"VoIP block too long":         xr(longer(voipWords, 1)...),
		"VoIP block longer by a word": xr(append(longer(voipWords, 1), 0)...),
		"VoIP block too short":        xr(longer(voipWords[:8], -1)...),
		"VoIP block of nothing":       xr(7 << 24),
		"VoIP block of 65535 words":   xr(7<<24|0xffff, ourSSRC),
		"reference time of one word":  xr(4<<24|1, 1),
		"reference time of three":     xr(4<<24|3, 1, 2, 3),
		"DLRR without sub-blocks":     xr(5 << 24),
		"DLRR with half a sub-block":  xr(5<<24|4, ourSSRC, 1, 2, 3),
		"run lengths of one word":     xr(1<<24|1, 1),
		"receipt times of one word":   xr(3<<24|1, 1),
		"summary of eight words":      xr(6<<24|8, 1, 2, 3, 4, 5, 6, 7, 8),
		"unknown block beyond packet": xr(0xfe<<24|3, 1, 2),
		"SDES without an end":         {0x81, 202, 0, 2, 1, 2, 3, 4, 1, 2, 'a', 'b'},
		"SDES item beyond packet":     {0x81, 202, 0, 2, 1, 2, 3, 4, 1, 9, 'a', 0},
		"SDES with too few chunks":    {0x82, 202, 0, 2, 1, 2, 3, 4, 1, 1, 'a', 0},
		"SDES of 31 chunks":           {0x9f, 202, 0, 1, 1, 2, 3, 4},
		"BYE of 31 sources":           {0x9f, 203, 0, 1, 1, 2, 3, 4},
		"BYE with a long reason":      {0x81, 203, 0, 2, 1, 2, 3, 4, 200, 'a', 'b', 'c'},
		"SR with 31 blocks":           append([]byte{0x9f, 200, 0, 6}, make([]byte, 24)...),
		"SR too short":                append([]byte{0x80, 200, 0, 5}, make([]byte, 20)...),
		"padding of nothing":          {0xa0, 201, 0, 1, 0, 0, 0, 0},
		"padding of three bytes":      {0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3},
		"padding beyond the packet":   {0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 12},
		"padding before the end":      append([]byte{0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4}, xr()...),
	} {
		p := newPhone(t, false, ourSSRC)
		for _, compound := range [][]byte{packet, append(bytes.Clone(loss), packet...)} {
			p.reports.HandleRTCP(epoch, bytes.Clone(compound))
		}
		if got := p.reports.Stats(); got.ReportsDiscarded.Malformed != 2 || got.ReportsReceived != 0 || got.PeerLost != 0 || got.PeerVoIP.Known() {
			t.Errorf("%s: %+v", name, got.ReportStats)
		}
	}
}

// The forms that are right: alone (RFC 5506), padded, empty.
func TestReducedSizeAndPadding(t *testing.T) {
	p := newPhone(t, false, ourSSRC)
	for i, packet := range [][]byte{
		xr(),
		xr(voipWords...),
		{0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4},
		{0x80, 202, 0, 0},
		{0x81, 205, 0, 2, 1, 1, 1, 1, 2, 2, 2, 2}, // feedback that we have no use for
	} {
		p.reports.HandleRTCP(epoch, packet)
		if got := p.reports.Stats(); got.ReportsReceived != uint64(i+1) || got.ReportsDiscarded != (media.Discarded{}) {
			t.Fatalf("packet %d: %+v", i, got.ReportStats)
		}
	}
}

// A round trip that cannot have been changes nothing and is counted.
func TestAbsurdTimes(t *testing.T) {
	p := newPhone(t, false, ourSSRC)
	now := uint32(uint64(epoch.Unix()+2208988800) << 32 >> 16) // epoch has no fraction
	const second = 65536
	for i, test := range []struct {
		sent, held uint32
		want       time.Duration
		absurd     uint64
	}{
		{now - 3*second, 2 * second, time.Second, 0},
		{now - 3*second, 3*second + second/200, 0, 0}, // the peer's rounding
		{now - 3*second, 2 * second, time.Second, 0},
		{now - 3*second, 4 * second, time.Second, 1}, // held for longer than it takes
		{now + 5*second, 0, time.Second, 2},          // not yet sent
		{now - 40*second, second, time.Second, 3},
		{now - 3*second, 1<<32 - 1, time.Second + 2*time.Second, 3},
		{1, 1 << 31, 3 * time.Second, 4},
	} {
		report, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: peerSSRC, Reports: []rtcp.ReceptionReport{{SSRC: ourSSRC, LastSenderReport: test.sent, Delay: test.held}}}})
		must(t, err)
		if i%2 == 1 {
			report = xr(5<<24|3, ourSSRC, test.sent, test.held)
		}
		p.reports.HandleRTCP(epoch, report)
		if got := p.reports.Stats(); (got.RTT-test.want).Abs() > time.Millisecond || got.AbsurdTimes != test.absurd || got.ReportsReceived != uint64(i+1) {
			t.Fatalf("%d: %v, %d absurd; %+v", i, got.RTT, got.AbsurdTimes, test)
		}
	}
	// A report that was on its way when ours was begun was held for no time.
	sr, err := rtcp.Marshal([]rtcp.Packet{&rtcp.SenderReport{SSRC: peerSSRC, NTPTime: 1 << 40}})
	must(t, err)
	p.receiver.HandleRTP(at(0), newFar(t, nil).next())
	p.reports.HandleRTCP(at(1), sr)
	must(t, p.reports.Report(at(0)))
	if b := read(t, p.rtcp.take()[0])[0].(*rtcp.ReceiverReport).Reports[0]; b.LastSenderReport == 0 || b.Delay != 0 {
		t.Errorf("%+v", b)
	}
}

// Whatever is said, heard or muted, reports have the same sizes.
func TestReportSizesTellNothing(t *testing.T) {
	var sizes [][]int
	for _, source := range []audio.Source{audio.NewTone(440, 0.9), audio.Silence{}, audio.NewTone(3000, 0.01)} {
		p := newPhone(t, true, ourSSRC)
		sc := senderConfig(t, &mic{Source: source}, &p.rtp)
		p.sender = newSender(t, sc)
		var err error
		p.reports, err = media.NewReports(media.ReportsConfig{
			Sender: p.sender, Receiver: p.receiver, CNAME: "d41d8cd98f00", Write: p.rtcp.write, Secure: true,
		})
		must(t, err)
		p.release(t, 3, 1)
		far := newFar(t, sealer(t, 1))
		var got []int
		for i := range 500 {
			p.sender.Mute(i/100%2 == 1)
			must(t, p.sender.Tick())
			p.receiver.HandleRTP(at(i), far.next())
			play(t, p.receiver, at(i))
			if i%50 == 49 {
				must(t, p.reports.Report(at(i)))
				got = append(got, len(p.rtcp.take()[0]))
			}
		}
		sizes = append(sizes, got)
	}
	for _, got := range sizes {
		for _, size := range got {
			if size != sizes[0][0] {
				t.Fatalf("sizes of reports: %v", sizes)
			}
		}
	}
}
