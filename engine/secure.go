package engine

import (
	"errors"

	"sotto/media/protect"
	"sotto/media/route"
	"sotto/zrtp"
	"sotto/zrtp/wire"
)

// What secure mode says when it ends a call.
const (
	textNoZRTP      = "The other side does not speak ZRTP, so the call can't be made secure. Nothing was said in the clear."
	textOtherHello  = "The ZRTP Hello that arrived is not the one that the signalling announced: somebody may have changed it. Nothing was said in the clear."
	textKeysFailed  = "The keys could not be agreed: "
	textDisclosure  = "The other side says that it may disclose the keys of this call (disclosure flag)."
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

func (l *leg) onKeys(e zrtp.Event) {
	switch e := e.(type) {
	case zrtp.NoPeer:
		text := textNoZRTP
		if e.HelloMismatch {
			text = textOtherHello
		}
		l.insecure(text)
	case zrtp.Failed:
		if e.Err != nil {
			l.insecure(textKeysFailed + e.Err.Error())
		} else {
			l.insecure(textKeysFailed + "the other side reports: " + e.Code.String())
		}
	case zrtp.KeysReady:
		if l.reason != nil { // the call is over
			e.Send.Wipe()
			e.Receive.Wipe()
		} else if err := l.release(e); err != nil {
			l.stopVoice(err)
		}
	case zrtp.Secured:
		l.secured(e)
	case zrtp.StoreFailed:
		l.call.events.put(Warning{"The secret for the next call could not be stored: " + e.Err.Error()})
	case zrtp.PeerFound:
		l.engine.log.Info("peer speaks ZRTP", "peer", l.call.peer, "client", e.ClientID)
	}
}

// insecure is what happens when there will be no keys: secure mode ends the
// call, without it the user is told.
func (l *leg) insecure(text string) {
	if l.cfg.AllowInsecure {
		l.call.events.put(Warning{text + " The call goes on without encryption, because secure mode is off."})
		return
	}
	l.refuse(NotSecure, text, nil)
}

// release verifies the audio routes and only then gives the media its keys,
// which it owns from then on; the copies here are wiped.
func (l *leg) release(k zrtp.KeysReady) error {
	if k.Receive != nil {
		l.pending = k.Receive
	}
	defer k.Send.Wipe()
	if !l.cfg.AllowInsecure {
		verified, err := l.cfg.Routes.Verify(l.routes...)
		if err != nil {
			return err
		}
		l.verified = verified
	}
	if k.Receive != nil {
		if err := l.voice.releaseReceive(l.verified, srtpKeysOf(k.Receive)); err != nil {
			return err
		}
	}
	if k.Send == nil {
		return nil
	}
	if err := l.voice.releaseSend(l.verified, srtpKeysOf(k.Send)); err != nil {
		return err
	}
	err := l.voice.releaseReports(l.verified, srtpKeysOf(k.Send), srtpKeysOf(l.pending))
	l.pending.Wipe()
	return err
}

// srtpKeysOf borrows the keys of an event for the making of protectors.
func srtpKeysOf(k *zrtp.SRTPKeys) srtpKeys {
	return srtpKeys{profile: profileOf(k), key: k.Key.Reveal(), salt: k.Salt.Reveal()}
}

// profileOf is the SRTP profile of a ZRTP cipher and auth tag
// (RFC 6189 §5.1.3 and §5.1.4).
func profileOf(k *zrtp.SRTPKeys) protect.Profile {
	long, short := protect.AESCM128HMACSHA1_80, protect.AESCM128HMACSHA1_32
	if k.Cipher == wire.A("AES3") {
		long, short = protect.AESCM256HMACSHA1_80, protect.AESCM256HMACSHA1_32
	}
	if k.AuthTag == wire.A("HS32") {
		return short
	}
	return long
}

// stopVoice ends the call because keys could not be released.
func (l *leg) stopVoice(err error) {
	var refusal *route.Refusal
	if errors.As(err, &refusal) {
		l.refuse(RouteRefused, err.Error(), refusal)
		return
	}
	l.refuse(NotSecure, err.Error(), nil)
}

// secured tells the user how far the call can be trusted.
func (l *leg) secured(s zrtp.Secured) {
	if l.reason != nil {
		return // refused meanwhile: the call is over
	}
	if s.PeerFlags.Disclosure && !l.cfg.AllowInsecure {
		l.refuse(NotSecure, textDisclosure, nil)
		return
	}
	level := levelOf(s)
	l.setLevel(level)
	l.call.events.put(Secured{
		SAS: s.SAS, SASType: s.Suite.SAS.String(), Suite: s.Suite.String(), PeerZID: s.PeerZID.String(),
		Initiator: s.Role == zrtp.Initiator, Level: level, Verified: level == LevelVerified,
	})
	switch level {
	case LevelSuspect:
		l.call.events.put(CacheMismatch{})
	case LevelVerified:
		l.call.events.put(PeerVerified{})
	}
	l.engine.log.Info("call secured", "peer", l.call.peer, "suite", s.Suite.String(), "level", level.String())
}

func levelOf(s zrtp.Secured) SecurityLevel {
	switch {
	case s.CacheMismatch:
		return LevelSuspect
	case s.Verified:
		return LevelVerified
	case s.Continued:
		return LevelContinued
	}
	return LevelEncrypted
}

func (l *leg) setLevel(level SecurityLevel) { l.call.level.Store(uint32(level)) }

// setVerified is Call.SetVerified.
func (l *leg) setVerified(matched bool) error {
	if err := l.keys.SetVerified(matched); err != nil {
		return err
	}
	if !matched {
		l.setLevel(LevelSuspect)
		l.refuse(NotSecure, textSASMismatch, nil)
		return nil
	}
	if l.call.Level() != LevelVerified {
		l.setLevel(LevelVerified)
		l.call.events.put(PeerVerified{})
	}
	return nil
}
