package media

import "time"

// Stats is what a call's media counted so far, both ways; [Reports.Stats]
// gathers it.
type Stats struct {
	SenderStats
	ReceiverStats
	ReportStats
}

// SenderStats is what a Sender counted.
type SenderStats struct {
	PacketsSent uint64
	BytesSent   uint64 // of payload
	Missed      uint64 // frames not sent, because the machine was too busy
	SourceEnded bool   // silence is sent since
	// ExpectedLoss in per cent is what error correction prepares for; 0 if there
	// is none.
	ExpectedLoss int
}

// ReceiverStats is what a Receiver counted.
type ReceiverStats struct {
	PacketsReceived uint64 // voice packets of the stream, authentic ones if there are keys
	BytesReceived   uint64 // of payload
	Lost            uint64 // never arrived
	Late            uint64 // arrived too late to be played
	Duplicate       uint64
	Discarded       Discarded
	TelephoneEvents uint64 // packets of RFC 4733, whatever they hold
	DigitsDropped   uint64 // DTMF digits that were heard, and too many waited to be taken
	Streams         uint64 // times another source took over, the first included
	Restarts        uint64 // times the source's sequence numbers or timestamps jumped, and it was taken up anew

	Concealed   uint64 // packets made up, in frames of 20 ms if they are longer; two halves are one
	Recovered   uint64 // packets recovered by forward error correction
	Skipped     uint64 // packets lost and not made up, to shorten the delay
	Undecodable uint64 // packets that the codec refused

	Accelerated time.Duration // speech left out to shorten the delay
	Expanded    time.Duration // speech repeated to lengthen the delay

	Jitter time.Duration // interarrival, RFC 3550 §6.4.1
	Delay  time.Duration // of the jitter buffer: what is heard, against the quickest packets
	Target time.Duration // what Delay is brought to, to half a frame
}

// Discarded counts packets that were dropped, by reason.
type Discarded struct {
	Clear          uint64 // not encrypted, or before there were keys
	Auth           uint64 // wrong tag: forged, damaged, another key, or clear
	Replay         uint64
	Malformed      uint64
	UnknownPayload uint64 // a payload type that was not negotiated
	StrayTimestamp uint64 // a timestamp that no delay explains, and the packet before it did not agree
	StrayNumber    uint64 // a sequence number far ahead that no loss explains, and did not follow one like it
	UnknownEvent   uint64 // telephone events that are no DTMF digit
	OtherSource    uint64 // while another source was being heard, or too many sources
}

// ReportStats is what RTCP brought, and what was measured for it.
type ReportStats struct {
	ReportsSent      uint64
	ReportsReceived  uint64
	ReportsDiscarded Discarded

	// RTT is the last round trip measured, 0 before the first.
	RTT time.Duration
	// PeerReports is how often the peer has reported on our stream; what
	// follows is what it said last. PeerFractionLost, from 0 to 1, is of what
	// we sent since its report before (RFC 3550 §6.4.1).
	PeerReports      uint64
	PeerFractionLost float64
	PeerLost         uint64
	PeerJitter       time.Duration
	// AbsurdTimes counts round trips that cannot have been, by what the peer
	// says. They are not believed.
	AbsurdTimes uint64

	// Quality is of what was heard lately, VoIP of all that was heard. Both
	// are rated with each report that is sent.
	Quality Quality
	VoIP    VoIPMetrics
	// PeerVoIP is what the peer says last of all that it has heard of us, the
	// zero value if it says nothing.
	PeerVoIP VoIPMetrics
	// PeerLeft says that the peer ended its stream with a BYE.
	PeerLeft bool
}
