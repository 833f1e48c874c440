package zrtp

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"sotto/internal/kat"
	"sotto/internal/netsim"
	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

// furtherStream is a stream beside p, which is secure.
func (p *pair) furtherStream(seed uint64, network netsim.Config) *pair {
	p.t.Helper()
	a, b := configA(seed+1000), configB(seed+1000)
	a.SSRC, b.SSRC = a.SSRC+uint32(seed)<<8, b.SSRC+uint32(seed)<<8
	a.First, b.First = p.a.Session, p.b.Session
	a.Policy, b.Policy = p.a.cfg.Policy, p.b.cfg.Policy
	return newPair(p.t, a, b, network)
}

// mustBeFurther demands mirrored keys, no SAS and nothing stored.
func (p *pair) mustBeFurther() {
	p.t.Helper()
	for _, e := range []*end{p.a, p.b} {
		if e.secured == nil || e.secured.SAS != "" || e.secured.Suite.KeyAgreement != wire.Multistream || e.ExportedKey() != nil {
			p.t.Fatalf("%s: %+v, failed %+v", e.State(), e.secured, e.failed)
		}
		if err := e.SetVerified(true); err == nil {
			p.t.Error("a SAS was verified where there is none")
		}
	}
	mirrored(p.t, p.a.send, p.b.recv)
	mirrored(p.t, p.b.send, p.a.recv)
}

// Any number of streams go on from one agreement, side by side over a bad
// network, each with keys of its own.
func TestAdversary_D8_StreamsInParallel(t *testing.T) {
	secure := 0
	for seed := range uint64(40) {
		stores := [2]*memoryStore{newMemoryStore(), newMemoryStore()}
		a, b := configA(seed), configB(seed)
		a.Store, b.Store = stores[0], stores[1]
		first := newPair(t, a, b, netsim.Config{})
		first.mustSecure()
		rs1 := stores[0].records[zidB].RS1
		var streams []*pair
		for i := range uint64(8) {
			network := badNetwork(100*seed + i)
			s := first.furtherStream(i+1, network)
			s.a.Start(s.now)
			s.b.Start(s.now)
			s.drain()
			streams = append(streams, s)
		}
		for running := true; running; {
			running = false
			for _, s := range streams {
				running = s.step() || running
			}
		}
		keys := map[string]bool{string(first.a.send.Key.Reveal()): true}
		for i, s := range streams {
			if s.a.failed != nil || s.b.failed != nil {
				if lost := cmp.Or(s.a.failed, s.b.failed).Code; lost != wire.ErrorTimeout {
					t.Fatalf("seed %d: stream %d: %s", seed, i, lost)
				}
				continue // too little came through
			}
			secure++
			s.mustBeFurther()
			if k := string(s.a.send.Key.Reveal()); keys[k] {
				t.Fatalf("seed %d: stream %d has the keys of another", seed, i)
			} else {
				keys[k] = true
			}
		}
		if !stores[0].records[zidB].RS1.Equal(rs1) {
			t.Fatal("a further stream has changed the cache")
		}
	}
	if secure < 250 {
		t.Errorf("%d of 320 streams secure", secure)
	}
}

// Before the first stream is secure there are no others, whatever the peer
// commits to.
func TestAdversary_D8_NotBeforeTheFirst(t *testing.T) {
	p := newPair(t, configA(1), configB(1), netsim.Config{})
	a := configA(2)
	a.First = p.a.Session
	if _, err := New(a); err == nil {
		t.Error("a further stream before the first is secure")
	}
	for state := Idle; state <= Closed; state++ {
		if a.First = sessionIn(t, state); state == Secure || state == Clear {
			continue
		}
		if _, err := New(a); err == nil {
			t.Errorf("a further stream of a first in %s", state)
		}
	}
	for _, preshared := range []bool{false, true} {
		c := initiatedByA(t)
		replace(c.a, wire.TypeCommit, func(m []byte) []byte {
			commit, err := wire.ParseCommit(m)
			if err != nil {
				t.Fatal(err)
			}
			commit.KeyAgreement = wire.Multistream
			if preshared {
				commit.KeyAgreement = wire.Preshared
			}
			return c.a.recommit(commit)
		})
		c.run()
		c.b.mustFail(t, wire.ErrorKeyAgreementUnsupported)
		if c.b.recv != nil || count(c.b.sent, wire.TypeConfirm1) != 0 {
			t.Error("a key of a stream that is not there")
		}
	}
	p.mustSecure()
	second := p.furtherStream(1, netsim.Config{})
	second.run()
	a = configA(3)
	a.First = second.a.Session
	if _, err := New(a); err == nil {
		t.Error("a further stream of a further stream")
	}
	a.First, a.ZID = p.a.Session, wire.ZID{9}
	if _, err := New(a); err == nil {
		t.Error("a further stream with another ZID")
	}
}

// One side takes the stream for the first of a call: no keys.
func TestAdversary_A2_DHAgainstMultistream(t *testing.T) {
	for _, passive := range []string{"a", "b", ""} {
		p := newPair(t, configA(1), configB(1), netsim.Config{})
		p.mustSecure()
		a, b := configA(5), configB(5)
		a.First = p.a.Session
		a.Passive, b.Passive = passive == "a", passive == "b"
		s := newPair(t, a, b, netsim.Config{})
		s.run()
		if s.a.send != nil || s.a.recv != nil || s.b.send != nil || s.b.recv != nil || s.a.failed == nil || s.b.failed == nil {
			t.Errorf("passive %q: %+v, %+v", passive, s.a.failed, s.b.failed)
		}
	}
}

// A further stream has the algorithms of the first, whatever both sides offer.
func TestAdversary_D8_OtherAlgorithms(t *testing.T) {
	for list, want := range map[string]wire.ErrorCode{
		"hash": wire.ErrorHashUnsupported, "cipher": wire.ErrorCipherUnsupported, "tag": wire.ErrorAuthTagUnsupported,
	} {
		p := newPair(t, configA(1), configB(1), netsim.Config{})
		p.mustSecure()
		s := p.furtherStream(1, netsim.Config{})
		s.b.cfg.Passive = true
		replace(s.a, wire.TypeCommit, func(m []byte) []byte {
			c, err := wire.ParseCommit(m)
			if err != nil {
				t.Fatal(err)
			}
			switch list {
			case "hash":
				c.Hash = wire.A("S256")
			case "cipher":
				c.Cipher = wire.A("AES1")
			default:
				c.AuthTag = wire.A("HS32")
			}
			return s.a.recommit(c)
		})
		s.run()
		s.b.mustFail(t, want)
	}
}

// Another peer than that of the first stream is refused.
func TestMultistreamWithAnotherPeer(t *testing.T) {
	p := newPair(t, configA(1), configB(1), netsim.Config{})
	p.mustSecure()
	a, b := configA(5), configB(5)
	a.First, b.ZID = p.a.Session, wire.ZID{7}
	s := newPair(t, a, b, netsim.Config{})
	s.run()
	if s.a.failed == nil || s.a.failed.Code != wire.ErrorHelloMismatch || s.a.recv != nil {
		t.Errorf("%+v", s.a.failed)
	}
}

// A nonce that was used before ends the exchange (RFC 6189 §4.4.3.1).
func TestMultistreamNonceReuse(t *testing.T) {
	p := newPair(t, configA(1), configB(1), netsim.Config{})
	p.mustSecure()
	var nonces [][16]byte
	for range 2 {
		a, b := configA(5), configB(7) // a draws the same nonce twice
		a.First, b.First, b.Passive = p.a.Session, p.b.Session, true
		p.a.nonces = nil // or its own check would be first
		s := newPair(t, a, b, netsim.Config{})
		s.run()
		c, err := wire.ParseCommit(s.a.ours.commit)
		if err != nil {
			t.Fatal(err)
		}
		if nonces = append(nonces, c.Nonce); len(nonces) == 2 {
			if s.b.failed == nil || s.b.failed.Code != wire.ErrorNonceReuse || s.b.recv != nil {
				t.Errorf("%+v", s.b.failed)
			}
		}
	}
	if nonces[0] != nonces[1] {
		t.Fatal("the nonces differ")
	}
}

// The recorded second stream gives the recorded keys.
func TestKnownStream(t *testing.T) {
	r := recordings(t)["x255_2streams"]
	initiator, responder := messagesOf(t, r.Stream2.PacketsA), messagesOf(t, r.Stream2.PacketsB)
	if r.RoleA == "responder" {
		initiator, responder = responder, initiator
	}
	s := &Session{role: Initiator, suite: suiteOf(&r.commit), call: &call{}}
	s.suite.KeyAgreement = wire.Multistream
	s.cfg.ZID, s.peer.hello.ZID = r.commit.ZID, hello(t, responder[wire.TypeHello]).ZID
	s.ours.commit, s.theirs.hello = initiator[wire.TypeCommit], responder[wire.TypeHello]
	if c, err := wire.ParseCommit(s.ours.commit); err != nil || c.KeyAgreement != wire.Multistream {
		t.Fatalf("%+v, %v", c, err)
	}
	context := s.context()
	equal(t, "total_hash", context[24:], r.Stream2.TotalHash)
	k := newKDF(newHash(s.suite.Hash), secret.Copy(r.ZRTPSess), context)
	equal(t, "s0", k.derive("ZRTP MSK", k.hashBits()), r.Stream2.S0)
	s.deriveFrom(secret.Copy(r.ZRTPSess))
	equal(t, "srtpkeyi", s.keys.srtp[side(Initiator)].Reveal(), r.Stream2.SRTPKeyI)

	// The recorded Confirm1 opens, and its chain and MACs hold.
	if s.peer.hello.H3 = hello(t, responder[wire.TypeHello]).H3; true {
		if _, ok, err := s.openConfirm(epoch, responder[wire.TypeConfirm1]); err != nil || !ok {
			t.Errorf("recorded Confirm1 refused: %v", err)
		}
	}
}

// verifiedStores are those of two who have compared their SAS.
func verifiedStores(t *testing.T) (a, b *memoryStore) {
	t.Helper()
	a, b = newMemoryStore(), newMemoryStore()
	ca, cb := configA(1), configB(1)
	ca.Store, cb.Store = a, b
	p := newPair(t, ca, cb, netsim.Config{})
	p.mustSecure()
	if err := errors.Join(p.a.SetVerified(true), p.b.SetVerified(true)); err != nil {
		t.Fatal(err)
	}
	return a, b
}

func presharedPair(t *testing.T, seed uint64, network netsim.Config, change func(a, b *Config)) *pair {
	t.Helper()
	a, b := configA(seed), configB(seed)
	for _, c := range []*Config{&a, &b} {
		c.Policy.Offer.KeyAgreements = algos("Prsh", "X255", "DH3k")
	}
	change(&a, &b)
	return newPair(t, a, b, network)
}

// Preshared mode goes on from what was retained, and leaves a new secret
// behind but not the old one (RFC 6189 §4.6.1).
func TestPreshared(t *testing.T) {
	secure := 0
	for seed := range uint64(30) {
		storeA, storeB := verifiedStores(t)
		old := secret.Copy(storeA.records[zidB].RS1.Reveal())
		aux := seed%3 == 0
		p := presharedPair(t, seed+2, badNetwork(seed), func(a, b *Config) {
			a.Store, b.Store = storeA, storeB
			if aux {
				a.AuxSecret, b.AuxSecret = secret.Copy([]byte("aux")), secret.Copy([]byte("aux"))
			}
		})
		p.run()
		if p.a.secured == nil || p.b.secured == nil {
			continue // too little came through
		}
		secure++
		p.mustAgree()
		for _, e := range []*end{p.a, p.b} {
			s := e.secured
			if s.Suite.KeyAgreement != wire.Preshared || !s.Continued || !s.Verified || s.CacheMismatch || s.AuxMismatch {
				t.Fatalf("seed %d: %+v", seed, s)
			}
		}
		ra, rb := storeA.records[zidB], storeB.records[zidA]
		if !ra.RS1.Equal(rb.RS1) || ra.RS1.Equal(old) || ra.RS2.Equal(old) {
			t.Fatal("the retained secret is not as it should be")
		}
		if slices.Contains(p.a.sent, wire.TypeDHPart1) || slices.Contains(p.a.sent, wire.TypeDHPart2) {
			t.Fatal("public values in Preshared mode")
		}
	}
	if secure < 20 {
		t.Errorf("%d of 30 calls secure", secure)
	}
}

// Of a phone and a PBX the phone is the initiator, whatever the nonces
// (RFC 6189 §4.2).
func TestPresharedWithPBX(t *testing.T) {
	for seed := range uint64(8) {
		storeA, storeB := verifiedStores(t)
		p := presharedPair(t, seed+2, netsim.Config{Delay: 10 * time.Millisecond}, func(a, b *Config) {
			a.Store, b.Store, b.MiTM = storeA, storeB, true
		})
		p.mustSecure()
		if p.a.secured.Role != Initiator || p.a.secured.Suite.KeyAgreement != wire.Preshared {
			t.Fatalf("seed %d: %+v", seed, p.a.secured)
		}
	}
}

// Whoever does not find the key commits to public values instead
// (RFC 6189 §4.4.2.3).
func TestPresharedFallsBack(t *testing.T) {
	for name, change := range map[string]func(a, b *Config){
		"cache lost":         func(_, b *Config) { b.Store = newMemoryStore() },
		"no store":           func(_, b *Config) { b.Store = nil },
		"b commits to DH":    func(_, b *Config) { b.Policy.Offer.KeyAgreements = algos("X255", "Prsh") },
		"b lacks Prsh":       func(_, b *Config) { b.Policy.Offer.KeyAgreements = algos("X255") },
		"unverified, both":   func(a, b *Config) { unverify(a); unverify(b) },
		"unverified, by one": func(a, b *Config) { unverify(b) },
	} {
		for seed := range uint64(6) {
			storeA, storeB := verifiedStores(t)
			p := presharedPair(t, seed+2, netsim.Config{Seed: seed, Delay: 10 * time.Millisecond}, func(a, b *Config) {
				a.Store, b.Store = storeA, storeB
				change(a, b)
			})
			p.mustSecure()
			if got := p.a.secured.Suite.KeyAgreement; got != wire.A("X255") {
				t.Errorf("%s: %s", name, got)
			}
			if lost := name == "cache lost" || name == "no store"; p.a.secured.CacheMismatch != lost {
				t.Errorf("%s: %+v", name, p.a.secured)
			}
		}
	}
}

// A responder with an auxsecret that the initiator lacks finds the key without
// it, and says that it was missing. The other way round there is no key.
func TestPresharedSubsets(t *testing.T) {
	modes := map[wire.Algo]int{}
	for seed := range uint64(20) {
		storeA, storeB := verifiedStores(t)
		p := presharedPair(t, seed+2, netsim.Config{Seed: seed, Delay: 10 * time.Millisecond}, func(a, b *Config) {
			a.Store, b.Store, b.AuxSecret = storeA, storeB, secret.Copy([]byte("aux"))
		})
		p.mustSecure()
		modes[p.a.secured.Suite.KeyAgreement]++
		if !p.b.secured.AuxMismatch || p.a.secured.AuxMismatch {
			t.Errorf("seed %d: %+v", seed, p.b.secured)
		}
	}
	if len(modes) != 2 {
		t.Errorf("%v", modes)
	}
}

func unverify(c *Config) {
	store := c.Store.(*memoryStore)
	for zid, r := range store.records {
		r.Verified = false
		store.records[zid] = r
	}
}

// A passive side without the key says so (RFC 6189 §5.9).
func TestPresharedWithoutSecret(t *testing.T) {
	storeA, _ := verifiedStores(t)
	p := presharedPair(t, 2, netsim.Config{}, func(a, b *Config) {
		a.Store, b.Store, b.Passive = storeA, newMemoryStore(), true
	})
	p.run()
	if p.b.failed == nil || p.b.failed.Code != wire.ErrorNoSharedSecret || p.a.recv != nil {
		t.Errorf("%+v", p.b.failed)
	}
}

// The hybrids and the KEMs alone, with fragments, over bad networks.
func TestKEMMode(t *testing.T) {
	for _, name := range []string{"K255", "K448", "X1M1", "X3M3"} {
		secure := 0
		for seed := range uint64(20) {
			a, b := configA(seed), configB(seed)
			a.Policy.Offer.KeyAgreements, b.Policy.Offer.KeyAgreements = algos(name), algos(name, "X255")
			p := newPair(t, a, b, badNetwork(seed))
			for _, e := range []*end{p.a, p.b} {
				e.onSend = func(pkt []byte) []byte {
					if len(pkt) > maxPacketLen {
						t.Fatalf("a packet of %d bytes", len(pkt))
					}
					return pkt
				}
			}
			p.run()
			if p.a.secured != nil && p.b.secured != nil {
				p.mustAgree()
				if secure++; p.a.secured.Suite.KeyAgreement != wire.A(name) {
					t.Fatalf("%s: %s", name, p.a.secured.Suite)
				}
			}
		}
		if secure < 10 {
			t.Errorf("%s: %d of 20 secure", name, secure)
		}
	}
}

// The recorded handshakes in KEM mode give the recorded keys, and the key in
// their Commit is where it belongs.
func TestKnownKEM(t *testing.T) {
	for _, h := range kat.KEMHandshakes() {
		initiator, responder := assembled(t, h.PacketsA), assembled(t, h.PacketsB)
		if h.RoleA == "responder" {
			initiator, responder = responder, initiator
		}
		c, err := wire.ParseCommit(initiator[wire.TypeCommit])
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "pv of the Commit", c.PV, h.PublicKey)
		part1, err := wire.ParseDHPart(responder[wire.TypeDHPart1])
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "pv of DHPart1", part1.PV, h.Ciphertext)
		s := &Session{role: Initiator, suite: suiteOf(&c)}
		s.cfg.ZID, s.peer.hello.ZID = c.ZID, hello(t, responder[wire.TypeHello]).ZID
		s.ours = messages{commit: c.Append(nil), dhPart: initiator[wire.TypeDHPart2]}
		s.theirs = messages{hello: responder[wire.TypeHello], dhPart: responder[wire.TypeDHPart1]}
		sum := newHash(c.Hash)()
		sum.Write(s.ours.dhPart)
		sum.Write(s.theirs.hello)
		equal(t, "hvi", c.HVI[:], sum.Sum(nil)[:32])
		context := s.context()
		equal(t, "total_hash", context[24:], h.TotalHash)
		s0 := deriveS0(newHash(c.Hash), bytes.Clone(h.DHResult), context, shared{})
		equal(t, "s0", s0.Reveal(), h.S0)
		keys := newKDF(newHash(c.Hash), s0, context).sessionKeys(s.suite)
		equal(t, "sashash", keys.sashash[:], h.SASHash)
		equal(t, "srtpkeyi", keys.srtp[0].Reveal(), h.SRTPKeyI)
		equal(t, "srtpsalti", keys.salt[0].Reveal(), h.SRTPSaltI)
		if got := RenderSAS(c.SAS, keys.sashash); got != h.SAS {
			t.Errorf("%s: SAS %q, want %q", h.Name, got, h.SAS)
		}
	}
}

// assembled keeps the first message of each type, put together if need be.
func assembled(t *testing.T, packets []kat.Hex) map[wire.Type][]byte {
	t.Helper()
	m := map[wire.Type][]byte{}
	var a wire.Assembler
	for _, pkt := range packets {
		p, err := wire.ParsePacket(pkt)
		if err != nil {
			t.Fatal(err)
		}
		msg := p.Message
		if p.Fragment != (wire.Fragment{}) {
			if msg = a.Add(p); msg == nil {
				continue
			}
		}
		mt, err := wire.MessageType(msg)
		if err != nil {
			t.Fatal(err)
		}
		if _, again := m[mt]; !again {
			m[mt] = msg
		}
	}
	return m
}

// "GCM " has keys of the cipher's length and the salt of RFC 7714 §12.
func TestGCMSalt(t *testing.T) {
	for tag, want := range map[string]int{"GCM": 12, "HS80": 14, "HS32": 14} {
		a, b := configA(1), configB(1)
		a.Policy.Offer.AuthTags, b.Policy.Offer.AuthTags = algos(tag), algos(tag)
		p := newPair(t, a, b, netsim.Config{})
		p.mustSecure()
		if got := p.a.send.Salt.Len(); got != want || p.a.send.AuthTag != wire.A(tag) {
			t.Errorf("%s: salt of %d bytes", tag, got)
		}
	}
}

// The letters of B32 and the pictures of B32E stand for the same bits.
func TestEmoji(t *testing.T) {
	seen := map[rune]bool{}
	for i := range 32 {
		hash := [32]byte{byte(i << 3), 0x44, 0x32, 0x10}
		letters, pictures := []rune(RenderSAS(wire.A("B32"), hash)), []rune(RenderSAS(wire.A("B32E"), hash))
		if len(letters) != 4 || len(pictures) != 4 {
			t.Fatal(fmt.Sprint(letters, pictures))
		}
		if base32Alphabet[i] != byte(letters[0]) || emojiAlphabet[i] != pictures[0] || seen[pictures[0]] {
			t.Errorf("%d: %c %c", i, letters[0], pictures[0])
		}
		seen[pictures[0]] = true
	}
}
