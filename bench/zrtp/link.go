package main

import (
	"errors"
	"time"

	"sotto/zrtp"
)

// link is what lies between the two sides of a call. bzrtp_pair.c has the same.
type link struct {
	perMille int // packets lost of a thousand
	oneWay   time.Duration
}

// patience ends a call that does not become secure.
const patience = time.Minute

// lost says whether the packet number index of the side from is lost, in the
// call that seed stands for. The hash is SplitMix64's.
func (l link) lost(seed, from, index int) bool {
	x := (uint64(seed)<<32 | uint64(from)<<31 | uint64(index)) + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return (x^x>>31)%1000 < uint64(l.perMille)
}

// times is when each side was secure, counted from the start of both; patience
// if it never was.
type times struct{ initiator, responder time.Duration }

// linkEnd is one side, and the packets on their way to the other.
type linkEnd struct {
	end
	number   int
	sent     int
	flights  []flight // in the order of arrival
	secureAt time.Duration
	voiceDue time.Time // of the next SRTP packet; zero before there are keys to send
}

type flight struct {
	due    time.Time
	packet []byte
}

// call plays one call over l in virtual time, with the losses of seed.
func (l link) call(s suite, seed int) (times, error) {
	var ends [2]*linkEnd
	for i := range ends {
		session, err := newSession(byte(i+1), s.offer())
		if err != nil {
			return times{}, err
		}
		defer session.Close()
		ends[i] = &linkEnd{end: end{Session: session}, number: i, secureAt: patience}
		session.Start(epoch)
	}
	for now := epoch; now.Before(epoch.Add(patience)); {
		var next time.Time
		for i, e := range ends {
			e.receive(now, ends[1-i])
			e.HandleTimeout(now)
			e.send(l, seed, now)
			if ends[1-i].secured == nil { // whom it would tell that we are
				next = sooner(next, e.talk(l, seed, now))
			}
			next = sooner(sooner(next, e.Deadline()), e.firstDue())
		}
		if ends[0].secured != nil && ends[1].secured != nil || next.IsZero() {
			break
		}
		now = next
	}
	for i, e := range ends {
		if e.secured != nil && e.secured.Role == zrtp.Initiator {
			return times{initiator: e.secureAt, responder: ends[1-i].secureAt}, nil
		}
		if e.secured != nil && ends[1-i].secured == nil { // the responder alone
			return times{initiator: patience, responder: e.secureAt}, nil
		}
	}
	if ends[0].err == nil && ends[1].err == nil {
		return times{}, errors.New("neither secure nor failed")
	}
	return times{patience, patience}, nil
}

// receive takes what has arrived from the other side.
func (e *linkEnd) receive(now time.Time, from *linkEnd) {
	for len(from.flights) > 0 && !from.flights[0].due.After(now) {
		if packet := from.flights[0].packet; packet == nil {
			e.HandleMedia()
		} else {
			_ = e.HandlePacket(now, packet) // one that comes twice is dropped
		}
		from.flights = from.flights[1:]
	}
}

func (e *linkEnd) send(l link, seed int, now time.Time) {
	for {
		packet, ok := e.AppendPacket(nil)
		if !ok {
			break
		}
		if !l.lost(seed, e.number, e.sent) {
			e.flights = append(e.flights, flight{now.Add(l.oneWay), packet})
		}
		e.sent++
	}
	secure := e.secured != nil
	e.drain()
	if !secure && e.secured != nil {
		e.secureAt = now.Sub(epoch)
	}
}

// talk sends a voice packet every 20 ms from when it has the keys: the first that
// arrives is as good to an initiator as Conf2ACK (RFC 6189 §4.6). It returns when
// the next is due.
func (e *linkEnd) talk(l link, seed int, now time.Time) time.Time {
	if e.secured == nil {
		return time.Time{}
	}
	if e.voiceDue.IsZero() {
		e.voiceDue = now.Add(20 * time.Millisecond)
	}
	if !now.Before(e.voiceDue) {
		if !l.lost(seed, e.number, e.sent) {
			e.flights = append(e.flights, flight{due: now.Add(l.oneWay)})
		}
		e.sent++
		e.voiceDue = e.voiceDue.Add(20 * time.Millisecond)
	}
	return e.voiceDue
}

// firstDue is when the next packet arrives; zero: none is on its way.
func (e *linkEnd) firstDue() time.Time {
	if len(e.flights) == 0 {
		return time.Time{}
	}
	return e.flights[0].due
}

// sooner takes the zero time for never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
