package engine

import (
	"errors"
	"fmt"

	"sotto/media"
	"sotto/media/protect"
	"sotto/media/route"
	"sotto/zrtp"
	"sotto/zrtp/wire"
)

// What secure mode says when it ends a call.
const (
	textNoHash      = "The signalling does not announce the other side's ZRTP Hello, which the policy requires. Nothing was said in the clear."
	textNoZRTP      = "The other side does not speak ZRTP, so the call can't be made secure. Nothing was said in the clear."
	textOtherHello  = "The ZRTP Hello that arrived is not the one that the signalling announced: somebody may have changed it. Nothing was said in the clear."
	textKeysFailed  = "The keys could not be agreed: %s."
	textCleared     = "The encryption has ended. The call goes no further without it."
	textKeysThin    = "The keys of this call are nearly used up: in an hour or more it will end. Call again for new ones."
	textKeysSpent   = "The keys of this call are used up. Call again for new ones."
	textDisclosure  = "The other side says that it may disclose the keys of this call (disclosure flag)."
	textRecorded    = "The other side says that it records the call."
	textSASMismatch = "The SAS does not match: somebody stands between you. Nothing that was said in this call is secret."
)

// drain sends what the Session wants sent and acts on what it says.
func (l *leg) drain() {
	for {
		pkt, ok := l.keys.AppendPacket(l.packet[:0])
		if !ok {
			break
		}
		l.packet = pkt
		l.voice.sendZRTP(pkt)
	}
	for e := l.keys.NextEvent(); e != nil; e = l.keys.NextEvent() {
		l.onKeys(e)
	}
}

// onKeys acts on what the Session says. What builds on Secured waits until the
// user has been told of that.
func (l *leg) onKeys(e zrtp.Event) {
	if l.secured != nil {
		switch e.(type) {
		case zrtp.EnrollmentRequested, zrtp.SASRelayed:
			l.untold = append(l.untold, e)
			return
		}
	}
	switch e := e.(type) {
	case zrtp.NoPeer:
		text := textNoZRTP
		if e.HelloMismatch {
			l.trust.note(NoticeOtherHello)
			text = textOtherHello
		}
		l.withoutKeys(noZRTP, text)
	case zrtp.Failed:
		if e.Code == wire.ErrorGoClear && !e.Remote {
			l.trust.note(NoticeClearRefused)
			l.tellLevel()
		}
		l.engine.log.Warn("key agreement fails", "peer", l.call.peer, "code", e.Code.String(), "remote", e.Remote, "error", e.Err)
		l.withoutKeys(noKeys, fmt.Sprintf(textKeysFailed, whyFailed(e)))
	case zrtp.KeysReady:
		l.takeKeys(e)
	case zrtp.Secured:
		l.secured = &e
		l.proceed()
	case zrtp.EnrollmentRequested:
		l.trust.note(NoticeEnrollment)
		l.tellLevel()
	case zrtp.SASRelayed:
		l.relay(e)
	case zrtp.Cleared: // no policy of ours allows it
		l.withoutKeys(cleared, textCleared)
	case zrtp.StoreFailed:
		l.say(Warning{"The secret for the next call could not be stored: " + InWords(e.Err)})
	case zrtp.PeerFound:
		l.goSecure(e)
	}
}

// whyFailed says in words why there are no keys.
func whyFailed(e zrtp.Failed) string {
	switch {
	case e.Remote:
		return "the other side reports: " + e.Code.String()
	case e.Err == nil || e.Code == wire.ErrorTimeout:
		return e.Code.String()
	}
	return InWords(e.Err)
}

// withoutKeys is what happens when there will be no keys, or none any more.
func (l *leg) withoutKeys(c cause, text string) {
	switch l.rule(c) {
	case endCall:
		l.refuse(NotSecure, text, nil)
	case letClear:
		l.trust.clear = true
		l.tellLevel()
		l.say(Warning{text + " The call goes on without encryption, because secure mode is off."})
		l.proceed()
	}
}

// tellWear warns, once, of keys that will not last much longer.
func (l *leg) tellWear(thin bool) {
	if thin && !l.thin {
		l.thin = true
		l.say(Warning{textKeysThin})
	}
}

// takeKeys takes keys over, unless the call is over or the peer says that it
// may pass them on.
func (l *leg) takeKeys(k zrtp.KeysReady) {
	if k.PeerFlags.Disclosure && l.rule(disclosed) == endCall {
		l.refuse(NotSecure, textDisclosure, nil)
	}
	if l.state == over {
		k.Send.Wipe()
		k.Receive.Wipe()
		return
	}
	l.rule(gotKeys)
	if k.Receive != nil {
		l.receive = k.Receive
	}
	if k.Send != nil {
		l.send = k.Send
	}
	l.proceed()
}

// proceed does what waits for the audio and, in secure mode, for its verified
// routes: the media gets its keys, and then the user hears that the call is
// secure. Clear voice waits for it too.
func (l *leg) proceed() {
	if l.voice.flow.Load() == nil {
		return
	}
	var err error
	switch l.state {
	case talking:
		err = l.release()
	case inClear:
		err = l.voice.releaseClear()
	default:
		return
	}
	if errors.Is(err, media.ErrRoute) { // revoked just now: the next sighting is on its way
		l.rule(routeDoubted)
		return
	}
	if err != nil {
		l.stopVoice(err)
		return
	}
	if s := l.secured; s != nil {
		l.secured = nil
		l.tell(*s)
		untold := l.untold
		l.untold = nil
		for _, e := range untold {
			l.onKeys(e)
		}
	}
}

// release gives the media the keys that are there. It owns what it makes of
// them; the copies here are wiped.
func (l *leg) release() error {
	if l.receive != nil && !l.receiving {
		if err := l.voice.releaseReceive(l.path.verified, srtpKeysOf(l.receive)); err != nil {
			return err
		}
		l.receiving = true
	}
	if l.send == nil {
		return nil
	}
	if !l.sending { // twice would be the same keystream again
		if err := l.voice.releaseSend(l.path.verified, srtpKeysOf(l.send)); err != nil {
			return err
		}
		l.sending = true
	}
	if err := l.voice.releaseReports(l.path.verified, srtpKeysOf(l.send), srtpKeysOf(l.receive)); err != nil {
		return err
	}
	l.wipeKeys()
	return nil
}

func (l *leg) wipeKeys() {
	l.send.Wipe()
	l.receive.Wipe()
	l.send, l.receive = nil, nil
}

// srtpKeysOf borrows the keys of an event for the making of protectors.
func srtpKeysOf(k *zrtp.SRTPKeys) srtpKeys {
	return srtpKeys{profile: profileOf(k), key: k.Key.Reveal(), salt: k.Salt.Reveal()}
}

// profileOf is the SRTP profile of a ZRTP cipher and auth tag
// (RFC 6189 §5.1.3 and RFC 6189 §5.1.4); no profile for an unknown pair, which
// nothing can be made of. "GCM " is an addition that Linphone 5.3 brought: it
// means RFC 7714 with the 16-byte tag, under the key that the cipher's length
// calls for and a salt of 96 bits, as all of RFC 7714's suites have.
func profileOf(k *zrtp.SRTPKeys) protect.Profile {
	return map[[2]wire.Algo]protect.Profile{
		{wire.A("AES1"), wire.A("HS80")}: protect.AESCM128HMACSHA1_80,
		{wire.A("AES1"), wire.A("HS32")}: protect.AESCM128HMACSHA1_32,
		{wire.A("AES1"), wire.A("GCM")}:  protect.AEADAES128GCM,
		{wire.A("AES3"), wire.A("HS80")}: protect.AESCM256HMACSHA1_80,
		{wire.A("AES3"), wire.A("HS32")}: protect.AESCM256HMACSHA1_32,
		{wire.A("AES3"), wire.A("GCM")}:  protect.AEADAES256GCM,
	}[[2]wire.Algo{k.Cipher, k.AuthTag}]
}

// stopVoice ends the call because voice must not flow.
func (l *leg) stopVoice(err error) {
	l.engine.log.Warn("voice refused", "peer", l.call.peer, "error", err)
	var refusal *route.Refusal
	if errors.As(err, &refusal) {
		l.refuse(NoRoute, InWords(err), refusal)
		return
	}
	l.refuse(NotSecure, InWords(err), nil)
}
