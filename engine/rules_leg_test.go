package engine

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

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

// weakenByAnswer has our hold answered by a description without the hash.
func weakenByAnswer(l *leg) {
	l.agreed = hashed
	l.local.Codecs = sdp.Voice()[:1]
	l.ours = sdp.Offer(l.local)
	offer, err := l.reoffer(sdp.SendOnly)
	if err != nil {
		panic(err)
	}
	theirs := l.local
	theirs.ZRTPHashes = nil
	answer, err := sdp.Answer(offer, nil, theirs)
	if err != nil {
		panic(err)
	}
	_ = l.reanswered(answer.Append(nil), nil)
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
		{suspected, func(l *leg) { // found out when the keys are in use
			if l.state == talking {
				l.tell(zrtp.Secured{SAS: "sas", CacheMismatch: true})
			} else {
				l.rule(suspected)
			}
		}, false},
		{notAnnounced, func(l *leg) { l.admits(sdp.Agreed{Codec: l.agreed.Codec}, false) }, false},
		{weakerAnswer, weakenByAnswer, false},
		{routeDoubted, func(l *leg) {
			l.path.verified.Revoke() // the watcher has
			l.onSighting(sighting{alarm: "test"})
		}, false},
		{routeLost, func(l *leg) {
			tells(refusedRoute)(l)
			l.onRouteTime(l.path.endAt)
		}, false},
		{cleared, func(l *leg) { l.onKeys(zrtp.Cleared{Remote: true}) }, false},
		{disclosed, func(l *leg) { l.onKeys(zrtp.KeysReady{PeerFlags: zrtp.Flags{Disclosure: true}}) }, false},
		{weakerOffer, func(l *leg) { _ = weaken(l, weakerOffer) }, false},
		{recorded, func(l *leg) {
			if l.tolerates(weakerOffer, sdp.Agreed{Codec: l.agreed.Codec, Recorded: true}) != nil {
				l.refuse(NotSecure, textRecorded, nil)
			}
		}, false},
		{routeVerified, func(l *leg) {
			v, err := l.cfg.Routes.Verify(good.Routes...)
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

// sorted are the acts by whether they end a call. What does comes seldom, so that
// walks are long.
func sorted(m mode) (lasting, ending []act) {
	for _, a := range acts() {
		if m.on(talking, a.cause).to == over {
			ending = append(ending, a)
		} else {
			lasting = append(lasting, a)
		}
	}
	return lasting, ending
}

// There is an act for each cause, and the leg holds it against that cause's row: it
// ends the call, or does not, when the row is made to say the opposite.
func TestActsMeetTheirCause(t *testing.T) {
	all := acts()
	for c := range numCauses {
		i := slices.IndexFunc(all, func(a act) bool { return a.cause == c })
		if i < 0 {
			t.Errorf("no act for %v", c)
			continue
		}
		t.Run(c.String(), func(t *testing.T) {
			l := playing(t, Config{Routes: route.Policy{EndAfter: time.Hour}})
			if c != gotKeys {
				all[0].do(l)
				if l.state != talking {
					t.Fatalf("state %v", l.state)
				}
			}
			was := rules[c]
			defer func() { rules[c] = was }()
			rules[c] = ends
			if was[talking].to == over {
				rules[c] = passed
			}
			if all[i].do(l); (l.state == over) != (rules[c] == ends) {
				t.Errorf("state %v", l.state)
			}
			if c == suspected && l.call.Level() != LevelSuspect {
				t.Errorf("level %v", l.call.Level())
			}
		})
	}
}

// Whatever happens to a real call in whatever order: its media is as open as the
// model says, its level rises only with a cause, and its end is the model's.
func TestLegFollowsTheRules(t *testing.T) {
	ends := 0
	for seed := range seeds(60) {
		rng := rand.New(rand.NewPCG(seed, 2))
		announced := seed%2 == 1
		lasting, ending := sorted(mode{announced: announced})
		l := waiting(t, Config{RequireHelloHash: announced, Routes: route.Policy{EndAfter: time.Hour}})
		m := newModel(mode{announced: announced}, idle)
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
