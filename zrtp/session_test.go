package zrtp

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"sotto/internal/netsim"
	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

func TestEverySuite(t *testing.T) {
	all := builtIn()
	for _, ka := range all.KeyAgreements {
		for _, h := range all.Hashes {
			if !fits(ka, h) || !withPublicValues(ka) {
				continue
			}
			for _, c := range all.Ciphers {
				for i, tag := range all.AuthTags {
					sas := all.SASTypes[i]
					t.Run(Suite{h, c, tag, ka, sas}.String(), func(t *testing.T) {
						one := func(a wire.Algo) []wire.Algo { return []wire.Algo{a} }
						offer := Offer{one(h), one(c), one(tag), one(ka), one(sas)}
						a, b := configA(1), configB(1)
						a.Policy.Offer, b.Policy.Offer = offer, offer
						p := newPair(t, a, b, netsim.Config{})
						p.mustSecure()
						if got := p.a.secured.Suite; got != (Suite{h, c, tag, ka, sas}) {
							t.Errorf("agreed on %s", got)
						}
						if n := p.a.send.Key.Len() * 8; n != cipherBits(c) {
							t.Errorf("%d-bit key", n)
						}
					})
				}
			}
		}
	}
}

func TestBothRoles(t *testing.T) {
	for _, passive := range []string{"a", "b"} {
		a, b := configA(1), configB(1)
		a.Passive, b.Passive = passive == "a", passive == "b"
		p := newPair(t, a, b, netsim.Config{})
		p.mustSecure()
		if got := p.a.secured.Role == Responder; got != (passive == "a") {
			t.Errorf("passive %s: a is the %s", passive, p.a.secured.Role)
		}
	}
}

// With nothing lost the responder may send after 3 round trips and the
// initiator after 3.5 (RFC 6189 §3.1.1).
func TestRoundTrips(t *testing.T) {
	const oneWay = 50 * time.Millisecond
	p := newPair(t, configA(3), configB(3), netsim.Config{Delay: oneWay})
	p.mustSecure()
	responder, initiator := p.a, p.b
	if p.a.secured.Role == Initiator {
		responder, initiator = p.b, p.a
	}
	if d := responder.securedAt.Sub(epoch); d > 6*oneWay {
		t.Errorf("responder secure after %v", d)
	}
	if d := initiator.securedAt.Sub(epoch); d > 7*oneWay {
		t.Errorf("initiator secure after %v", d)
	}
	if !initiator.readyRecv.Before(initiator.readySend) {
		t.Error("the initiator can't receive before it sends")
	}
}

func TestMediaStandsForConf2ACK(t *testing.T) {
	a, b := configA(1), configB(1)
	b.Passive = true
	p := newPair(t, a, b, netsim.Config{})
	p.b.onSend = func(pkt []byte) []byte {
		if is(pkt, wire.TypeConf2ACK) {
			p.a.HandleMedia()
			return nil
		}
		return pkt
	}
	p.mustSecure()
	if n := count(p.a.sent, wire.TypeConfirm2); n != 1 {
		t.Errorf("%d Confirm2 sent", n)
	}
	p.a.HandleMedia()
	if p.a.NextEvent() != nil {
		t.Error("media after the secure state is an event")
	}
}

func is(pkt []byte, want wire.Type) bool {
	p, err := wire.ParsePacket(pkt)
	if err != nil {
		return false
	}
	got, err := wire.MessageType(p.Message)
	return err == nil && got == want
}

func count(types []wire.Type, want wire.Type) (n int) {
	for _, t := range types {
		if t == want {
			n++
		}
	}
	return n
}

// Sequence numbers start low and rise by one each packet, retransmissions
// included: some peers drop whatever is not above the last.
func TestSequenceNumbers(t *testing.T) {
	p := newPair(t, configA(5), configB(5), netsim.Config{Seed: 1, Loss: 0.3, Delay: 20 * time.Millisecond})
	var seqs []uint16
	p.a.onSend = func(pkt []byte) []byte {
		w, err := wire.ParsePacket(pkt)
		if err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, w.Seq)
		return pkt
	}
	p.mustSecure()
	if seqs[0] >= 0x7fff {
		t.Errorf("first sequence number %#x", seqs[0])
	}
	for i := range seqs[1:] {
		if seqs[i+1] != seqs[i]+1 {
			t.Fatalf("sequence numbers %v", seqs)
		}
	}
}

func TestNoPeer(t *testing.T) {
	p := newPair(t, configA(1), configB(1), netsim.Config{})
	p.a.onSend = func([]byte) []byte { return nil }
	p.b.onSend = p.a.onSend
	p.run()
	if p.a.noPeer == nil || p.a.failed != nil || p.a.State() != Discovery {
		t.Errorf("NoPeer %+v in %s", p.a.noPeer, p.a.State())
	}
	if n := count(p.a.sent, wire.TypeHello); n != 21 {
		t.Errorf("%d Hellos, want 1 and 20 more", n)
	}
	if d := p.now.Sub(epoch); d < 3750*time.Millisecond || d > 4*time.Second {
		t.Errorf("gave up after %v", d)
	}
	// A late Hello is still answered.
	p.a.onSend, p.b.onSend = nil, nil
	p.ba.Send(p.now, wire.AppendPacket(nil, wire.Packet{Seq: 1, SSRC: 0xb, Message: p.b.ours.hello}))
	p.step()
	if p.a.State() != CommitSent {
		t.Errorf("a late Hello leaves us in %s", p.a.State())
	}
}

func TestHelloHash(t *testing.T) {
	p := newPair(t, configA(1), configB(1), netsim.Config{})
	p.a.SetPeerHelloHash(p.now, p.b.HelloHash())
	p.b.SetPeerHelloHash(p.now, p.a.HelloHash())
	p.mustSecure()

	p = newPair(t, configA(1), configB(1), netsim.Config{})
	p.a.SetPeerHelloHash(p.now, [32]byte{1})
	p.run()
	if p.a.noPeer == nil || !p.a.noPeer.HelloMismatch || p.a.secured != nil || p.a.found != 0 {
		t.Errorf("a Hello that was not announced is taken: %+v, %s", p.a.noPeer, p.a.State())
	}

	p = newPair(t, configA(1), configB(1), netsim.Config{})
	p.a.Start(p.now)
	p.b.Start(p.now)
	p.drain()
	p.step()
	p.a.SetPeerHelloHash(p.now, [32]byte{1})
	p.drain()
	if p.a.failed == nil || p.a.failed.Code != wire.ErrorHelloMismatch {
		t.Error("a Hello hash that arrives late and differs is ignored")
	}
}

func TestRetainedSecrets(t *testing.T) {
	storeA, storeB := newMemoryStore(), newMemoryStore()
	call := func(seed uint64) *pair {
		a, b := configA(seed), configB(seed)
		a.Store, b.Store = storeA, storeB
		p := newPair(t, a, b, netsim.Config{})
		p.mustSecure()
		return p
	}
	first := call(1)
	if s := first.a.secured; s.Continued || s.Verified || s.CacheMismatch {
		t.Fatalf("first call: %+v", s)
	}
	if err := first.a.SetVerified(true); err != nil {
		t.Fatal(err)
	}
	second := call(2)
	if s := second.a.secured; !s.Continued || s.Verified {
		t.Fatalf("second call, one side verified: %+v", s)
	}
	if s := second.b.secured; !s.Continued || s.Verified || !s.PeerFlags.Verified {
		t.Fatalf("second call, the other side: %+v", s)
	}
	if err := second.b.SetVerified(true); err != nil {
		t.Fatal(err)
	}
	third := call(3)
	for _, e := range []*end{third.a, third.b} {
		if s := e.secured; !s.Continued || !s.Verified {
			t.Fatalf("third call: %+v", s)
		}
	}
	// One side missed the last update: rs2 bridges it.
	old := cloneRecord(storeB.records[zidA])
	call(4)
	storeB.records[zidA] = old
	for _, e := range []*end{call(5).a, call(6).b} {
		if s := e.secured; !s.Continued || !s.Verified || s.CacheMismatch {
			t.Fatalf("out of step by one: %+v", s)
		}
	}
	// The SAS did not match: nothing of this lineage is kept.
	if err := call(7).a.SetVerified(false); err != nil {
		t.Fatal(err)
	}
	if r := storeA.records[zidB]; r.RS1.Len()+r.RS2.Len() != 0 || r.Verified {
		t.Errorf("after a mismatching SAS: %+v", r)
	}
}

func TestAdversary_E1_AlarmRepeats(t *testing.T) {
	storeA, storeB := newMemoryStore(), newMemoryStore()
	call := func(seed uint64) *pair {
		a, b := configA(seed), configB(seed)
		a.Store, b.Store = storeA, storeB
		p := newPair(t, a, b, netsim.Config{})
		p.mustSecure()
		return p
	}
	p := call(1)
	if err := p.a.SetVerified(true); err != nil {
		t.Fatal(err)
	}
	storeB.records = map[wire.ZID]Record{}
	kept := cloneRecord(storeA.records[zidB])
	for seed := uint64(2); seed < 4; seed++ { // the alarm repeats
		storeB.records = map[wire.ZID]Record{}
		p = call(seed)
		if s := p.a.secured; !s.CacheMismatch || s.Verified || s.Continued {
			t.Fatalf("lost cache not noticed: %+v", s)
		}
		if p.b.secured.CacheMismatch || p.b.secured.PeerFlags.Verified {
			t.Fatal("the side without a record sees a mismatch, or is told verified")
		}
		if r := storeA.records[zidB]; !r.RS1.Equal(kept.RS1) || !r.Verified {
			t.Fatal("the record changed without the user's word")
		}
	}
	if err := p.a.SetVerified(true); err != nil {
		t.Fatal(err)
	}
	if r := storeA.records[zidB]; r.RS1.Len() == 0 || r.RS1.Equal(kept.RS1) || r.RS2.Len() != 0 || !r.Verified {
		t.Fatal("the record was not renewed after the user compared the SAS")
	}
	if s := call(5).a.secured; s.CacheMismatch || !s.Continued {
		t.Errorf("after recovery: %+v", s)
	}
}

func TestExpiry(t *testing.T) {
	storeA, storeB := newMemoryStore(), newMemoryStore()
	call := func(seed uint64, at time.Time, expiryB uint32) *pair {
		a, b := configA(seed), configB(seed)
		a.Store, b.Store, b.Expiry = storeA, storeB, expiryB
		p := newPair(t, a, b, netsim.Config{})
		p.now = at
		p.mustSecure()
		return p
	}
	call(1, epoch, 60)
	if s := call(2, epoch.Add(time.Minute/2), 60).a.secured; !s.Continued {
		t.Error("forgotten too early")
	}
	storeB.records = map[wire.ZID]Record{}
	if s := call(3, epoch.Add(time.Hour), 60).a.secured; s.Continued || s.CacheMismatch {
		t.Errorf("an expired secret raised the alarm: %+v", s)
	}
	// A peer without a cache asks us not to keep anything.
	clear(storeA.records)
	b := configB(4)
	a := configA(4)
	a.Store = storeA
	newPair(t, a, b, netsim.Config{}).mustSecure()
	if r := storeA.records[zidB]; r.RS1.Len() != 0 {
		t.Error("kept a secret that the peer does not keep")
	}
}

func TestAuxSecret(t *testing.T) {
	for _, same := range []bool{true, false} {
		a, b := configA(1), configB(1)
		a.AuxSecret = secret.Copy([]byte("tell nobody"))
		b.AuxSecret = secret.Copy([]byte("tell nobody"))
		if !same {
			b.AuxSecret = secret.Copy([]byte("tell anybody"))
		}
		p := newPair(t, a, b, netsim.Config{})
		p.mustSecure()
		if p.a.secured.AuxMismatch == same || p.b.secured.AuxMismatch == same {
			t.Errorf("same %v: mismatch %v, %v", same, p.a.secured.AuxMismatch, p.b.secured.AuxMismatch)
		}
	}
}

func TestStoreFailures(t *testing.T) {
	a, b := configA(1), configB(1)
	store := newMemoryStore()
	a.Store = store
	store.fail = errStore
	p := newPair(t, a, b, netsim.Config{})
	p.run()
	if p.a.failed == nil || p.a.failed.Code != wire.ErrorSoftware || p.a.send != nil {
		t.Error("an unreadable store does not stop the call")
	}
	store.fail, store.full = nil, errStore
	p = newPair(t, a, b, netsim.Config{})
	p.mustSecure()
	if p.a.storeFail != 1 {
		t.Errorf("%d StoreFailed", p.a.storeFail)
	}
	if err := p.a.SetVerified(true); !errors.Is(err, errStore) {
		t.Errorf("SetVerified on a full store: %v", err)
	}
	store.full = nil
	if err := p.a.SetVerified(true); err != nil {
		t.Error(err)
	}
	if r := store.records[zidB]; r.RS1.Len() != 0 || r.Verified {
		t.Errorf("the peer keeps nothing, and yet: %+v", r)
	}
}

func TestConfigValidation(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no randomness":   func(c *Config) { c.Rand = nil },
		"no ZID":          func(c *Config) { c.ZID = wire.ZID{} },
		"long client ID":  func(c *Config) { c.ClientID = "seventeen letters" },
		"unknown algo":    func(c *Config) { c.Policy.Offer.Hashes = algos("MD5") },
		"too many":        func(c *Config) { c.Policy.Offer.Hashes = slices.Repeat(algos("S256"), 8) },
		"dry randomness":  func(c *Config) { c.Rand = emptyRand{} },
		"unknown sas":     func(c *Config) { c.Policy.Offer.SASTypes = algos("B64") },
		"unknown dh":      func(c *Config) { c.Policy.Offer.KeyAgreements = algos("DH9k") },
		"unknown cipher":  func(c *Config) { c.Policy.Offer.Ciphers = algos("2FS1") },
		"unknown authtag": func(c *Config) { c.Policy.Offer.AuthTags = algos("SK32") },
	} {
		cfg := configA(1)
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

type emptyRand struct{}

func (emptyRand) Read([]byte) (int, error) { return 0, fmt.Errorf("dry") }

// Every (state, message) pair that Transitions does not list is silence.
func TestTransitions(t *testing.T) {
	rows := map[tableKey]Transition{}
	for _, r := range Transitions() {
		k := tableKey{r.From, r.Message}
		if _, twice := rows[k]; twice {
			t.Errorf("two rows for %s in %s", r.Message, r.From)
		}
		rows[k] = r
	}
	samples := handshakeMessages(t)
	types := map[wire.Type]bool{}
	for _, m := range samples {
		mt, _ := wire.MessageType(m)
		types[mt] = true
	}
	if len(types) != 15 { // all but Ping, which is no part of the table
		t.Fatalf("samples of %d types", len(types))
	}
	for state := Idle; state <= Closed; state++ {
		for _, m := range samples {
			mt, err := wire.MessageType(m)
			if err != nil {
				t.Fatal(err)
			}
			if _, listed := rows[tableKey{state, mt}]; listed {
				continue
			}
			s := sessionIn(t, state)
			pkt := wire.AppendPacket(nil, wire.Packet{Seq: 9, SSRC: 0xb, Message: m})
			if err := s.HandlePacket(epoch, pkt); err == nil {
				t.Errorf("%s in %s: accepted", mt, state)
			}
			if s.State() != state || s.NextEvent() != nil || len(s.out) != 0 {
				t.Errorf("%s in %s: not silent", mt, state)
			}
		}
	}
}

// handshakeMessages is one message of each kind that side B sends.
func handshakeMessages(t *testing.T) [][]byte {
	var all [][]byte
	for _, passive := range []bool{true, false} {
		a, b := configA(1), configB(1)
		b.Passive, a.Passive = passive, !passive
		p := newPair(t, a, b, netsim.Config{})
		p.b.onSend = func(pkt []byte) []byte {
			w, err := wire.ParsePacket(pkt)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, slices.Clone(w.Message))
			return pkt
		}
		p.mustSecure()
	}
	e, g := wire.Error{Code: wire.ErrorTimeout}, wire.GoClear{}
	relay := wire.Sealed{Type: wire.TypeSASRelay, Encrypted: make([]byte, 40)}
	return append(all, e.Append(nil), g.Append(nil), relay.Append(nil), (&wire.PingACK{}).Append(nil),
		wire.AppendACK(nil, wire.TypeErrorACK), wire.AppendACK(nil, wire.TypeClearACK),
		wire.AppendACK(nil, wire.TypeRelayACK), wire.AppendACK(nil, wire.TypeConf2ACK))
}

// sessionIn is a Session stopped in a state on the way, drained.
func sessionIn(t *testing.T, want State) *Session {
	for _, passive := range []bool{false, true} {
		a, b := configA(1), configB(1)
		a.Passive, b.Passive = passive, !passive
		a.Policy.AllowClear, b.Policy.AllowClear = true, true
		p := newPair(t, a, b, netsim.Config{Delay: time.Millisecond})
		stop := func() bool { return p.a.State() == want }
		if want == ErrorSent || want == Closed {
			p.a.fail(p.now, wire.ErrorTimeout, errStore)
			p.a.drain(p.now, netsim.NewLink(netsim.Config{}))
			if want == Closed {
				p.a.Close()
			}
			return p.a.Session
		}
		if stop() {
			return p.a.Session
		}
		p.a.Start(p.now)
		p.b.Start(p.now)
		p.drain()
		for range 1000 {
			if p.a.State() == Secure && want > Secure {
				if err := p.a.GoClear(p.now); err != nil {
					t.Fatal(err)
				}
				p.drain()
			}
			if stop() {
				return p.a.Session
			}
			if !p.step() {
				break
			}
		}
	}
	t.Fatalf("never in state %s", want)
	return nil
}
