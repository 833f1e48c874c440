package media

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"

	"sotto/media/jitter"
	"sotto/media/protect"
	"sotto/media/route"
)

// ReportInterval is how often to send a report, on average: vary it at random
// between half and one and a half times (RFC 3550 §6.2).
const ReportInterval = 5 * time.Second

// ReportsConfig describes the RTCP of a call.
type ReportsConfig struct {
	Sender   *Sender
	Receiver *Receiver
	// CNAME names our end. It is random and new in each call, so that it
	// tells nothing about the user (RFC 3550 §6.5.1 asks only that it lasts).
	CNAME string
	// Write sends one datagram. It does not keep the slice.
	Write func([]byte) error
	// Secure demands verified routes and refuses clear reports, see the package.
	Secure bool
}

// Reports sends and reads RTCP for a Sender and a Receiver, on their port or
// on one of its own. Report and Bye are called by one goroutine, HandleRTCP by
// one at a time, all other methods by any.
type Reports struct {
	cfg     ReportsConfig
	sealing atomic.Pointer[sealing]
	opening atomic.Pointer[opening]

	// Owned by the goroutine that sends:
	out        [maxPacket]byte
	sentBefore uint64        // packets sent when the last report left
	rated      jitter.Losses // when Quality was rated last

	mu        sync.Mutex // guards what follows
	stats     ReportStats
	last      peerTime // of the peer's sender reports
	reference peerTime // of its reference times

	adaptation adaptation // of the Sender to the peer's losses
}

// peerTime is what we repeat of a time that the peer has sent, for it to
// measure the round trip.
type peerTime struct {
	ssrc uint32
	ntp  uint32 // middle half of the NTP timestamp; 0: there was none
	at   time.Time
}

// since is how long ago it came, in units of 1/65536 s.
func (p peerTime) since(now time.Time) uint32 {
	seconds := now.Sub(p.at).Seconds() // below 0 if it came while now was on its way
	return uint32(min(max(seconds*65536, 0), math.MaxUint32))
}

// NewReports makes a Reports.
func NewReports(c ReportsConfig) (*Reports, error) {
	switch {
	case c.Sender == nil || c.Receiver == nil:
		return nil, errors.New("media: reports without a stream each way")
	case c.Write == nil:
		return nil, errors.New("media: reports without a way to send")
	case c.CNAME == "" || len(c.CNAME) > 255:
		return nil, fmt.Errorf("media: CNAME of %d bytes", len(c.CNAME))
	}
	return &Reports{cfg: c, adaptation: adaptation{step: firstStep}}, nil
}

// Release gives the Reports keys of their own: a sealer and an opener that
// nothing else uses, made from the same master keys as the stream's. In secure
// mode v has to be valid ([ErrRoute]).
func (r *Reports) Release(v route.Verified, s *protect.Sealer, o *protect.Opener) error {
	if r.cfg.Secure && !v.Valid() {
		return ErrRoute
	}
	if s == nil || o == nil {
		return ErrKeys
	}
	r.opening.Store(&opening{opener: o})
	r.sealing.Store(&sealing{sealer: s})
	return nil
}

// ReleaseClear has the Reports send and read RTCP without keys, until Release.
// The error is [ErrNoClear].
func (r *Reports) ReleaseClear() error {
	if r.cfg.Secure || !r.opening.CompareAndSwap(nil, &opening{clear: true}) ||
		!r.sealing.CompareAndSwap(nil, &sealing{clear: true}) {
		return ErrNoClear
	}
	return nil
}

// Revoke stops sending and reading until the next Release.
func (r *Reports) Revoke() {
	r.sealing.Store(&sealing{})
	r.opening.Store(&opening{})
}

// Report sends what was sent and received so far, if anything may leave.
func (r *Reports) Report(now time.Time) error { return r.send(now, nil) }

// Bye sends the last report, which says that our stream ends.
func (r *Reports) Bye(now time.Time) error {
	return r.send(now, &rtcp.Goodbye{Sources: []uint32{r.cfg.Sender.cfg.SSRC}})
}

func (r *Reports) send(now time.Time, bye *rtcp.Goodbye) error {
	k := r.sealing.Load()
	if !k.open() {
		return nil
	}
	compound := r.compound(now)
	if bye != nil {
		compound = append(compound, bye)
	}
	plain, err := rtcp.Marshal(compound)
	if err != nil {
		return fmt.Errorf("media: report: %w", err)
	}
	n := copy(r.out[:], plain)
	if !k.clear {
		if n, err = k.sealer.SealRTCP(r.out[:], n); err != nil {
			return fmt.Errorf("media: report: %w", err)
		}
		k.wear.look(k.sealer)
	}
	if err := r.cfg.Write(r.out[:n]); err != nil {
		return fmt.Errorf("media: report: %w", err)
	}
	r.mu.Lock()
	r.stats.ReportsSent++
	r.mu.Unlock()
	return nil
}

// compound is a sender report if something was sent since the last one, else a
// receiver report, the CNAME (RFC 3550 §6.1, §6.4), and an extended report. Its
// length follows from what arrives and whether anything is sent, never from what
// is said.
func (r *Reports) compound(now time.Time) []rtcp.Packet {
	sender := r.cfg.Sender
	ssrc, sent := sender.cfg.SSRC, sender.Stats()
	idle := sent.PacketsSent == r.sentBefore
	r.sentBefore = sent.PacketsSent
	blocks, extended := r.measure(now, idle)
	names := &rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
		Source: ssrc,
		Items:  []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: r.cfg.CNAME}},
	}}}
	if idle {
		return []rtcp.Packet{&rtcp.ReceiverReport{SSRC: ssrc, Reports: blocks}, names, &extended}
	}
	return []rtcp.Packet{&rtcp.SenderReport{
		SSRC:        ssrc,
		NTPTime:     ntp(now),
		RTPTime:     sender.timestamp.Load(),
		PacketCount: uint32(sent.PacketsSent),
		OctetCount:  uint32(sent.BytesSent),
		Reports:     blocks,
	}, names, &extended}
}

// measure rates what is heard, if there is anything, and makes the reception
// report and the extended report of it. XR is sent without being asked for in
// SDP (RFC 3611 §5): who does not know it passes over it, and no proxy learns
// who does.
func (r *Reports) measure(now time.Time, idle bool) (blocks []rtcp.ReceptionReport, extended rtcp.RawPacket) {
	heard, ok := r.cfg.Receiver.hearing()
	r.mu.Lock()
	defer r.mu.Unlock()
	extended = appendXRHeader(nil, r.cfg.Sender.cfg.SSRC)
	if ok {
		if r.last.ssrc == heard.block.SSRC && r.last.ntp != 0 {
			heard.block.LastSenderReport, heard.block.Delay = r.last.ntp, r.last.since(now)
		}
		blocks = append(blocks, heard.block)
		if heard.losses.Expected-r.rated.Expected >= ratedPackets {
			r.stats.Quality = heard.quality(r.rated, r.stats.RTT)
			r.rated = heard.losses
		}
		r.stats.VoIP = heard.metrics(r.stats.RTT)
		extended = appendVoIP(extended, heard.block.SSRC, r.stats.VoIP, heard.target)
	}
	if idle { // a sender report would have brought the time
		extended = appendReferenceTime(extended, ntp(now))
	}
	if r.reference.ntp != 0 {
		extended = appendDLRR(extended, dlrr{r.reference.ssrc, r.reference.ntp, r.reference.since(now)})
	}
	finishXR(extended)
	return blocks, extended
}

// ntp is now as an NTP timestamp (RFC 3550 §4).
func ntp(now time.Time) uint64 {
	const since1900 = 2208988800 // to the Unix epoch, in seconds
	seconds := uint64(now.Unix()) + since1900
	return seconds<<32 | uint64(now.Nanosecond())<<32/uint64(time.Second)
}

// HandleRTCP takes an RTCP or SRTCP packet that arrived at now. It is opened
// in place, so the bytes are not what they were; nothing keeps them. What
// cannot be used is dropped and counted.
func (r *Reports) HandleRTCP(now time.Time, pkt []byte) {
	n, err := r.open(pkt)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		err = r.read(now, pkt[:n])
	}
	if err != nil {
		r.stats.ReportsDiscarded.count(err)
		return
	}
	r.stats.ReportsReceived++
}

// open makes pkt an RTCP packet and returns its length.
func (r *Reports) open(pkt []byte) (int, error) {
	k := r.opening.Load()
	if !k.open() {
		return 0, errClear
	}
	if k.clear {
		return len(pkt), nil
	}
	n, err := k.opener.OpenRTCP(pkt)
	if err == nil {
		k.wear.look(k.opener)
	}
	return n, err
}

var errReport = errors.New("media: malformed RTCP packet")

// read walks a compound packet, or one of reduced size (RFC 5506 §3). The whole
// of it is checked before any of it counts; kinds that we have no use for are
// passed over. r.mu is held.
func (r *Reports) read(now time.Time, compound []byte) error {
	var found []any
	for rest := compound; ; {
		var h rtcp.Header
		if err := h.Unmarshal(rest); err != nil {
			return errReport
		}
		size := 4 * (int(h.Length) + 1)
		if size > len(rest) {
			return errReport
		}
		pkt := rest[:size]
		rest = rest[size:]
		if h.Padding {
			padding := int(pkt[size-1])
			if len(rest) > 0 || padding == 0 || padding%4 != 0 || padding > size-4 { // RFC 3550 §6.4.1
				return errReport
			}
			pkt = pkt[:size-padding]
		}
		p, err := parseReport(h.Type, pkt)
		if err != nil {
			return errReport
		}
		found = append(found, p)
		if len(rest) == 0 {
			break
		}
	}
	var l lesson
	for _, p := range found {
		r.learn(now, p, &l)
	}
	return nil
}

// parseReport reads one packet of the kinds that we know; others are nil.
func parseReport(t rtcp.PacketType, pkt []byte) (any, error) {
	var p rtcp.Packet
	switch t {
	case rtcp.TypeSenderReport:
		p = &rtcp.SenderReport{}
	case rtcp.TypeReceiverReport:
		p = &rtcp.ReceiverReport{}
	case rtcp.TypeSourceDescription: // of no use, but it has to be whole
		p = &rtcp.SourceDescription{}
	case rtcp.TypeGoodbye:
		p = &rtcp.Goodbye{}
	case rtcp.TypeExtendedReport:
		return parseXR(pkt)
	default:
		return nil, nil
	}
	return p, p.Unmarshal(pkt)
}

// lesson is what a datagram has said of our stream so far. Of each kind the first
// block counts, so that no datagram weighs more than another in what is averaged.
type lesson struct {
	block, trip, metrics bool
}

func (r *Reports) learn(now time.Time, p any, l *lesson) {
	switch p := p.(type) {
	case *rtcp.SenderReport:
		r.last = peerTime{ssrc: p.SSRC, ntp: uint32(p.NTPTime >> 16), at: now}
		r.learnBlocks(now, p.Reports, l)
	case *rtcp.ReceiverReport:
		r.learnBlocks(now, p.Reports, l)
	case *rtcp.Goodbye:
		if slices.ContainsFunc(p.Sources, r.cfg.Receiver.hears) {
			r.stats.PeerLeft = true
		}
	case xrReport:
		r.learnExtended(now, p, l)
	}
}

// learnExtended takes what an XR packet says of us.
func (r *Reports) learnExtended(now time.Time, x xrReport, l *lesson) {
	ours := r.cfg.Sender.cfg.SSRC
	if x.ntp != 0 {
		r.reference = peerTime{ssrc: x.ssrc, ntp: uint32(x.ntp >> 16), at: now}
	}
	for _, d := range x.dlrrs {
		if d.ssrc == ours && d.lastRR != 0 && !l.trip {
			l.trip = true
			r.learnRoundTrip(now, d.lastRR, d.delay)
		}
	}
	for _, m := range x.metrics {
		if m.ssrc == ours && !l.metrics {
			l.metrics = true
			r.stats.PeerVoIP = m.VoIPMetrics
		}
	}
}

// learnBlocks takes what the peer says of our stream.
func (r *Reports) learnBlocks(now time.Time, blocks []rtcp.ReceptionReport, l *lesson) {
	sender := r.cfg.Sender
	for _, b := range blocks {
		if b.SSRC != sender.cfg.SSRC || l.block {
			continue
		}
		l.block = true
		r.stats.PeerReports++
		r.stats.PeerFractionLost = float64(b.FractionLost) / 256
		if sender.adapts() {
			sender.ExpectLoss(r.adaptation.report(r.stats.PeerFractionLost))
		}
		r.stats.PeerLost = uint64(b.TotalLost)
		if b.TotalLost >= 1<<23 { // negative: more duplicates than losses
			r.stats.PeerLost = 0
		}
		r.stats.PeerJitter = ticks(b.Jitter, sender.cfg.Codec.ClockRate)
		if b.LastSenderReport != 0 {
			r.learnRoundTrip(now, b.LastSenderReport, b.Delay)
		}
	}
}

// Round trips that can be: what is a little too short is the peer's rounding.
const (
	shortestTrip = -10 * time.Millisecond
	longestTrip  = 30 * time.Second
)

// learnRoundTrip takes what the peer repeats of a time that we have sent, the
// middle half of an NTP timestamp, and for how long it had that, in units of
// 1/65536 s (RFC 3550 §6.4.1, RFC 3611 §4.5).
func (r *Reports) learnRoundTrip(now time.Time, sent, held uint32) {
	trip := time.Duration(int32(uint32(ntp(now)>>16)-sent-held)) * time.Second / 65536
	if trip < shortestTrip || trip > longestTrip {
		r.stats.AbsurdTimes++
		return
	}
	r.stats.RTT = max(trip, 0)
}

// Stats returns what was counted so far by all three parts of the call.
func (r *Reports) Stats() Stats {
	s := Stats{SenderStats: r.cfg.Sender.Stats(), ReceiverStats: r.cfg.Receiver.Stats()}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.ReportStats = r.stats
	return s
}
