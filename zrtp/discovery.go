package zrtp

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"sotto/zrtp/wire"
)

var (
	errHelloHash    = errors.New("zrtp: Hello does not match the announced hash")
	errNotAnnounced = errors.New("zrtp: the signalling has not announced a Hello")
)

func (s *Session) newHello() wire.Hello {
	o := &s.cfg.Policy.Offer
	h := wire.Hello{
		Version: version, H3: s.chain.h[3], ZID: s.cfg.ZID, Passive: s.cfg.Passive,
		SASSigning: s.cfg.SASSigning, MiTM: s.cfg.MiTM,
		Hashes: o.Hashes, Ciphers: o.Ciphers, AuthTags: o.AuthTags, KeyAgreements: o.KeyAgreements, SASTypes: o.SASTypes,
	}
	copy(h.ClientID[:], s.cfg.ClientID)
	return h
}

// acceptHello takes the first Hello of the peer. Until the chain is proven by
// a later message it is only a claim (RFC 6189 §9).
func (s *Session) acceptHello(now time.Time, p wire.Packet) error {
	hello, err := wire.ParseHello(p.Message)
	if err != nil {
		return err
	}
	if s.cfg.Policy.RequireHelloHash && s.helloHash == nil {
		return errNotAnnounced // it comes again
	}
	if !s.helloFits(p.Message) {
		s.helloMismatch = true
		return errHelloHash
	}
	if bytes.Compare(hello.Version[:3], version[:3]) > 0 { // the peer will come down to our version
		return fmt.Errorf("zrtp: peer speaks newer version %q", hello.Version)
	}
	s.theirs.hello, s.peer.ssrc = bytes.Clone(p.Message), p.SSRC
	if code, err := s.hopeless(&hello); err != nil {
		s.theirs.hello = nil
		s.suspect(now, Failed{Code: code, Err: err})
		return nil
	}
	s.believeAt = time.Time{}
	if err := s.retained.load(s.cfg.Store, hello.ZID, now); err != nil {
		s.fail(now, wire.ErrorSoftware, fmt.Errorf("zrtp: retained secrets unreadable: %w", err))
		return nil
	}
	s.peer.hello.H3, s.peer.hello.ZID = hello.H3, hello.ZID
	s.peer.hello.SASSigning, s.peer.hello.MiTM = hello.SASSigning, hello.MiTM
	if !s.hello.running() { // a late peer has not heard ours
		s.hello.begin(now, s.ours.hello, helloRhythm)
	}
	s.hello.limit = helloPatient // the peer speaks ZRTP (RFC 6189 §6)
	s.events = append(s.events, PeerFound{
		ZID: hello.ZID, ClientID: printable(hello.ClientID[:]), MiTM: hello.MiTM,
	})
	if s.cfg.Passive {
		s.giveUp = now.Add(longestWait)
	}
	return s.onHello(now, p.Message)
}

// hopeless says why nothing can follow from a Hello, which is in s.theirs.
// Anybody can have sent it, so the peer's own may still come.
func (s *Session) hopeless(hello *wire.Hello) (wire.ErrorCode, error) {
	switch {
	case !bytes.Equal(hello.Version[:3], version[:3]):
		return wire.ErrorVersion, fmt.Errorf("zrtp: peer speaks version %q", hello.Version)
	case hello.ZID == s.cfg.ZID:
		return wire.ErrorEqualZIDs, errors.New("zrtp: the peer shows our own ZID")
	case s.peer.ssrc == s.cfg.SSRC:
		return wire.ErrorSSRCCollision, errors.New("zrtp: the peer uses our own SSRC")
	case s.call != nil && hello.ZID != s.call.peer:
		return wire.ErrorHelloMismatch, errors.New("zrtp: another peer than in the call's first stream")
	case !s.cfg.Passive:
		if _, code := s.choice(); code != 0 {
			return code, errors.New("zrtp: no algorithm in common")
		}
	case hello.Passive:
		return wire.ErrorUnavailable, errors.New("zrtp: both sides only respond, nobody begins")
	}
	return 0, nil
}

// printable keeps what a peer calls itself from doing anything to a screen.
func printable(b []byte) string {
	return strings.TrimRight(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, string(b)), " ")
}

// onHello answers the peer's Hello in Discovery: with a Commit at once, which
// stands for the HelloACK too (RFC 6189 §5.3), or with a HelloACK if we only
// ever respond.
func (s *Session) onHello(now time.Time, msg []byte) error {
	if err := same(s.theirs.hello, msg); err != nil {
		return err
	}
	if s.cfg.Passive {
		s.send(wire.AppendACK(nil, wire.TypeHelloACK))
		return nil
	}
	s.sendCommit(now)
	return nil
}

// onHelloAgain repeats the Commit while the peer has not been seen to know it:
// over a bad network that makes a call secure sooner than a HelloACK would. A
// Commit with a lattice key is left to its timer: nobody shall draw much more
// out of us than he sends.
func (s *Session) onHelloAgain(_ time.Time, msg []byte) error {
	if err := same(s.theirs.hello, msg); err != nil {
		return err
	}
	if s.state == CommitSent && len(s.ours.commit) < 2*len(msg) {
		s.send(s.ours.commit)
		return nil
	}
	s.send(wire.AppendACK(nil, wire.TypeHelloACK))
	return nil
}

func (s *Session) onHelloACK(_ time.Time, _ []byte) error {
	s.hello.stop()
	return nil
}
