package engine

import (
	"bytes"
	"context"
	"errors"
	"time"

	"sotto/sip"
	"sotto/sip/sdp"
)

// onSignal handles what the other side, or the network, says in signalling.
func (l *leg) onSignal(ctx context.Context, e sip.Event) {
	switch e := e.(type) {
	case sip.Ringing:
		l.call.events.put(Ringing{})
	case sip.Answered:
		l.onAnswer(ctx, e.SDP)
	case sip.Offer:
		l.onOffer(e.SDP)
	case sip.Ended:
		l.gone = true
		l.end(reasonOf(e.Reason))
	}
}

// onAnswer begins the media of a call that we made.
func (l *leg) onAnswer(ctx context.Context, answer []byte) {
	agreed, err := agree(l.ours, answer)
	if err != nil {
		l.end(Reason{Kind: Malformed, Text: err.Error()})
		return
	}
	l.begin(ctx, agreed)
}

func agree(ours *sdp.Session, theirs []byte) (sdp.Agreed, error) {
	session, err := sdp.Parse(theirs)
	if err != nil {
		return sdp.Agreed{}, err
	}
	return sdp.Agree(ours, session)
}

// offer is the description of a call that we make.
func (l *leg) offer() []byte {
	l.ours = sdp.Offer(l.local)
	return l.ours.Append(nil)
}

// answer takes an incoming call.
func (l *leg) answer(ctx context.Context) error {
	if !l.call.incoming || l.answered {
		return errors.New("engine: only a ringing incoming call can be answered")
	}
	offer, err := sdp.Parse(l.dialog.RemoteOffer())
	if err != nil {
		l.end(Reason{Kind: Malformed, Text: err.Error()})
		return err
	}
	ours, err := sdp.Answer(offer, nil, l.local)
	if err != nil {
		l.end(Reason{Kind: Incompatible, Text: err.Error()})
		return err
	}
	agreed, err := sdp.Agree(ours, offer)
	if err != nil {
		l.end(Reason{Kind: Incompatible, Text: err.Error()})
		return err
	}
	l.ours = ours
	if err := l.dialog.Answer(ours.Append(nil)); err != nil {
		return err
	}
	l.begin(ctx, agreed)
	return nil
}

// begin starts media and key agreement on what the descriptions say.
func (l *leg) begin(ctx context.Context, agreed sdp.Agreed) {
	l.answered, l.agreed = true, agreed
	audio, err := l.cfg.OpenAudio(ctx)
	if err != nil {
		l.end(Reason{Kind: AudioFailed, Text: err.Error()})
		return
	}
	l.routes = audio.Routes
	if err := l.voice.start(l.cfg, agreed, audio, l.ssrc); err != nil {
		l.end(Reason{Kind: AudioFailed, Text: err.Error()})
		return
	}
	l.follow(agreed)
	l.call.events.put(Answered{Peer: l.dialog.RemoteIdentity(), Codec: agreed.Codec.Name})
	now := time.Now()
	if hash, ok := helloHash(agreed.ZRTPHashes); ok {
		l.keys.SetPeerHelloHash(now, hash)
	}
	l.keys.Start(now)
	l.inbox = l.voice.inbox
	l.scheduleReport(now)
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
		l.call.events.put(Refused{Text: "A change of the call was refused: " + err.Error() + ". The call goes on as before."})
		return
	}
	if err := l.dialog.AnswerOffer(ours.Append(nil)); err != nil {
		return // withdrawn
	}
	l.ours = ours
	l.follow(agreed)
}

// judge makes the answer to an offer, or says why there is none.
func (l *leg) judge(offer []byte) (*sdp.Session, sdp.Agreed, error) {
	theirs, err := sdp.Parse(offer)
	if err != nil {
		return nil, sdp.Agreed{}, err
	}
	ours, err := sdp.Answer(theirs, l.ours, l.local)
	if err != nil {
		return nil, sdp.Agreed{}, err
	}
	agreed, err := sdp.Agree(ours, theirs)
	if err != nil {
		return nil, sdp.Agreed{}, err
	}
	return ours, agreed, l.tolerates(agreed)
}

var (
	errHashTaken   = errors.New("it takes the ZRTP hash out of the signalling, which would open the way to clear voice")
	errHashChanged = errors.New("it names another ZRTP hash: the voice would go to somebody else")
	errCodec       = errors.New("it changes the codec of a running call")
)

// tolerates holds a change against secure mode: once announced, ZRTP stays,
// with the same Hello.
func (l *leg) tolerates(a sdp.Agreed) error {
	if a.Codec.Name != l.agreed.Codec.Name || a.Codec.PayloadType != l.agreed.Codec.PayloadType {
		return errCodec
	}
	before, had := helloHash(l.agreed.ZRTPHashes)
	after, has := helloHash(a.ZRTPHashes)
	switch {
	case l.cfg.AllowInsecure || !had:
		return nil
	case !has:
		return errHashTaken
	case !bytes.Equal(before[:], after[:]):
		return errHashChanged
	}
	return nil
}

// follow does what was agreed: where to send, and whether at all.
func (l *leg) follow(a sdp.Agreed) {
	hashes := l.agreed.ZRTPHashes // a later description can't change them
	l.agreed = a
	l.agreed.ZRTPHashes = hashes
	l.voice.redirect(a)
	if held := !a.Send; held != l.held {
		l.held = held
		l.voice.flow.Load().sender.Hold(held)
		if held {
			l.call.events.put(Held{Remote: true})
		} else {
			l.call.events.put(Resumed{Remote: true})
		}
	}
}

// reoffer is our own offer to change the direction.
func (l *leg) reoffer(d sdp.Direction) (*sdp.Session, error) {
	if !l.answered {
		return nil, errors.New("engine: the call is not answered yet")
	}
	local := l.local
	local.Direction = d
	return sdp.Reoffer(l.ours, local), nil
}

// reanswered does what the other side said to our offer.
func (l *leg) reanswered(offer *sdp.Session, answer []byte, d sdp.Direction) error {
	agreed, err := agree(offer, answer)
	if err != nil {
		return err
	}
	l.ours, l.local.Direction = offer, d
	hold := d != sdp.SendRecv
	l.voice.flow.Load().sender.Mute(hold)
	l.voice.redirect(agreed)
	if hold {
		l.call.events.put(Held{})
	} else {
		l.call.events.put(Resumed{})
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
	return Reason{Kind: kind, Text: r.Error(), Remote: r.Remote, Code: r.Code}
}
