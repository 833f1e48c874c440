package media

import (
	"encoding/binary"
	"time"

	"github.com/pion/rtcp"

	"sotto/media/jitter"
)

// RTCP extended reports (RFC 3611). The blocks that we have a use for are
// written and read here: pion/rtcp takes a block whose length is false for as
// much of one as there is.

// VoIPMetrics is what a VoIP metrics block says of one stream, since its
// beginning (RFC 3611 §4.7). Rates and densities are from 0 to 1.
type VoIPMetrics struct {
	LossRate    float64 // never came, and was not recovered either
	DiscardRate float64 // came too late

	// Bursts are where losses and discards are dense, gaps what is between.
	BurstDensity, GapDensity   float64
	BurstDuration, GapDuration time.Duration // mean

	RoundTrip time.Duration // 0: not known
	EndSystem time.Duration // delay of the receiver's devices and buffers; 0: not known
	Quality
}

// The block types that we know the lengths of (RFC 3611 §4).
const (
	xrLossRLE       = 1
	xrDuplicateRLE  = 2
	xrReceiptTimes  = 3
	xrReferenceTime = 4
	xrDLRR          = 5
	xrSummary       = 6
	xrVoIP          = 7
)

const (
	xrVoIPWords  = 8
	xrNotKnown   = 127
	xrPLC        = 3 << 6 // concealed by interpolation
	xrAdaptive   = 3 << 4 // the jitter buffer
	xrDLRRWords  = 3      // of a sub-block
	xrTimeWords  = 2
	xrSummaryLen = 9 // words
)

// appendXRHeader begins an XR packet whose length finishXR fills in.
func appendXRHeader(b []byte, ssrc uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, rtpVersion, byte(rtcp.TypeExtendedReport), 0, 0), ssrc)
}

func finishXR(b []byte) { binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-1)) }

func appendXRBlockHeader(b []byte, kind byte, words uint16) []byte {
	return binary.BigEndian.AppendUint16(append(b, kind, 0), words)
}

// appendReferenceTime lets the peer answer with a DLRR (RFC 3611 §4.4).
func appendReferenceTime(b []byte, ntp uint64) []byte {
	return binary.BigEndian.AppendUint64(appendXRBlockHeader(b, xrReferenceTime, xrTimeWords), ntp)
}

// dlrr tells a receiver when its reference time came (RFC 3611 §4.5).
type dlrr struct {
	ssrc, lastRR, delay uint32
}

func appendDLRR(b []byte, d dlrr) []byte {
	b = appendXRBlockHeader(b, xrDLRR, xrDLRRWords)
	for _, v := range []uint32{d.ssrc, d.lastRR, d.delay} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// appendVoIP writes the metrics of the stream ssrc. Of the voice itself it
// tells nothing: signal and noise level and echo are never given.
func appendVoIP(b []byte, ssrc uint32, m VoIPMetrics, target time.Duration) []byte {
	b = binary.BigEndian.AppendUint32(appendXRBlockHeader(b, xrVoIP, xrVoIPWords), ssrc)
	b = append(b, share(m.LossRate), share(m.DiscardRate), share(m.BurstDensity), share(m.GapDensity))
	for _, d := range []time.Duration{m.BurstDuration, m.GapDuration, m.RoundTrip, m.EndSystem} {
		b = appendMilliseconds(b, d)
	}
	b = append(b, xrNotKnown, xrNotKnown, xrNotKnown, jitter.Gmin)
	rating, listening, conversation := byte(xrNotKnown), byte(xrNotKnown), byte(xrNotKnown)
	if m.Known() {
		rating, listening, conversation = byte(m.R+0.5), byte(10*m.MOSLQ+0.5), byte(10*m.MOSCQ+0.5)
	}
	b = append(b, rating, xrNotKnown, listening, conversation, xrPLC|xrAdaptive, 0)
	b = appendMilliseconds(b, target)
	b = appendMilliseconds(b, jitter.MaxDelay)
	return appendMilliseconds(b, jitter.MaxDelay)
}

// share is a fraction with the binary point at the left edge.
func share(v float64) byte { return byte(min(max(256*v, 0), 255)) }

func appendMilliseconds(b []byte, d time.Duration) []byte {
	return binary.BigEndian.AppendUint16(b, uint16(min(max(d.Milliseconds(), 0), 65535)))
}

// xrReport is what an XR packet says, as far as we care.
type xrReport struct {
	ssrc    uint32 // its sender
	ntp     uint64 // its reference time; 0: none
	dlrrs   []dlrr
	metrics []voipBlock
}

type voipBlock struct {
	ssrc uint32 // of the stream that it is about
	VoIPMetrics
}

// parseXR reads one XR packet, header included. Every block has to have the
// length of its type, and the blocks have to fill the packet.
func parseXR(b []byte) (x xrReport, err error) {
	if len(b) < 8 {
		return xrReport{}, errReport
	}
	x.ssrc = binary.BigEndian.Uint32(b[4:])
	for b = b[8:]; len(b) > 0; {
		if len(b) < 4 {
			return xrReport{}, errReport
		}
		kind, words := b[0], int(binary.BigEndian.Uint16(b[2:]))
		if 4*words > len(b)-4 || !xrFits(kind, words) {
			return xrReport{}, errReport
		}
		x.take(kind, b[4:4+4*words])
		b = b[4+4*words:]
	}
	return x, nil
}

// xrFits reports whether a block of that type can have that length.
func xrFits(kind byte, words int) bool {
	switch kind {
	case xrLossRLE, xrDuplicateRLE, xrReceiptTimes:
		return words >= 2 // source and range of sequence numbers
	case xrReferenceTime:
		return words == xrTimeWords
	case xrDLRR:
		return words > 0 && words%xrDLRRWords == 0
	case xrSummary:
		return words == xrSummaryLen
	case xrVoIP:
		return words == xrVoIPWords
	}
	return true // not known to us: RFC 3611 §3
}

// take reads the content of a block, which has the length of its type.
func (x *xrReport) take(kind byte, b []byte) {
	switch kind {
	case xrReferenceTime:
		x.ntp = binary.BigEndian.Uint64(b)
	case xrDLRR:
		for ; len(b) > 0; b = b[4*xrDLRRWords:] {
			x.dlrrs = append(x.dlrrs, dlrr{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])})
		}
	case xrVoIP:
		x.metrics = append(x.metrics, voipBlock{binary.BigEndian.Uint32(b), parseVoIP(b[4:])})
	}
}

// parseVoIP reads a VoIP metrics block behind its SSRC. Ratings outside their
// range are ignored (RFC 3611 §4.7.5).
func parseVoIP(b []byte) VoIPMetrics {
	milliseconds := func(at int) time.Duration {
		return time.Duration(binary.BigEndian.Uint16(b[at:])) * time.Millisecond
	}
	m := VoIPMetrics{
		LossRate: float64(b[0]) / 256, DiscardRate: float64(b[1]) / 256,
		BurstDensity: float64(b[2]) / 256, GapDensity: float64(b[3]) / 256,
		BurstDuration: milliseconds(4), GapDuration: milliseconds(6),
		RoundTrip: milliseconds(8), EndSystem: milliseconds(10),
	}
	if b[16] <= 100 {
		m.R = float64(b[16])
	}
	m.MOSLQ, m.MOSCQ = parseMOS(b[18]), parseMOS(b[19])
	return m
}

// parseMOS is 0 if there is none.
func parseMOS(v byte) float64 {
	if v < 10 || v > 50 {
		return 0
	}
	return float64(v) / 10
}
