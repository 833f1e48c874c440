package main

import (
	"encoding/json"
	"io"
	"math"
	"sync"
	"time"

	"sotto/engine"
	"sotto/media"
	"sotto/media/route"
)

// jsonView is for programs: one object a line, whose first field is "event".
type jsonView struct {
	mu  sync.Mutex
	enc *json.Encoder
}

func newJSONView(w io.Writer) *jsonView {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &jsonView{enc: enc}
}

func (v *jsonView) show(event any) {
	r := record(event)
	if r == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	_ = v.enc.Encode(r) // a reader that has gone away does not end the call
}

// The lines of --json. Which one an event is, its field Event tells.
type (
	// plainRecord: "ringing", "route_restored".
	plainRecord struct {
		Event string `json:"event"`
	}
	// placeRecord: "listening", "calling".
	placeRecord struct {
		Event   string `json:"event"`
		URI     string `json:"uri,omitempty"`
		Address string `json:"address"` // our own
	}
	// peerRecord: "incoming", "answered".
	peerRecord struct {
		Event string `json:"event"`
		Peer  string `json:"peer"` // as claimed
		Codec string `json:"codec,omitempty"`
	}
	securedRecord struct {
		Event     string `json:"event"`
		SAS       string `json:"sas"`
		SASType   string `json:"sas_type"`
		Suite     string `json:"suite"`
		PeerZID   string `json:"peer_zid"`
		Initiator bool   `json:"initiator"`
		Verified  bool   `json:"verified"`
		Level     string `json:"level"`
	}
	// relayedRecord replaces the SAS of securedRecord.
	relayedRecord struct {
		Event   string `json:"event"`
		SAS     string `json:"sas"`
		SASType string `json:"sas_type"`
	}
	// securityRecord replaces the one before it.
	securityRecord struct {
		Event   string         `json:"event"`
		Level   string         `json:"level"`
		Text    string         `json:"text"`
		Name    string         `json:"name,omitempty"` // that the user gave the other phone
		Notices []noticeRecord `json:"notices,omitempty"`
	}
	noticeRecord struct {
		Kind string `json:"kind"`
		Text string `json:"text"`
	}
	// refusedRecord: "refused", "route_refused". It has a class if it was an
	// audio route that was refused.
	refusedRecord struct {
		Event    string   `json:"event"`
		Reason   string   `json:"reason"`
		Class    string   `json:"route_class,omitempty"`
		Device   string   `json:"route_device,omitempty"`
		Evidence []string `json:"route_evidence,omitempty"`
	}
	heldRecord struct {
		Event    string `json:"event"`
		Remote   bool   `json:"remote"`
		ForRoute bool   `json:"for_route"` // nobody has asked for it
	}
	// sideRecord: "resumed".
	sideRecord struct {
		Event  string `json:"event"`
		Remote bool   `json:"remote"` // by the other side
	}
	// digitRecord: "digit", of the other side.
	digitRecord struct {
		Event string `json:"event"`
		Digit string `json:"digit"`
	}
	qualityRecord struct {
		Event  string  `json:"event"`
		Remote bool    `json:"remote"` // of what the other side hears of us
		Class  string  `json:"class"`  // "high", "medium", "low", "poor"
		R      float64 `json:"r"`
		MOSLQ  float64 `json:"mos_lq"`
		MOSCQ  float64 `json:"mos_cq"`
	}
	warningRecord struct {
		Event string `json:"event"`
		Text  string `json:"text"`
	}
	// unansweredRecord: "ended" follows, with the same reason.
	unansweredRecord struct {
		Event  string `json:"event"`
		Reason string `json:"reason"`
		Kind   string `json:"kind"`
		Code   int    `json:"code"`
		Remote bool   `json:"remote"`
	}
	endedRecord struct {
		Event  string    `json:"event"`
		Reason string    `json:"reason"` // for people
		Kind   string    `json:"kind"`   // for programs
		Code   int       `json:"code"`   // of SIP, 0 if none
		Remote bool      `json:"remote"` // the other side's doing
		Level  string    `json:"level"`  // that the call had
		Stats  callStats `json:"stats"`
	}
)

// record is event in the form in which programs read it, or nil if it is for
// people only.
func record(event any) any {
	switch e := event.(type) {
	case listening:
		return placeRecord{Event: "listening", Address: e.Address}
	case calling:
		return placeRecord{Event: "calling", URI: e.URI, Address: e.Address}
	case incoming:
		return peerRecord{Event: "incoming", Peer: e.Peer}
	case engine.Ringing:
		return plainRecord{"ringing"}
	case engine.Unanswered:
		r := e.Reason
		return unansweredRecord{"unanswered", r.Text, r.Kind.String(), r.Code, r.Remote}
	case engine.Answered:
		return peerRecord{Event: "answered", Peer: e.Peer, Codec: e.Codec}
	case engine.Secured:
		return securedRecord{
			Event: "secured", SAS: e.SAS, SASType: e.SASType, Suite: e.Suite, PeerZID: e.PeerZID,
			Initiator: e.Initiator, Verified: e.Verified, Level: levelName(e.Level),
		}
	case engine.SASRelayed:
		return relayedRecord{"sas_relayed", e.SAS, e.SASType}
	case engine.Security:
		r := securityRecord{Event: "security", Level: levelName(e.Level), Text: e.Text, Name: e.Name}
		for _, n := range e.Notices {
			r.Notices = append(r.Notices, noticeRecord{n.String(), n.Text()})
		}
		return r
	case engine.RouteRefused:
		return newRefusedRecord("route_refused", e.Text, &e.Refusal)
	case engine.RouteRestored:
		return plainRecord{"route_restored"}
	case engine.Refused:
		return newRefusedRecord("refused", e.Text, e.Route)
	case engine.Held:
		return heldRecord{"held", e.Remote, e.ForRoute}
	case engine.Resumed:
		return sideRecord{"resumed", e.Remote}
	case engine.Digit:
		return digitRecord{"digit", string(e.Digit)}
	case engine.Quality:
		q := e.Rating
		return qualityRecord{"quality", e.Remote, e.Class.String(), tenth(q.R), tenth(q.MOSLQ), tenth(q.MOSCQ)}
	case engine.Warning:
		return warningRecord{"warning", e.Text}
	case engine.Ended:
		return endedRecord{
			Event: "ended", Reason: e.Reason.Text, Kind: e.Reason.Kind.String(), Code: e.Reason.Code,
			Remote: e.Reason.Remote, Level: levelName(e.Level), Stats: newCallStats(e.Stats),
		}
	}
	return nil
}

func newRefusedRecord(event, text string, route *route.Refusal) refusedRecord {
	r := refusedRecord{Event: event, Reason: text}
	if route != nil {
		r.Class, r.Device, r.Evidence = route.Class.String(), route.Device, route.Evidence
	}
	return r
}

// levelName is a stable name; SecurityLevel.String is for people.
func levelName(l engine.SecurityLevel) string {
	switch l {
	case engine.LevelAttacked:
		return "attacked"
	case engine.LevelClear:
		return "clear"
	case engine.LevelNone:
		return "none"
	case engine.LevelGoingSecure:
		return "going-secure"
	case engine.LevelSuspect:
		return "suspect"
	case engine.LevelRelayed:
		return "relayed"
	case engine.LevelEncrypted:
		return "encrypted"
	case engine.LevelContinued:
		return "continued"
	case engine.LevelVerified:
		return "verified"
	case engine.LevelCompared:
		return "verified-now"
	}
	return "unknown"
}

// callStats is media.Stats for programs: packets, and times in milliseconds.
type callStats struct {
	Sent           uint64  `json:"sent"`
	Missed         uint64  `json:"missed"` // not sent, because the machine was too busy
	Received       uint64  `json:"received"`
	Lost           uint64  `json:"lost"`
	Late           uint64  `json:"late"`
	Duplicate      uint64  `json:"duplicate"`
	Concealed      uint64  `json:"concealed"`
	Recovered      uint64  `json:"recovered"`
	DiscardedClear uint64  `json:"discarded_clear"`
	DiscardedAuth  uint64  `json:"discarded_auth"`
	DiscardedOther uint64  `json:"discarded_other"`
	PeerLost       uint64  `json:"peer_lost"`
	Jitter         float64 `json:"jitter_ms"`
	Delay          float64 `json:"delay_ms"`
	Target         float64 `json:"target_delay_ms"`
	Accelerated    float64 `json:"accelerated_ms"`
	Expanded       float64 `json:"expanded_ms"`
	RTT            float64 `json:"rtt_ms"`
	ReportsSent    uint64  `json:"reports_sent"`
	ReportsHeard   uint64  `json:"reports_received"`

	// Of what was heard in the whole call, and of what the other side says
	// that it heard; 0 is not known.
	R            float64 `json:"r"`
	MOSLQ        float64 `json:"mos_lq"`
	MOSCQ        float64 `json:"mos_cq"`
	BurstDensity float64 `json:"burst_density"`
	GapDensity   float64 `json:"gap_density"`
	PeerR        float64 `json:"peer_r"`
	PeerMOSCQ    float64 `json:"peer_mos_cq"`
}

func newCallStats(s media.Stats) callStats {
	d := s.Discarded
	return callStats{
		Sent: s.PacketsSent, Missed: s.Missed, Received: s.PacketsReceived, Lost: s.Lost, Late: s.Late, Duplicate: s.Duplicate,
		Concealed: s.Concealed, Recovered: s.Recovered,
		DiscardedClear: d.Clear, DiscardedAuth: d.Auth,
		DiscardedOther: d.Replay + d.Malformed + d.UnknownPayload + d.StrayTimestamp + d.StrayNumber + d.UnknownEvent + d.OtherSource,
		PeerLost:       s.PeerLost,
		Jitter:         milliseconds(s.Jitter), Delay: milliseconds(s.Delay), RTT: milliseconds(s.RTT),
		Target: milliseconds(s.Target), Accelerated: milliseconds(s.Accelerated), Expanded: milliseconds(s.Expanded),
		ReportsSent: s.ReportsSent, ReportsHeard: s.ReportsReceived,
		R: tenth(s.VoIP.R), MOSLQ: tenth(s.VoIP.MOSLQ), MOSCQ: tenth(s.VoIP.MOSCQ),
		BurstDensity: s.VoIP.BurstDensity, GapDensity: s.VoIP.GapDensity,
		PeerR: tenth(s.PeerVoIP.R), PeerMOSCQ: tenth(s.PeerVoIP.MOSCQ),
	}
}

// tenth rounds an estimate to what it is good for.
func tenth(v float64) float64 { return math.Round(10*v) / 10 }

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}
