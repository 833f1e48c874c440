package zrtp

import "time"

// The retransmission schedules of RFC 6189 §6.
const (
	helloFirst   = 50 * time.Millisecond  // T1
	helloCap     = 200 * time.Millisecond //
	helloTimes   = 20                     // 3.75 s in all
	helloPatient = 62                     // 12.15 s, once the peer is known to speak ZRTP
	stepFirst    = 150 * time.Millisecond // T2
	stepCap      = 1200 * time.Millisecond
	stepTimes    = 10               // 9.45 s in all
	patience     = 10 * time.Second // a responder's wait for the initiator
)

// schedule repeats one message until it is answered. The zero value is idle.
type schedule struct {
	msg      []byte
	interval time.Duration
	longest  time.Duration
	times    int // transmissions so far, the first included
	limit    int // retransmissions allowed
	due      time.Time
}

// begin arms the schedule for a message that is being sent now.
func (r *schedule) begin(now time.Time, msg []byte, first, longest time.Duration, limit int) {
	*r = schedule{msg: msg, interval: first, longest: longest, times: 1, limit: limit, due: now.Add(first)}
}

func (r *schedule) stop() { *r = schedule{} }

func (r *schedule) running() bool { return !r.due.IsZero() }

// next returns the message if it is due again; spent says that the last
// answer time has passed and the schedule has stopped.
func (r *schedule) next(now time.Time) (msg []byte, spent bool) {
	if !r.running() || now.Before(r.due) {
		return nil, false
	}
	if r.times > r.limit {
		r.stop()
		return nil, true
	}
	r.times++
	r.interval = min(2*r.interval, r.longest)
	r.due = now.Add(r.interval)
	return r.msg, false
}

// earliest is the first of the given times that is set; zero if none is.
func earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}
