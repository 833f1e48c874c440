package engine

import (
	"errors"
	"math/rand/v2"
	"testing"

	"sotto/media/audio"
	"sotto/media/route"
	"sotto/sip/sdp"
	"sotto/zrtp"
)

// act has a real leg meet a cause, the way it comes to it.
type act struct {
	cause cause
	do    func(l *leg)
	// raises: it may raise the level of the call.
	raises bool
}

var hashed = sdp.Agreed{Codec: sdp.Voice()[0], ZRTPHashes: []sdp.ZRTPHash{{Version: "1.10", Hash: make([]byte, 32)}}}

// weaken is a description that takes the hash away.
func weaken(l *leg, c cause) error {
	l.agreed = hashed
	return l.tolerates(c, sdp.Agreed{Codec: l.agreed.Codec})
}

func tells(err error) func(*leg) {
	return func(l *leg) { l.onSighting(sighting{err: err, alarm: "test"}) }
}

var _, refusedRoute = route.Policy{}.Check(route.Report{Routes: []route.Route{{Class: route.HDMI}}})

// acts are for legs in secure mode; the keys come once.
func acts() []act {
	return []act{
		{gotKeys, func(l *leg) {
			if !l.sending && l.send == nil {
				l.onKeys(zrtp.KeysReady{Send: newKeys(1), Receive: newKeys(2)})
				l.onKeys(zrtp.Secured{SAS: "sas"})
			} else {
				l.rule(gotKeys)
			}
		}, true},
		{noZRTP, func(l *leg) { l.onKeys(zrtp.NoPeer{}) }, false},
		{noKeys, func(l *leg) { l.onKeys(zrtp.Failed{Err: errors.New("test")}) }, false},
		{cleared, func(l *leg) { l.onKeys(zrtp.Cleared{Remote: true}) }, false},
		{disclosed, func(l *leg) { l.onKeys(zrtp.KeysReady{PeerFlags: zrtp.Flags{Disclosure: true}}) }, false},
		{weakerOffer, func(l *leg) { _ = weaken(l, weakerOffer) }, false},
		{recorded, func(l *leg) {
			if l.tolerates(weakerOffer, sdp.Agreed{Codec: l.agreed.Codec, Recorded: true}) != nil {
				l.refuse(NotSecure, textRecorded, nil)
			}
		}, false},
		{routeVerified, func(l *leg) {
			v, err := l.cfg.Routes.Verify(route.Route{Class: route.BuiltinMic})
			l.onSighting(sighting{verified: v, err: err})
		}, true},
		{routeRefused, tells(refusedRoute), false},
		{sasDiffers, func(l *leg) {
			if l.setVerified(false) != nil && !l.trust.attacked { // there is no SAS yet
				l.rule(sasDiffers)
				l.refuse(NotSecure, textSASMismatch, nil)
			}
		}, false},
		{callEnded, func(l *leg) {
			l.gone = true
			l.end(Reason{Kind: HungUp})
			l.finish()
		}, false},
	}
}

// Whatever happens to a real call in whatever order: its media is as open as the
// model says, its level rises only with a cause, and its end is the model's.
func TestLegFollowsTheRules(t *testing.T) {
	// What ends the call comes seldom, so that walks are long.
	var lasting, ending []act
	for _, a := range acts() {
		if mode.on(mode{}, talking, a.cause).to == over {
			ending = append(ending, a)
		} else {
			lasting = append(lasting, a)
		}
	}
	ends := 0
	for seed := range seeds(40) {
		rng := rand.New(rand.NewPCG(seed, 2))
		l := waiting(t, Config{})
		m := newModel(mode{}, idle)
		l.voice.plug(Audio{Source: audio.Silence{}, Sink: audio.Discard{}})
		if err := l.voice.start(l.cfg, l.agreed, l.ssrc, l.engine.phases); err != nil {
			t.Fatal(err)
		}
		for step := range 12 {
			a := lasting[rng.IntN(len(lasting))]
			if rng.IntN(8) == 0 {
				a = ending[rng.IntN(len(ending))]
			}
			before := l.call.Level()
			a.do(l)
			m.happens(a.cause)
			if l.state == over != m.over || (l.reason != nil) != m.over {
				t.Fatalf("seed %d, step %d, %v: state %v, ended with %+v, want %+v", seed, step, a.cause, l.state, l.reason, m)
			}
			if open := l.voice.gate.Passes() && l.receiving && l.sending && !l.voice.silent; open != m.voice() {
				t.Fatalf("seed %d, step %d, %v: media is open: %v, want %+v", seed, step, a.cause, open, m)
			}
			if after := l.call.Level(); after > before && !a.raises {
				t.Fatalf("seed %d, step %d: %v raises the level from %v to %v", seed, step, a.cause, before, after)
			}
			if m.over {
				ends++
				break
			}
		}
	}
	if ends < 10 {
		t.Errorf("%d walks came to an end", ends)
	}
}
