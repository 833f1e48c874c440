package engine

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"time"

	"sotto/engine/audit"
	"sotto/media"
	"sotto/media/protect"
	"sotto/media/route"
	"sotto/sip"
	"sotto/sip/sdp"
	"sotto/zrtp"
)

const (
	// byeTimeout bounds how long the end of a call waits for the peer.
	byeTimeout = 2 * time.Second
	// ringTimeout is how long an incoming call may ring.
	ringTimeout = 3 * time.Minute
)

// leg is one call at work. One goroutine, run, owns every field and calls
// every method; newLeg comes before it.
type leg struct {
	engine    *Engine
	cfg       *Config
	mode      mode
	state     state
	call      *Call
	trail     *audit.Recorder
	untrailed bool // the user knows that it can't be written
	dialog    *sip.Dialog
	voice     *voice
	keys      *zrtp.Session
	store     zrtp.Store // the peer's record
	trust     trust
	ssrc      uint32
	ctx       context.Context // the call's life, in which its audio is opened
	cancel    context.CancelFunc

	local      sdp.Local
	ours       *sdp.Session // our last description
	agreed     sdp.Agreed
	change     *change // our offer to change the call that waits for its answer
	alerted    bool    // Ringing has been told
	answered   bool
	held       bool      // by the peer
	ringsUntil time.Time // zero: it does not ring at our user's

	inbox     <-chan []byte  // voice.inbox once key agreement has begun; nil before
	packet    []byte         // the ZRTP packet being sent
	opening   <-chan opened  // the audio, while it is being opened or tones have it
	tones     *tones         // nil: none yet
	receive   *zrtp.SRTPKeys // what is agreed and not yet with the media, where
	send      *zrtp.SRTPKeys // the reports need both
	receiving bool           // the media has the receive keys
	sending   bool           // and the send keys
	thin      bool           // the user knows that the keys wear thin
	path      path
	secured   *zrtp.Secured // not told yet
	untold    []zrtp.Event  // that follow it
	reportAt  time.Time     // zero: no media yet

	heard, heardByPeer quality // what we hear, and what is heard of us

	reason *Reason // set when the call is to end
	gone   bool    // the dialog has ended by itself
}

// newLeg opens the call's sockets and makes its ZRTP Session, whose Hello the
// session description announces.
func newLeg(e *Engine, peer string, incoming bool) (*leg, error) {
	voice, err := openVoice(e.Addr().Addr())
	if err != nil {
		return nil, err
	}
	ssrc := randomUint32()
	store := promptStore{e.memory.Store(addressOfRecord(e.cfg.Identity), addressOfRecord(peer))}
	keys, err := zrtp.New(zrtp.Config{
		Rand: rand.Reader, ZID: e.memory.ZID(), SSRC: ssrc, ClientID: "Sotto", Policy: e.policy,
		Store: store,
	})
	if err != nil {
		voice.close()
		return nil, err
	}
	if !e.mode.insecure {
		voice.gate = &media.Gate{}
	}
	hash := keys.HelloHash()
	l := &leg{
		engine: e, cfg: &e.cfg, mode: e.mode, state: e.mode.begin(), voice: voice, keys: keys, store: store, ssrc: ssrc,
		call: newCall(peer, incoming), trail: e.trail.Recorder(rand.Text()[:8]),
		local: sdp.Local{
			ID: uint64(randomUint32()), Address: e.Addr().Addr(), Port: voice.sockets.port(),
			Codecs: offered(&e.cfg), PacketTime: int(e.cfg.Coding.PacketTime / time.Millisecond), ZRTPHashes: []sdp.ZRTPHash{{Version: keys.Version(), Hash: hash[:]}},
		},
	}
	l.ctx, l.cancel = context.WithCancel(e.ctx)
	l.call.fallMute = voice.fallMute
	context.AfterFunc(l.ctx, voice.fallMute)
	return l, nil
}

// offered is what our descriptions name. In secure mode that is no comfort noise:
// a phone that takes it invites the other one to be silent where its user is.
func offered(cfg *Config) []sdp.Codec {
	if cfg.AllowInsecure {
		return append(sdp.Voice(), sdp.Noise())
	}
	return sdp.Voice()
}

// abandon undoes newLeg for a call that never began.
func (l *leg) abandon() {
	l.cancel()
	l.keys.Close()
	l.voice.close()
	l.stopRinging()
	close(l.call.ended)
}

// run is the leg goroutine, from the first signalling to the last packet.
func (l *leg) run() {
	l.recordBegin()
	signals, stop := l.listen()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for l.reason == nil {
		timer.Reset(l.wait())
		heard := signals
		if l.change != nil {
			heard = nil // what the peer says next builds on its answer
		}
		select {
		case e := <-heard:
			l.onSignal(e)
		case f := <-l.call.commands:
			f(l)
		case o := <-l.opening:
			l.onAudio(o)
		case pkt := <-l.inbox:
			_ = l.keys.HandlePacket(time.Now(), pkt) // dropped, if it fails
		case d := <-l.voice.digits:
			l.say(Digit{d})
		case <-l.voice.authentic:
			l.keys.HandleMedia()
		case err := <-l.voice.over:
			l.onAudioOver(err)
		case f := <-l.voice.jack.failed:
			if l.voice.jack.out() {
				l.onAudioFailed(f.err)
			}
		case s := <-l.path.sightings:
			l.onSighting(s)
		case err := <-l.trail.Missed():
			l.onUntrailed(err)
		case <-timer.C:
			l.onTime(time.Now())
		case <-l.ctx.Done():
			l.end(Reason{Kind: HungUp, Text: "this program is shutting down"})
		}
		l.drain()
	}
	stop()
	l.finish()
}

// listen starts the signalling goroutine; stop ends it and waits for it.
func (l *leg) listen() (signals <-chan sip.Event, stop func()) {
	ctx, cancel := context.WithCancel(l.ctx)
	events := make(chan sip.Event)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			e, err := l.dialog.Next(ctx)
			if err != nil {
				return
			}
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	return events, func() { cancel(); <-done }
}

// wait is how long nothing has to be done.
func (l *leg) wait() time.Duration {
	wait := time.Hour
	for _, at := range []time.Time{l.keys.Deadline(), l.reportAt, l.ringsUntil, l.path.reopenAt, l.path.holdAt, l.path.endAt} {
		if !at.IsZero() {
			wait = min(wait, time.Until(at))
		}
	}
	return max(wait, 0)
}

func (l *leg) onTime(now time.Time) {
	l.keys.HandleTimeout(now)
	l.onRouteTime(now)
	if !l.ringsUntil.IsZero() && !now.Before(l.ringsUntil) {
		l.end(Reason{Kind: NoAnswer, Text: "nobody answered here"})
	}
	if l.reportAt.IsZero() || now.Before(l.reportAt) {
		return
	}
	reports := l.voice.flow.Load().reports
	if errors.Is(reports.Report(now), protect.ErrKeyLimit) { // any other is a lost packet
		l.withoutKeys(cleared, textKeysSpent)
		return
	}
	l.tellQuality(reports.Stats())
	l.tellWear(reports.KeysWearThin())
	l.scheduleReport(now)
}

// scheduleReport varies the interval so that calls don't report in step
// (RFC 3550 §6.2).
func (l *leg) scheduleReport(now time.Time) {
	half := media.ReportInterval / 2
	l.reportAt = now.Add(half + time.Duration(randomUint32())%(2*half))
}

// randomUint32 is unpredictable, as what starts a stream must be
// (RFC 3550 §5.1).
func randomUint32() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint32(b[:])
}

// onAudioOver ends the call with its audio; nil is the end of the source.
func (l *leg) onAudioOver(err error) {
	switch {
	case errors.Is(err, protect.ErrKeyLimit): // of the frame that was to leave
		l.withoutKeys(cleared, textKeysSpent)
	case err != nil:
		l.fail(AudioFailed, err)
	default:
		l.end(Reason{Kind: HungUp, Text: "the audio source has ended"})
	}
}

// stopRinging gives the call's place among the ringing ones back: it has been
// answered, or is over.
func (l *leg) stopRinging() {
	if !l.ringsUntil.IsZero() {
		l.ringsUntil = time.Time{}
		l.engine.ringing.Add(-1)
	}
}

// end decides why the call ends; only the first reason counts.
func (l *leg) end(r Reason) {
	if l.reason == nil {
		l.reason = &r
		l.rule(callEnded)
	}
}

// rule holds what has happened against the rules. Its verdict is the caller's to
// carry out, but what is over is silent at once, before anything is told of it.
func (l *leg) rule(c cause) verdict {
	was, next := l.state, l.mode.on(l.state, c)
	l.state = next.to
	if next.to == over {
		l.voice.silence()
	}
	if next.to != was {
		l.record("state", "cause", c.String(), "from", was.String(), "to", next.to.String())
	}
	return next.do
}

// fail ends the call because of err: the log gets all of it, people its words.
func (l *leg) fail(kind ReasonKind, err error) {
	l.engine.log.Warn("call fails", "peer", l.call.peer, "kind", kind.String(), "error", err)
	l.end(Reason{Kind: kind, Text: InWords(err)})
}

// hangUpReason is what Close means in the state of the call.
func (l *leg) hangUpReason() Reason {
	switch {
	case l.answered:
		return Reason{Kind: HungUp, Text: "we hung up"}
	case l.call.incoming:
		return Reason{Kind: Declined, Text: "we declined the call"}
	}
	return Reason{Kind: Canceled, Text: "we gave up before the call was answered"}
}

// refuse silences the call, tells the user what secure mode has refused and
// ends the call.
func (l *leg) refuse(kind ReasonKind, text string, refusal *route.Refusal) {
	l.voice.silence()
	l.say(Refused{Text: text, Route: refusal})
	l.end(Reason{Kind: kind, Text: text})
}

// finish silences the call, lets our user hear if it was refused, tells the peer
// otherwise, and only then waits for what could hang: the devices, and whoever
// opens them. The last event is given when nothing of the call is left.
func (l *leg) finish() {
	l.voice.silence()
	l.soundRefusal()
	l.hush()
	if !l.gone {
		l.hangUp()
	}
	l.cancel()
	l.voice.close()
	if l.opening != nil {
		_ = (<-l.opening).audio.Close()
	}
	l.keys.Close()
	l.wipeKeys()
	l.stopRinging()
	l.call.final = l.voice.stats()
	l.trust.found = false // if it has not arrived there, it is not secure
	l.setLevel()
	l.sayEnded(Ended{Reason: *l.reason, Level: l.call.Level(), Stats: l.call.final})
	close(l.call.ended)
}

// hangUp ends the dialog as its state asks: BYE, CANCEL or a refusal. Why is
// nobody's business: the peer and every proxy could read it.
func (l *leg) hangUp() {
	var err error
	if l.call.incoming && !l.answered {
		err = l.dialog.Reject(rejectCode(l.reason.Kind))
	} else {
		ctx, cancel := context.WithTimeout(context.Background(), byeTimeout)
		defer cancel()
		err = l.dialog.Bye(ctx, "")
	}
	if err != nil && !errors.Is(err, sip.ErrEnded) {
		l.engine.log.Info("hanging up", "peer", l.call.peer, "error", err)
	}
}

// rejectCode is the SIP status for turning an incoming call away.
func rejectCode(kind ReasonKind) int {
	switch kind {
	case Declined:
		return 603
	case NotSecure, NoRoute, Incompatible, Malformed:
		return 488
	}
	return 480
}
