package zrtp

import (
	"crypto/subtle"
	"errors"
	"time"

	"sotto/internal/hmac"
	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

var errClearMAC = errors.New("zrtp: GoClear with a wrong clear_mac")

// clearMACs are the only two values that a GoClear can carry: known once the
// MAC keys are, they are all that is kept of these (RFC 6189 §4.7.2).
type clearMACs struct{ ours, theirs [macLen]byte }

func (s *Session) clearMAC(sender Role) [macLen]byte {
	return [macLen]byte(hmac.Sum(newHash(s.suite.Hash), s.keys.mac[side(sender)].Reveal(), wire.TypeGoClear[:]))
}

// allowsClear is our A flag. A PBX that enrols somebody never sets it
// (RFC 6189 §7.3.1).
func (s *Session) allowsClear() bool { return s.cfg.Policy.AllowClear && !s.cfg.Enroll }

// clearAgreed says whether both Confirms carried the A flag.
func (s *Session) clearAgreed() bool { return s.allowsClear() && s.peerFlags.AllowClear }

// GoClear asks the peer to go on without encryption, which only the user may
// wish for (RFC 6189 §4.7.2). The owner stops sending SRTP at once and sends
// nothing in clear before [Cleared]. Without an answer the Session fails. Error:
// the Session is not Secure, or one side does not allow it.
func (s *Session) GoClear(now time.Time) error {
	switch {
	case s.state != Secure:
		return errors.New("zrtp: only a secure call can go clear")
	case !s.clearAgreed():
		return errors.New("zrtp: going clear is not allowed by both sides")
	}
	g := wire.GoClear{ClearMAC: s.clear.ours}
	msg := g.Append(nil)
	s.send(msg)
	s.step.begin(now, msg, stepRhythm)
	s.state = GoClearSent
	return nil
}

// onGoClear follows the peer into clear. A wrong clear_mac is a forgery and
// leaves no trace. With a right one the peer has stopped to encrypt: where that
// is not agreed upon, the call ends rather than go on half clear.
func (s *Session) onGoClear(now time.Time, msg []byte) error {
	g, err := wire.ParseGoClear(msg)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(g.ClearMAC[:], s.clear.theirs[:]) != 1 {
		return errClearMAC
	}
	if !s.clearAgreed() {
		s.fail(now, wire.ErrorGoClear, errors.New("zrtp: the peer wants to go on without encryption, which is not allowed"))
		return nil
	}
	s.send(wire.AppendACK(nil, wire.TypeClearACK))
	if s.state != Clear {
		s.enterClear(s.state == Secure)
	}
	return nil
}

// onClearACK ends our own GoClear. It carries no MAC (RFC 6189 §5.12): who forges
// it brings about what our user has just asked for, and nothing else.
func (s *Session) onClearACK(_ time.Time, _ []byte) error {
	s.enterClear(false)
	return nil
}

// enterClear destroys every key of the stream. ZRTPSess, which the call's first
// stream holds, becomes one that it can't be computed from (RFC 6189 §4.7.2.1).
func (s *Session) enterClear(remote bool) {
	first := s
	if s.call != nil {
		first = s.call.first
	}
	var next *secret.Bytes
	if first.keys != nil { // or it has ended, and nothing can follow
		k := newKDF(newHash(first.suite.Hash), first.keys.zrtpSess, first.zids())
		next = k.secret("New ZRTP Session", k.hashBits())
	}
	s.keys.wipe()
	if next != nil {
		first.keys.zrtpSess.Wipe()
		first.keys.zrtpSess = next
	}
	s.clear.ours = [macLen]byte{}
	s.step.stop()
	s.dropKeys()
	s.events = append(s.events, Cleared{Remote: remote})
	s.state = Clear
}
