package media

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"

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
// one, all other methods by any.
type Reports struct {
	cfg     ReportsConfig
	sealing atomic.Pointer[sealing]
	opening atomic.Pointer[opening]

	out        [maxPacket]byte // owned by the goroutine that sends
	sentBefore uint64          // packets sent when the last report left

	mu    sync.Mutex // guards what follows
	stats ReportStats
	last  senderReport
}

// senderReport is what a reception report repeats of the peer's last sender
// report.
type senderReport struct {
	ssrc uint32
	ntp  uint32 // middle half of its NTP timestamp; 0: there was none
	at   time.Time
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
	return &Reports{cfg: c}, nil
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
// receiver report, and the CNAME (RFC 3550 §6.1, §6.4).
func (r *Reports) compound(now time.Time) []rtcp.Packet {
	sender := r.cfg.Sender
	ssrc, sent := sender.cfg.SSRC, sender.Stats()
	blocks := r.blocks(now)
	names := &rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
		Source: ssrc,
		Items:  []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: r.cfg.CNAME}},
	}}}
	if sent.PacketsSent == r.sentBefore {
		return []rtcp.Packet{&rtcp.ReceiverReport{SSRC: ssrc, Reports: blocks}, names}
	}
	r.sentBefore = sent.PacketsSent
	return []rtcp.Packet{&rtcp.SenderReport{
		SSRC:        ssrc,
		NTPTime:     ntp(now),
		RTPTime:     sender.timestamp.Load(),
		PacketCount: uint32(sent.PacketsSent),
		OctetCount:  uint32(sent.BytesSent),
		Reports:     blocks,
	}, names}
}

// blocks is the reception report of the source being heard, if there is one.
func (r *Reports) blocks(now time.Time) []rtcp.ReceptionReport {
	block, ok := r.cfg.Receiver.reception()
	if !ok {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last.ssrc == block.SSRC && r.last.ntp != 0 {
		block.LastSenderReport = r.last.ntp
		block.Delay = uint32(now.Sub(r.last.at) * 65536 / time.Second)
	}
	return []rtcp.ReceptionReport{block}
}

// reception reports on the source being heard since the last call.
func (r *Receiver) reception() (rtcp.ReceptionReport, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.source.heard {
		return rtcp.ReceptionReport{}, false
	}
	lost, fraction := r.source.losses()
	return rtcp.ReceptionReport{
		SSRC:               r.source.ssrc,
		FractionLost:       fraction,
		TotalLost:          lost,
		LastSequenceNumber: r.source.highest,
		Jitter:             r.buffer.Stats().Jitter,
	}, true
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
	return k.opener.OpenRTCP(pkt)
}

var errReport = errors.New("media: malformed RTCP packet")

// read walks a compound packet. The whole of it is checked before any of it
// counts; kinds that we have no use for are passed over. r.mu is held.
func (r *Reports) read(now time.Time, compound []byte) error {
	var found []rtcp.Packet
	for rest := compound; ; {
		var h rtcp.Header
		if err := h.Unmarshal(rest); err != nil {
			return errReport
		}
		size := 4 * (int(h.Length) + 1)
		if size > len(rest) {
			return errReport
		}
		if p := reportOf(h.Type); p != nil {
			if err := p.Unmarshal(rest[:size]); err != nil {
				return errReport
			}
			found = append(found, p)
		}
		if rest = rest[size:]; len(rest) == 0 {
			break
		}
	}
	for _, p := range found {
		r.learn(now, p)
	}
	return nil
}

// reportOf is a packet of the kinds that we read, or nil.
func reportOf(t rtcp.PacketType) rtcp.Packet {
	switch t {
	case rtcp.TypeSenderReport:
		return &rtcp.SenderReport{}
	case rtcp.TypeReceiverReport:
		return &rtcp.ReceiverReport{}
	case rtcp.TypeGoodbye:
		return &rtcp.Goodbye{}
	}
	return nil
}

func (r *Reports) learn(now time.Time, p rtcp.Packet) {
	switch p := p.(type) {
	case *rtcp.SenderReport:
		r.last = senderReport{ssrc: p.SSRC, ntp: uint32(p.NTPTime >> 16), at: now}
		r.learnBlocks(now, p.Reports)
	case *rtcp.ReceiverReport:
		r.learnBlocks(now, p.Reports)
	case *rtcp.Goodbye:
		if slices.ContainsFunc(p.Sources, r.cfg.Receiver.hears) {
			r.stats.PeerLeft = true
		}
	}
}

// learnBlocks takes what the peer says of our stream.
func (r *Reports) learnBlocks(now time.Time, blocks []rtcp.ReceptionReport) {
	sender := r.cfg.Sender
	for _, b := range blocks {
		if b.SSRC != sender.cfg.SSRC {
			continue
		}
		r.stats.PeerReports++
		r.stats.PeerFractionLost = float64(b.FractionLost) / 256
		r.stats.PeerLost = uint64(b.TotalLost)
		if b.TotalLost >= 1<<23 { // negative: more duplicates than losses
			r.stats.PeerLost = 0
		}
		r.stats.PeerJitter = ticks(b.Jitter, sender.cfg.Codec.ClockRate)
		if b.LastSenderReport != 0 {
			// RFC 3550 §6.4.1. A negative figure is the peer's rounding or
			// its fantasy.
			trip := int32(uint32(ntp(now)>>16) - b.LastSenderReport - b.Delay)
			r.stats.RTT = time.Duration(max(trip, 0)) * time.Second / 65536
		}
	}
}

// Stats returns what was counted so far by all three parts of the call.
func (r *Reports) Stats() Stats {
	s := Stats{SenderStats: r.cfg.Sender.Stats(), ReceiverStats: r.cfg.Receiver.Stats()}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.ReportStats = r.stats
	return s
}
