package zrtp

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

var (
	errSSRC       = errors.New("zrtp: packet of another stream")
	errUnexpected = errors.New("zrtp: message not expected in this state")
	errChanged    = errors.New("zrtp: repeated message differs from the first")
)

// Session is one run of ZRTP beside one media stream. It is not safe for
// concurrent use: one goroutine owns it.
type Session struct {
	cfg   Config
	state State
	role  Role
	seq   uint16 // of the next packet of our SSRC

	chain           *chain
	ours, theirs    messages
	peer            peer
	suite           Suite
	agreement       agreement // nil once its result is known
	call            *call     // nil in the first stream of a call
	nonces          nonces    // of further streams
	retained        retained  // until s0 is derived
	continuity      continuity
	keys            *sessionKeys
	confirmedAt     time.Time // when Confirm1 was sent or received
	interval        uint32    // the smaller of both Confirms' cache expiry, seconds
	peerFlags       Flags
	signature       Signature // of the peer's Confirm
	clear           clearMACs
	relays          [][macLen]byte // MACs of the SASrelays taken
	compared        bool           // the user has found the SAS to match
	denied          bool           // the user has found the SAS different
	presharedFailed bool           // the peer does not share our key: go on with public values

	hello         schedule  // our Hello
	step          schedule  // our Commit, DHPart2, Confirm2, SASrelay, GoClear or Error
	giveUp        time.Time // the peer must have answered by then
	giveUpAtLast  time.Time // however often it repeats itself
	suspected     Failed
	believeAt     time.Time // when suspected is taken for true; zero: nothing is
	helloHash     *[32]byte // announced in the signalling, or nil
	helloMismatch bool

	assembler  *wire.Assembler // nil while there are no parts
	out        []outgoing      // oldest first
	fragmented fragmented
	events     []Event // oldest first
}

// messages are the messages that one side has sent, as on the wire.
type messages struct {
	hello, commit, dhPart, confirm []byte
}

// peer is what we know of the other side, as far as it has been proven, and need
// at hand: while the peer makes us wait, memory counts. The rest is in theirs.
type peer struct {
	ssrc  uint32
	hello struct {
		H3               [32]byte
		ZID              wire.ZID
		SASSigning, MiTM bool
	}
	h2, h1 [32]byte // of Commit and DHPart
	hvi    [32]byte
}

// New makes a Session that waits for Start.
func New(cfg Config) (*Session, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Session{cfg: cfg}
	s.cfg.Policy.Offer, _ = cfg.Policy.offer() // which validate has found good
	random, err := s.random(36)
	if err != nil {
		return nil, err
	}
	defer secret.Wipe(random)
	if cfg.First != nil {
		if s.call, err = cfg.First.join(&s.cfg); err != nil {
			return nil, err
		}
		s.cfg.First, s.cfg.Store = nil, nil
	} else if cfg.AuxSecret.Len() > 0 {
		s.retained.aux = secret.Copy(cfg.AuxSecret.Reveal())
	}
	if f := cfg.First; f != nil && f.state == Clear && f.cfg.SSRC == cfg.SSRC { // that stream again: both Hellos are known
		s.chain, s.ours.hello, s.theirs.hello = newChain(f.chain.h[0]), f.ours.hello, f.theirs.hello
		s.peer.ssrc, s.peer.hello, s.helloHash = f.peer.ssrc, f.peer.hello, f.helloHash
		return s, nil
	}
	s.chain = newChain([32]byte(random[:32]))
	// Peers take sequence numbers for monotonous and compare without
	// wrapping: begin in the lowest quarter, far from the middle.
	s.seq = 1 + binary.BigEndian.Uint16(random[32:])&0x3fff
	// Who guesses it could put parts of his own into our messages.
	s.fragmented.id = binary.BigEndian.Uint16(random[34:])
	hello := s.newHello()
	s.ours.hello = appendMAC(hello.Append(nil), s.chain.h[2])
	return s, nil
}

func (s *Session) random(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.cfg.Rand, b); err != nil {
		return nil, fmt.Errorf("zrtp: no randomness: %w", err)
	}
	return b, nil
}

// HelloHash is what the signalling announces of us: the a=zrtp-hash attribute
// is the version and these 32 bytes in hexadecimal (RFC 6189 §8.1).
func (s *Session) HelloHash() [32]byte { return sha256.Sum256(s.ours.hello) }

// Version is the protocol version that goes with HelloHash.
func (s *Session) Version() string { return string(version[:]) }

// SetPeerHelloHash binds the Session to the Hello that the signalling has
// announced; any other is dropped. If one was accepted already, key agreement
// fails (RFC 6189 §8.1).
func (s *Session) SetPeerHelloHash(now time.Time, sum [32]byte) {
	s.helloHash = &sum
	if s.hello.running() {
		s.hello.limit = helloPatient // the peer speaks ZRTP (RFC 6189 §6)
	}
	if s.theirs.hello == nil || s.helloFits(s.theirs.hello) {
		return
	}
	if s.state > Idle && s.state < ErrorSent {
		s.fail(now, wire.ErrorHelloMismatch, errors.New("zrtp: the Hello is not the one that the signalling announced"))
	}
}

func (s *Session) helloFits(hello []byte) bool {
	if s.helloHash == nil {
		return true
	}
	sum := sha256.Sum256(hello)
	return subtle.ConstantTimeCompare(sum[:], s.helloHash[:]) == 1
}

// State is where the Session stands.
func (s *Session) State() State { return s.state }

// Start begins discovery: the first Hello goes out. Where a stream that has gone
// clear is to be secure again, that is over: the Commit goes out, unless we are
// passive and wait for the peer's (RFC 6189 §4.7.2).
func (s *Session) Start(now time.Time) {
	if s.state != Idle {
		return
	}
	s.state = Discovery
	if s.theirs.hello != nil {
		if !s.cfg.Passive {
			s.sendCommit(now)
		}
		return
	}
	s.send(s.ours.hello)
	s.hello.begin(now, s.ours.hello, helloRhythm)
	if s.helloHash != nil {
		s.hello.limit = helloPatient
	}
}

// HandlePacket takes one datagram that may hold a ZRTP packet. An error means
// that it was dropped: state, timers and keys are as before.
func (s *Session) HandlePacket(now time.Time, b []byte) error {
	p, err := wire.ParsePacket(b)
	if err != nil {
		return err
	}
	if p.Message, err = s.message(p); p.Message == nil {
		return err
	}
	t, err := wire.MessageType(p.Message)
	if err != nil {
		return err
	}
	if t == wire.TypePing {
		return s.onPing(p)
	}
	if s.theirs.hello != nil && p.SSRC != s.peer.ssrc {
		return errSSRC
	}
	row, ok := table[tableKey{s.state, t}]
	if !ok {
		return fmt.Errorf("%w: %s in %s", errUnexpected, t, s.state)
	}
	if s.theirs.hello == nil && s.state == Discovery {
		return s.acceptHello(now, p) // anything else is refused: nobody has spoken yet
	}
	before := s.state
	if err = row.handle(s, now, p.Message); errors.Is(err, wire.ErrMalformed) && s.fromPeer(t, p.Message) {
		s.fail(now, wire.ErrorMalformed, err)
		return nil
	}
	if s.state != before {
		s.believeAt = time.Time{} // the peer is alive
	}
	return err
}

// message is the whole message that a packet brings: its own or, with the last
// fragment, one put together; nil while parts are missing. Fragments are taken
// from a peer that has said Hello only.
func (s *Session) message(p wire.Packet) ([]byte, error) {
	switch {
	case len(p.Message) > wire.MaxMessageLen:
		return nil, wire.ErrLength
	case p.Fragment == (wire.Fragment{}):
		return p.Message, nil
	case s.theirs.hello == nil || p.SSRC != s.peer.ssrc:
		return nil, errSSRC
	case s.state >= ErrorSent:
		return nil, errUnexpected
	}
	if s.assembler == nil {
		s.assembler = &wire.Assembler{}
	}
	return s.assembler.Add(p), nil
}

// HandleTimeout does what is due at now; calling it early does nothing.
func (s *Session) HandleTimeout(now time.Time) {
	if !s.believeAt.IsZero() && !now.Before(s.believeAt) {
		s.believe(now)
		return
	}
	if msg, spent := s.hello.next(now); msg != nil {
		s.send(msg)
	} else if spent && s.theirs.hello == nil {
		s.events = append(s.events, NoPeer{HelloMismatch: s.helloMismatch})
	}
	if msg, spent := s.step.next(now); msg != nil {
		s.send(msg)
	} else if spent {
		s.stepSpent(now)
	}
	if !s.giveUp.IsZero() && !now.Before(s.giveUp) {
		s.giveUp = time.Time{}
		s.fail(now, wire.ErrorTimeout, errors.New("zrtp: the peer has gone silent"))
	}
}

func (s *Session) stepSpent(now time.Time) {
	switch s.state {
	case ErrorSent:
		s.state = Closed
		return
	case Secure:
		s.events = append(s.events, NotRelayed{})
		return
	}
	s.fail(now, wire.ErrorTimeout, fmt.Errorf("zrtp: no answer in state %s", s.state))
}

// Deadline is when HandleTimeout wants to be called; zero means never.
func (s *Session) Deadline() time.Time {
	return earliest(s.hello.due, s.step.due, s.giveUp, s.believeAt)
}

// NextEvent gives the oldest event not yet taken, or nil.
func (s *Session) NextEvent() Event {
	if len(s.events) == 0 {
		return nil
	}
	e := s.events[0]
	if s.events = s.events[1:]; len(s.events) == 0 {
		s.events = nil
	}
	return e
}

// ExportedKey gives a key for other uses by the application, of the length of
// the negotiated hash, or nil before Secure and in further streams. The caller owns it
// (RFC 6189 §4.5.2).
func (s *Session) ExportedKey() *secret.Bytes {
	if s.state != Secure || s.call != nil {
		return nil
	}
	return secret.Copy(s.keys.exported.Reveal())
}

// Close ends the Session, wipes what it holds and sends nothing.
func (s *Session) Close() {
	s.wipe()
	for _, e := range s.events {
		if k, ok := e.(KeysReady); ok {
			k.Send.Wipe()
			k.Receive.Wipe()
		}
	}
	s.state, s.out, s.events = Closed, nil, nil
}

// wipe forgets every secret and stops every timer.
func (s *Session) wipe() {
	s.dropAgreement()
	s.call.wipe()
	s.chain.wipe()
	s.clear, s.assembler = clearMACs{}, nil
	s.retained.wipe()
	s.hello.stop()
	s.step.stop()
	s.giveUp, s.believeAt = time.Time{}, time.Time{}
}

// await gives the peer time until the next step; repetitions of an old one do
// not prolong the whole beyond a limit.
func (s *Session) await(now time.Time) {
	if s.giveUpAtLast.IsZero() {
		s.giveUpAtLast = now.Add(longestWait)
	}
	s.giveUp = earliest(now.Add(patience), s.giveUpAtLast)
}

// same says whether a repeated message is the one we have acted on: message
// hashes cover the bytes, so nothing else may pass (RFC 6189 §6).
func same(first, again []byte) error {
	if !bytes.Equal(first, again) {
		return errChanged
	}
	return nil
}
