package zrtp

import (
	"time"

	"sotto/zrtp/wire"
)

// fail ends the key agreement without keys: every secret is wiped, the owner
// hears why, and the peer gets an Error until it acknowledges it
// (RFC 6189 §4.7.1).
func (s *Session) fail(now time.Time, code wire.ErrorCode, err error) {
	s.wipe()
	s.dropKeys()
	s.events = append(s.events, Failed{Code: code, Err: err})
	e := wire.Error{Code: code}
	msg := e.Append(nil)
	s.send(msg)
	s.step.begin(now, msg, stepRhythm)
	s.state = ErrorSent
}

// suspect notes a failure that anybody can feign. Where it is true the peer has
// nothing more to say, so the next message that only the peer can have sent shows
// that it was feigned; until then the handshake goes on as if nothing had
// happened.
func (s *Session) suspect(now time.Time, f Failed) {
	if s.believeAt.IsZero() {
		s.suspected, s.believeAt = f, now.Add(stepRhythm.longest)
	}
}

// believe ends the key agreement for a failure that nothing has belied.
func (s *Session) believe(now time.Time) {
	if !s.suspected.Remote {
		s.fail(now, s.suspected.Code, s.suspected.Err)
		return
	}
	s.wipe()
	s.dropKeys()
	s.events = append(s.events, s.suspected)
	s.state = Closed
}

// onError suspects that the peer gives up: Error carries no MAC
// (RFC 6189 §4.7.1). Once a Confirm has proven that the peer has our keys, no
// Error is heard.
func (s *Session) onError(now time.Time, msg []byte) error {
	e, err := wire.ParseError(msg)
	if err != nil {
		return err
	}
	s.suspect(now, Failed{Code: e.Code, Remote: true})
	s.send(wire.AppendACK(nil, wire.TypeErrorACK))
	return nil
}

// fromPeer says whether msg, which can't be read, nevertheless comes from the
// peer: it shows the hash image that only the peer has (RFC 6189 §9). Such a
// message is answered with Error 0x10 (RFC 6189 §5.9); any other is garbage
// that anybody can send, and dropped.
func (s *Session) fromPeer(t wire.Type, msg []byte) bool {
	const image, end = 12, 44 // H2 or H1, which follows the head
	steps := 2
	switch t {
	case wire.TypeCommit:
		steps = 1
	case wire.TypeDHPart1, wire.TypeDHPart2:
	default:
		return false
	}
	return len(msg) >= end && follows([32]byte(msg[image:end]), s.peer.hello.H3, steps) == nil
}

// dropKeys takes back keys that were announced and not yet collected.
func (s *Session) dropKeys() {
	kept := s.events[:0]
	for _, e := range s.events {
		if k, ok := e.(KeysReady); ok {
			k.Send.Wipe()
			k.Receive.Wipe()
			continue
		}
		kept = append(kept, e)
	}
	s.events = kept
}

func (s *Session) onErrorACK(_ time.Time, _ []byte) error {
	s.step.stop()
	s.state = Closed
	return nil
}
