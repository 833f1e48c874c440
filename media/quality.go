package media

import (
	"time"

	"github.com/pion/rtcp"

	"sotto/media/jitter"
)

// Quality is rated anew when that many packets have had their turn since it was
// rated: of fewer, one that is missing would weigh too much.
const ratedPackets = 50

// hearing is what a Receiver tells its Reports of the source being heard.
type hearing struct {
	block  rtcp.ReceptionReport // without what belongs to the peer's reports
	codec  string               // of the source
	packet time.Duration        // length of its packets
	losses jitter.Losses
	delay  time.Duration // of the jitter buffer
	target time.Duration // what that is brought to
}

// hearing begins a new interval for the fraction lost. It reports false if
// nothing is heard.
func (r *Receiver) hearing() (hearing, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.source.heard {
		return hearing{}, false
	}
	lost, fraction := r.source.losses()
	b := r.buffer.Stats()
	return hearing{
		block: rtcp.ReceptionReport{
			SSRC:               r.source.ssrc,
			FractionLost:       fraction,
			TotalLost:          lost,
			LastSequenceNumber: r.source.highest,
			Jitter:             b.Jitter,
		},
		codec: r.source.codec, packet: r.buffer.PacketTime(), losses: r.buffer.Losses(),
		delay: b.Delay, target: b.Target,
	}, true
}

// endSystem is the delay of this phone both ways: a frame to be collected, the
// codec's lookahead and the jitter buffer (RFC 3611 §4.7.3).
func (h hearing) endSystem() time.Duration {
	return FrameDuration + impairments[h.codec].lookahead + h.delay
}

// quality rates what was heard since before. Of the way from mouth to ear the
// peer's part counts as long as ours.
func (h hearing) quality(before jitter.Losses, roundTrip time.Duration) Quality {
	i, ok := impairments[h.codec]
	expected := h.losses.Expected - before.Expected
	if !ok || expected == 0 {
		return Quality{}
	}
	missing := float64(h.losses.Missing - before.Missing)
	loss := missing / float64(expected)
	// BurstR of G.107: the mean length of a run, against 1/(1-loss), which it
	// is when losses are random.
	runs := max(h.losses.Runs-before.Runs, 1)
	burst := max(missing/float64(runs)*(1-loss), 1)
	return i.rate(loss, burst, roundTrip/2+h.endSystem())
}

// metrics is what a VoIP metrics block says. The mean gap is all gaps over the
// number of bursts, as in the example of RFC 3611 §4.7.2 and the algorithm of
// RFC 3611 §A.2.
func (h hearing) metrics(roundTrip time.Duration) VoIPMetrics {
	l := h.losses
	between := l.Expected - l.InBursts
	return VoIPMetrics{
		LossRate:      ratio(l.Missing-l.Discarded, l.Expected),
		DiscardRate:   ratio(l.Discarded, l.Expected),
		BurstDensity:  ratio(l.MissingInBurst, l.InBursts),
		GapDensity:    ratio(l.Missing-l.MissingInBurst, between),
		BurstDuration: h.mean(l.InBursts, l.Bursts),
		GapDuration:   h.mean(between, l.Bursts),
		RoundTrip:     roundTrip,
		EndSystem:     h.endSystem(),
		Quality:       h.quality(jitter.Losses{}, roundTrip),
	}
}

// mean is how long packets are in the mean of n parts.
func (h hearing) mean(packets, n uint64) time.Duration {
	return time.Duration(packets/max(n, 1)) * h.packet
}

func ratio(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
