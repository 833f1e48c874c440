package zrtp

import "time"

// rhythm is how often and how long a message is repeated.
type rhythm struct {
	first, longest time.Duration // pause before the first repetition; it doubles up to longest
	limit          int32         // repetitions
}

// The retransmission schedules of RFC 6189 §6: T1 for Hello, 3.75 s in all,
// and T2 for the rest, 9.45 s in all.
var (
	helloRhythm = rhythm{50 * time.Millisecond, 200 * time.Millisecond, 20}
	stepRhythm  = rhythm{150 * time.Millisecond, 1200 * time.Millisecond, 10}
)

const (
	// helloPatient is the limit for Hello once the peer is known to speak
	// ZRTP, 12.15 s in all.
	helloPatient = 62
	// patience is a responder's wait for the initiator's next message
	// (RFC 6189 §6), longestWait its wait for all of them together.
	patience    = 10 * time.Second
	longestWait = 30 * time.Second
)

// schedule repeats one message until it is answered. The zero value is idle.
type schedule struct {
	msg            []byte
	pause, longest time.Duration
	times, limit   int32 // transmissions so far, the first included; repetitions
	due            time.Time
}

// begin arms the schedule for a message that is being sent now.
func (r *schedule) begin(now time.Time, msg []byte, beat rhythm) {
	*r = schedule{msg: msg, pause: beat.first, longest: beat.longest, limit: beat.limit, times: 1, due: now.Add(beat.first)}
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
	r.pause = min(2*r.pause, r.longest)
	r.due = now.Add(r.pause)
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
