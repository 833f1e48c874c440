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

// onError ends the key agreement because the peer says so. Error carries no
// MAC: before keys exist it can only be believed, afterwards it is ignored.
func (s *Session) onError(_ time.Time, msg []byte) error {
	e, err := wire.ParseError(msg)
	if err != nil {
		return err
	}
	s.wipe()
	s.dropKeys()
	s.events = append(s.events, Failed{Code: e.Code, Remote: true})
	s.send(wire.AppendACK(nil, wire.TypeErrorACK))
	s.state = Closed
	return nil
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

func (s *Session) onErrorACK(_ time.Time, msg []byte) error {
	if _, err := wire.ParseACK(msg); err != nil {
		return err
	}
	s.step.stop()
	s.state = Closed
	return nil
}
