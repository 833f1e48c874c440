package engine

import (
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"sotto/zrtp"
)

// trust is what the user knows of the call's security. The leg owns it.
type trust struct {
	found    bool         // somebody who speaks ZRTP
	clear    bool         // voice flows, or has flowed, without keys
	secured  bool         // the call is, and peer is known
	peer     zrtp.Secured // zero before
	attacked bool         // the user has found the SAS of this call different
	compared bool         // the user has found the SAS of this call equal
	relayed  bool         // by a PBX: compared is about its SAS
	name     string       // of the peer's record
	notices  []Notice     // ordered, each once

	recorded SecurityLevel // in the audit trail
}

func (t *trust) note(n Notice) {
	if i, found := slices.BinarySearch(t.notices, n); !found {
		t.notices = slices.Insert(t.notices, i, n)
	}
}

// forget reports whether n was there.
func (t *trust) forget(n Notice) bool {
	i, found := slices.BinarySearch(t.notices, n)
	if found {
		t.notices = slices.Delete(t.notices, i, i+1)
	}
	return found
}

// setName shows name from now on, and asks for one where the SAS was compared
// and there is none.
func (t *trust) setName(name string, verified bool) {
	t.name = name
	t.forget(NoticeName)
	t.forget(NoticeNameless)
	if name != "" {
		t.note(NoticeName)
	} else if verified {
		t.note(NoticeNameless)
	}
}

// level is how far the call can be trusted. It depends on nothing else than
// what is known, so nothing raises it but a fact.
func (t *trust) level() SecurityLevel {
	switch {
	case t.attacked:
		return LevelAttacked
	case !t.secured && t.clear:
		return LevelClear
	case !t.secured && t.found:
		return LevelGoingSecure
	case !t.secured:
		return LevelNone
	case t.peer.CacheMismatch && (t.relayed || !t.compared):
		return LevelSuspect
	case t.relayed:
		return LevelRelayed
	case t.compared:
		return LevelCompared
	case t.peer.Verified:
		return LevelVerified
	case t.peer.Continued:
		return LevelContinued
	}
	return LevelEncrypted
}

// note notes n, and tells the user if that is new.
func (l *leg) note(n Notice) {
	if !slices.Contains(l.trust.notices, n) {
		l.trust.note(n)
		l.tellLevel()
	}
}

// setLevel has [Call.Level] say what is known of the call's security now: not
// later than an event does.
func (l *leg) setLevel() SecurityLevel {
	level := l.trust.level()
	l.call.level.Store(int32(level))
	return level
}

// tellLevel tells the user what is known of the call's security now.
func (l *leg) tellLevel() {
	level := l.setLevel()
	if was := l.trust.recorded; was != level {
		l.trust.recorded = level
		l.record("level", "from", was.String(), "to", level.String())
	}
	l.say(Security{
		Level: level, Text: level.Text(), Name: l.trust.name, Notices: slices.Clone(l.trust.notices),
	})
}

// look tells the user, once there is somebody to look for, what the signalling
// is worth.
func (l *leg) look(announced bool) {
	l.trust.note(NoticeSignaling) // SIP over TLS is not built yet
	if !announced {
		l.trust.note(NoticeNotAnnounced)
	}
	l.tellLevel()
}

// goSecure tells the user that the peer speaks ZRTP. Clear voice that flows
// already stays what it is until there are keys.
func (l *leg) goSecure(p zrtp.PeerFound) {
	l.engine.log.Info("peer speaks ZRTP", "peer", l.call.peer, "client", p.ClientID)
	if p.MiTM {
		l.trust.note(NoticePBX)
	}
	l.trust.found = true
	if l.trust.level() != l.call.Level() {
		l.tellLevel()
	}
}

// tell tells the user that the call is secure, and how far it can be trusted.
func (l *leg) tell(s zrtp.Secured) {
	for notice, is := range map[Notice]bool{
		NoticeDisclosure: s.PeerFlags.Disclosure, NoticeAllowClear: s.PeerFlags.AllowClear, NoticeAuxMismatch: s.AuxMismatch,
		NoticePBX: s.Enrolled,
	} {
		if is {
			l.trust.note(notice)
		}
	}
	record, err := l.store.Load(s.PeerZID)
	if err != nil {
		l.say(Warning{"The name of this phone could not be looked up: " + InWords(err)})
	}
	l.trust.peer, l.trust.secured = s, true
	if s.CacheMismatch {
		l.rule(suspected) // alarm: the level shows it, and goes no higher without the user
	}
	// The handshake has read the record before: another call may have changed
	// it, and whom nobody can name is not verified.
	l.trust.peer.Verified = s.Verified && record.Verified
	level := l.setLevel()
	l.trust.setName(record.Name, level.Verified())
	record.Wipe()
	l.say(Secured{
		SAS: s.SAS, SASType: s.Suite.SAS.String(), Suite: s.Suite.String(), PeerZID: s.PeerZID.String(),
		Initiator: s.Role == zrtp.Initiator, Level: level, Verified: level.Verified(),
	})
	l.tellLevel()
	l.engine.log.Info("call secured", "peer", l.call.peer, "suite", s.Suite.String(), "level", level.String())
}

// setVerified is Call.SetVerified. A mismatch ends the call before anything
// else can go wrong.
func (l *leg) setVerified(matched bool) error {
	if !l.call.Level().Encrypted() {
		return errors.New("engine: there is no SAS to compare")
	}
	if !matched {
		l.voice.silence() // before anything is told of it
		l.record("compared", "equal", "no")
		l.trust.attacked = true
		l.tellLevel()
		if l.rule(sasDiffers) == endCall {
			l.refuse(NotSecure, textSASMismatch, nil)
		}
	}
	if matched && l.trust.relayed { // this says nothing about our own keys with the PBX
		l.trust.compared = true
		l.trust.note(NoticeRelayCompared)
		l.record("compared", "equal", "yes", "relayed", "yes")
		l.tellLevel()
		return nil
	}
	if err := l.keys.SetVerified(matched); err != nil || !matched {
		return err
	}
	if !l.trust.compared {
		l.trust.compared = true
		l.record("compared", "equal", "yes")
		l.trust.setName(l.trust.name, true)
		l.tellLevel()
	}
	return nil
}

// relay shows the SAS that a PBX relays. What was compared before was another,
// and the peer may be connected to somebody else now.
func (l *leg) relay(r zrtp.SASRelayed) {
	if r.Flags.Disclosure && l.rule(disclosed) == endCall {
		l.refuse(NotSecure, textDisclosure, nil)
		return
	}
	if l.trust.compared && !l.trust.relayed {
		l.trust.peer.CacheMismatch = false // the comparison has settled it
	}
	l.trust.relayed, l.trust.compared = true, false
	l.trust.forget(NoticeRelayCompared)
	l.trust.note(NoticePBX)
	if r.Flags.Disclosure {
		l.trust.note(NoticeDisclosure)
	}
	l.setLevel()
	l.say(SASRelayed{SAS: r.SAS, SASType: r.Scheme.String()})
	l.tellLevel()
}

// enroll is Call.Enroll.
func (l *leg) enroll() error {
	if !l.trust.level().Verified() {
		return errors.New("engine: compare the SAS before you trust a PBX")
	}
	if err := l.keys.Enroll(); err != nil {
		return err
	}
	l.trust.forget(NoticeEnrollment)
	l.tellLevel()
	return nil
}

// maxName is the longest name of a peer in bytes.
const maxName = 200

// setName is Call.SetName. Without a comparison in this call, another name
// means that the user is not talking to whom the SAS was compared with.
func (l *leg) setName(name string) error {
	name = strings.TrimSpace(name)
	switch level := l.call.Level(); {
	case !level.Encrypted():
		return errors.New("engine: the other side has not shown who it is")
	case level == LevelSuspect || level == LevelRelayed && !l.trust.compared:
		return errors.New("engine: compare the SAS first: the name belongs to a phone that this one may not be")
	case len(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return errors.New("engine: a name is one line of at most 200 bytes")
	case name == l.trust.name:
		return nil
	}
	err := l.store.Update(l.trust.peer.PeerZID, func(r *zrtp.Record) error {
		r.Name = name
		r.Verified = r.Verified && l.trust.compared && !l.trust.relayed // which compared another SAS
		return nil
	})
	if err != nil {
		return err
	}
	l.trust.peer.Verified = false
	l.trust.setName(name, l.trust.compared)
	l.tellLevel()
	return nil
}
