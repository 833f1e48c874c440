package engine

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"sotto/media"
	"sotto/media/audio"
	"sotto/sip"
	"sotto/sip/sdp"
)

// ringing is the SIP status of a phone that alerts its user. Of no other one are we
// to make up what the user hears (RFC 3960).
const ringing = 180

// onSignal handles what the other side, or the network, says in signalling.
func (l *leg) onSignal(e sip.Event) {
	switch e := e.(type) {
	case sip.Ringing: // it is said again and again
		if !l.alerted {
			l.alerted = true
			l.say(Ringing{})
		}
		if e.Code == ringing && l.tones == nil {
			l.sound(audio.Ringback)
		}
	case sip.Answered:
		l.onAnswer(e.SDP)
	case sip.Offer:
		l.onOffer(e.SDP)
	case sip.Ended:
		l.gone = true
		l.end(reasonOf(e.Reason))
	}
}

// onAnswer begins the media of a call that we made.
func (l *leg) onAnswer(answer []byte) {
	agreed, err := agree(l.ours, answer)
	if err != nil {
		l.fail(kindOf(err), err)
		return
	}
	l.begin(agreed)
}

// errPayloadType is about payload types that RTCP takes (RFC 5761 §4).
var errPayloadType = errors.New("engine: the other side wants the voice under a payload type that voice can't have")

// agree works out what our offer and the peer's answer settle.
func agree(ours *sdp.Session, answer []byte) (sdp.Agreed, error) {
	theirs, err := sdp.Parse(answer)
	if err != nil {
		return sdp.Agreed{}, err
	}
	return settle(ours, theirs)
}

// settle works out what two descriptions settle, whichever was the offer.
func settle(ours, theirs *sdp.Session) (sdp.Agreed, error) {
	agreed, err := sdp.Agree(ours, theirs)
	if err == nil && !media.Sendable(agreed.Codec.PayloadType) {
		return sdp.Agreed{}, errPayloadType
	}
	if !media.Sendable(agreed.Event.PayloadType) {
		agreed.Event = sdp.Codec{} // the call does without
	}
	return agreed, err
}

// kindOf is what an error about descriptions means for the call.
func kindOf(err error) ReasonKind {
	switch {
	case errors.Is(err, sdp.ErrMalformed), errors.Is(err, sdp.ErrMismatch):
		return Malformed
	case errors.Is(err, errHashTaken), errors.Is(err, errHashChanged), errors.Is(err, errRecorded):
		return NotSecure
	}
	return Incompatible
}

// offer is the description of a call that we make.
func (l *leg) offer() []byte {
	l.ours = sdp.Offer(l.local)
	return l.ours.Append(nil)
}

// answer takes an incoming call.
func (l *leg) answer() error {
	if !l.call.incoming || l.answered {
		return errors.New("engine: only a ringing incoming call can be answered")
	}
	offer := l.dialog.RemoteOffer()
	if offer == nil {
		return sip.ErrEnded // the caller has given up
	}
	ours, agreed, err := l.judge(offer)
	if err != nil {
		l.fail(kindOf(err), err)
		return err
	}
	if err := l.dialog.Answer(ours.Append(nil)); err != nil {
		return err
	}
	l.ours = ours
	l.begin(agreed)
	return nil
}

// begin starts key agreement on what the descriptions say, and asks for the
// audio, or takes it from the tones.
func (l *leg) begin(agreed sdp.Agreed) {
	l.answered = true
	l.hush()
	l.stopRinging()
	l.local.Codecs = inUse(l.ours, agreed)
	l.say(Answered{Peer: l.dialog.RemoteIdentity(), Codec: agreed.Codec.Name})
	_, announced := helloHash(agreed.ZRTPHashes)
	if !l.admits(agreed, announced) {
		return
	}
	l.follow(agreed)
	if c := agreed.Crypto; c != nil && announced && l.call.incoming && l.cfg.UseSignalledKey {
		l.keys.SetSignalledKey(c.Key, c.Salt)
	}
	if l.opening == nil {
		l.openAudio(Audio{})
	}
	l.keys.Start(time.Now())
	l.inbox = l.voice.inbox
}

// admits holds what the first descriptions say against the rules. If it is false,
// the call is over.
func (l *leg) admits(agreed sdp.Agreed, announced bool) bool {
	l.look(announced)
	if agreed.Recorded && l.rule(recorded) == endCall {
		l.refuse(NotSecure, textRecorded, nil)
		return false
	}
	if !announced && l.rule(notAnnounced) == endCall {
		l.refuse(NotSecure, textNoHash, nil)
		return false
	}
	return true
}

// inUse is what later descriptions may name: the codec of the call, DTMF and
// comfort noise, under the payload types that ours has given them (RFC 3264 §8.3.2).
func inUse(ours *sdp.Session, a sdp.Agreed) (list []sdp.Codec) {
	for _, c := range ours.Media[ours.Audio()].Codecs {
		if !c.Voice() || strings.EqualFold(c.Name, a.Codec.Name) && c.ClockRate == a.Codec.ClockRate {
			list = append(list, c)
		}
	}
	return list
}

// helloHash is the announced hash of a Hello of our ZRTP version; of other
// versions there may be more (RFC 6189 §8.1).
func helloHash(hashes []sdp.ZRTPHash) (sum [32]byte, ok bool) {
	for _, h := range hashes {
		if len(h.Version) >= 3 && h.Version[:3] == "1.1" && len(h.Hash) == len(sum) {
			return [32]byte(h.Hash), true
		}
	}
	return sum, false
}

// onOffer answers a change that the other side wants: hold, resume, another
// address. What would weaken the call is refused, and the call goes on as it
// was.
func (l *leg) onOffer(offer []byte) {
	ours, agreed, err := l.judge(offer)
	if err != nil {
		_ = l.dialog.RejectOffer(488) // withdrawn already, if it fails
		l.engine.log.Warn("change refused", "peer", l.call.peer, "error", err)
		if l.state == over {
			l.refuse(kindOf(err), "A change of the call ends it: "+InWords(err)+".", nil)
			return
		}
		l.say(Refused{Text: "A change of the call was refused: " + InWords(err) + ". The call goes on as before."})
		return
	}
	if err := l.dialog.AnswerOffer(ours.Append(nil)); err != nil {
		return // withdrawn
	}
	l.ours = ours
	l.follow(agreed)
}

// judge makes the answer to an offer, or says why there is none. Within a call
// the offer has to be one that we tolerate.
func (l *leg) judge(offer []byte) (*sdp.Session, sdp.Agreed, error) {
	theirs, err := sdp.Parse(offer)
	if err != nil {
		return nil, sdp.Agreed{}, err
	}
	ours, err := sdp.Answer(theirs, l.ours, l.local)
	if err != nil {
		return nil, sdp.Agreed{}, err
	}
	agreed, err := settle(ours, theirs)
	if err == nil && l.answered {
		err = l.tolerates(weakerOffer, agreed)
	}
	return ours, agreed, err
}

var (
	errHashTaken   = errors.New("it takes the ZRTP hash out of the signalling, which would open the way to clear voice")
	errHashChanged = errors.New("it names another ZRTP hash: the voice would go to somebody else")
	errRecorded    = errors.New("the other side says that it records the call")
	errCodec       = errors.New("it changes the codec of a running call")
)

// tolerates holds a change against the rules, as an offer or an answer: once
// announced, ZRTP stays, with the same Hello, and nobody begins to record.
func (l *leg) tolerates(c cause, a sdp.Agreed) error {
	if a.Codec.Name != l.agreed.Codec.Name || a.Codec.PayloadType != l.agreed.Codec.PayloadType {
		return errCodec
	}
	if a.Recorded && l.rule(recorded) == endCall {
		return errRecorded
	}
	before, had := helloHash(l.agreed.ZRTPHashes)
	after, has := helloHash(a.ZRTPHashes)
	if !had || has && bytes.Equal(before[:], after[:]) || l.rule(c) == nothing {
		return nil
	}
	if !has {
		return errHashTaken
	}
	return errHashChanged
}

// follow does what was agreed: where to send, and whether at all. A Hello that
// is announced only now has to be the one that has come.
func (l *leg) follow(a sdp.Agreed) {
	if hash, ok := helloHash(a.ZRTPHashes); ok {
		l.keys.SetPeerHelloHash(time.Now(), hash)
		if l.trust.forget(NoticeNotAnnounced) {
			l.tellLevel()
		}
	}
	if a.Recorded {
		l.note(NoticeRecorded)
	}
	l.agreed, l.agreed.Crypto = a, nil // used once, and not kept
	l.voice.redirect(a)
	if held := !a.Send; held != l.held {
		l.held = held
		l.voice.hold(held)
		l.tellHold(held, Held{Remote: true})
	}
}

// tellHold tells of a hold, or of the end of it.
func (l *leg) tellHold(held bool, by Held) {
	if held {
		l.say(by)
	} else {
		l.say(Resumed{Remote: by.Remote})
	}
}

// change is our offer to change the direction.
type change struct {
	offer     *sdp.Session
	direction sdp.Direction
	forRoute  bool // nobody has asked for it
}

// reoffer makes our offer to change the direction; reanswered follows.
func (l *leg) reoffer(d sdp.Direction) (*sdp.Session, error) {
	switch {
	case !l.answered:
		return nil, errors.New("engine: the call is not answered yet")
	case l.change != nil:
		return nil, errors.New("engine: another change of the call is under way")
	}
	local := l.local
	local.Direction = d
	l.change = &change{offer: sdp.Reoffer(l.ours, local), direction: d}
	return l.change.offer, nil
}

// reanswered does what the other side said to our offer; err says that it has
// not accepted it. An answer that we don't tolerate ends the call: the two
// sides have agreed on it, and it can't be refused any more (RFC 3261 §14.1).
func (l *leg) reanswered(answer []byte, err error) error {
	c := l.change
	l.change = nil
	if err != nil {
		return err
	}
	agreed, err := agree(c.offer, answer)
	if err == nil {
		err = l.tolerates(weakerAnswer, agreed)
	}
	if err != nil {
		l.refuse(kindOf(err), "The other side's answer to a change of the call was refused: "+InWords(err)+".", nil)
		return err
	}
	l.ours, l.local.Direction = c.offer, c.direction
	held := c.direction != sdp.SendRecv
	l.voice.mute(held)
	l.tellHold(held, Held{ForRoute: c.forRoute})
	l.follow(agreed)
	l.path.onHold = held && c.forRoute
	l.resumeForRoute()
	if c.forRoute && l.cfg.Routes.HoldAfter > 0 && l.path.holdAt.IsZero() { // due meanwhile
		l.holdForRoute()
	}
	return nil
}

// kinds maps how the signalling ended to what a caller is told.
var kinds = map[sip.Kind]ReasonKind{
	sip.HungUp: HungUp, sip.Cancelled: Canceled, sip.Busy: Busy, sip.Declined: Declined,
	sip.NoAnswer: NoAnswer, sip.Unavailable: NoAnswer, sip.NotFound: NotFound,
	sip.UnknownHost: Unreachable, sip.Refused: Unreachable, sip.Unreachable: Unreachable,
	sip.NotAcceptable: Incompatible, sip.Unsupported: Incompatible, sip.Malformed: Malformed,
	sip.Lost: SignalingLost, sip.Closing: HungUp,
}

func reasonOf(r sip.Reason) Reason {
	kind, ok := kinds[r.Kind]
	if !ok {
		kind = Failed
	}
	text := r.Error()
	if r.Kind == sip.HungUp && r.Remote {
		text = "the other side hung up"
		if r.Text != "" {
			text += " (" + r.Text + ")"
		}
	}
	return Reason{Kind: kind, Text: text, Remote: r.Remote, Code: r.Code}
}
