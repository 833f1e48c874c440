package zrtp

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"sotto/internal/netsim"
	"sotto/zrtp/wire"
)

// knownCodes are the codes of RFC 6189 §5.9.
func knownCodes(t *testing.T) []wire.ErrorCode {
	t.Helper()
	var codes []wire.ErrorCode
	for c := range wire.ErrorCode(0x200) {
		if !strings.HasPrefix(c.String(), "unknown") {
			codes = append(codes, c)
		}
	}
	if len(codes) != 20 {
		t.Fatalf("%d codes", len(codes))
	}
	return codes
}

// cut shortens a message of that type, and says so in its length word.
func cut(t *testing.T, what wire.Type, to int) func([]byte) []byte {
	return rewrite(t, what, func(m []byte) []byte {
		binary.BigEndian.PutUint16(m[2:], uint16(to/4))
		return m[:to]
	})
}

// badPlain makes a Confirm of e, with a right MAC, announce a signature that is
// not there.
func badPlain(t *testing.T, e *end, what wire.Type) func([]byte) []byte {
	return reconfirm(t, e, what, func(plain []byte) { plain[34] |= 2 })
}

// causes are handshakes, and what follows them, that end with a code at the end
// they return.
type causes map[wire.ErrorCode][]func() *end

// handshakeCauses are those of one handshake that somebody spoils.
func handshakeCauses(t *testing.T) causes {
	played := func(change func(p *pair)) *pair {
		p := initiatedByA(t)
		change(p)
		p.run()
		return p
	}
	return causes{
		wire.ErrorMalformed: {
			func() *end { return played(func(p *pair) { p.a.onSend = cut(t, wire.TypeCommit, 64) }).b },
			func() *end { return played(func(p *pair) { p.b.onSend = cut(t, wire.TypeDHPart1, 64) }).a },
			func() *end { return played(func(p *pair) { p.a.onSend = cut(t, wire.TypeDHPart2, 64) }).b },
			func() *end { return played(func(p *pair) { p.b.onSend = badPlain(t, p.b, wire.TypeConfirm1) }).a },
			func() *end { return played(func(p *pair) { p.a.onSend = badPlain(t, p.a, wire.TypeConfirm2) }).b },
		},
		wire.ErrorVersion: {func() *end {
			return played(func(p *pair) {
				h := p.b.newHello()
				h.Version = [4]byte{'1', '.', '0', '0'}
				p.b.ours.hello = appendMAC(h.Append(nil), p.b.chain.h[2])
			}).a
		}},
		wire.ErrorHelloMismatch: {
			func() *end {
				return played(func(p *pair) { p.b.onSend = rewrite(t, wire.TypeHello, func(m []byte) []byte { m[16] ^= 1; return m }) }).a
			},
			func() *end {
				return played(func(p *pair) {
					p.a.onSend = func(pkt []byte) []byte {
						if is(pkt, wire.TypeCommit) {
							p.a.SetPeerHelloHash(p.now, [32]byte{})
						}
						return pkt
					}
				}).a
			},
		},
		wire.ErrorPublicValue: {func() *end {
			return played(func(p *pair) {
				p.b.onSend = rewrite(t, wire.TypeDHPart1, func(m []byte) []byte { clear(m[pvAt : len(m)-macLen]); return m })
			}).a
		}},
		wire.ErrorHVI: {func() *end {
			return played(func(p *pair) {
				p.a.onSend = rewrite(t, wire.TypeDHPart2, func(m []byte) []byte { m[pvAt] ^= 1; return m })
			}).b
		}},
		wire.ErrorConfirmMAC: {func() *end {
			return played(func(p *pair) {
				p.b.onSend = rewrite(t, wire.TypeConfirm1, func(m []byte) []byte { m[12] ^= 1; return m })
			}).a
		}},
		wire.ErrorTimeout: {func() *end {
			return played(func(p *pair) {
				p.b.onSend = func(pkt []byte) []byte {
					if is(pkt, wire.TypeHello) {
						return pkt
					}
					return nil
				}
			}).a
		}},
	}
}

// otherCauses are those that take other parties, or other streams.
func otherCauses(t *testing.T) causes {
	return causes{
		wire.ErrorSoftware: {func() *end {
			a := configA(1)
			store := newMemoryStore()
			a.Store, store.fail = store, errStore
			p := newPair(t, a, configB(1), netsim.Config{})
			p.run()
			return p.a
		}},
		wire.ErrorHashUnsupported:         {unsupportedCase(t, 0)},
		wire.ErrorCipherUnsupported:       {unsupportedCase(t, 1)},
		wire.ErrorAuthTagUnsupported:      {unsupportedCase(t, 2)},
		wire.ErrorKeyAgreementUnsupported: {unsupportedCase(t, 3)},
		wire.ErrorSASUnsupported:          {unsupportedCase(t, 4)},
		wire.ErrorNoSharedSecret: {func() *end {
			store, _ := verifiedStores(t)
			p := presharedPair(t, 2, netsim.Config{}, func(a, b *Config) { a.Store, b.Store, b.Passive = store, newMemoryStore(), true })
			p.run()
			return p.b
		}},
		wire.ErrorUntrustedMiTM: {func() *end {
			p := nearCall(t, stores{newMemoryStore(), newMemoryStore()})
			p.b.continuity.enrolled = true
			p.relay(p.b, farCall(t).b)
			p.settle()
			return p.a
		}},
		wire.ErrorNonceReuse: {func() *end {
			p := newPair(t, configA(1), configB(1), netsim.Config{})
			p.mustSecure()
			a, b := configA(5), configB(5)
			a.First, b.First, b.Passive = p.a.Session, p.b.Session, true
			s := newPair(t, a, b, netsim.Config{})
			s.a.onSend = rewrite(t, wire.TypeCommit, func(m []byte) []byte {
				c, err := wire.ParseCommit(m)
				if err != nil {
					t.Fatal(err)
				}
				p.b.nonces.take(c.Nonce) // as if another stream had used it
				return m
			})
			s.run()
			return s.b
		}},
		wire.ErrorEqualZIDs: {func() *end {
			b := configB(1)
			b.ZID = zidA
			p := newPair(t, configA(1), b, netsim.Config{})
			p.run()
			return p.a
		}},
		wire.ErrorSSRCCollision: {func() *end {
			b := configB(1)
			b.SSRC = configA(1).SSRC
			p := newPair(t, configA(1), b, netsim.Config{})
			p.run()
			return p.a
		}},
		wire.ErrorUnavailable: {func() *end {
			a, b := configA(1), configB(1)
			a.Passive, b.Passive = true, true
			p := newPair(t, a, b, netsim.Config{Delay: time.Millisecond})
			p.run()
			return p.a
		}},
		wire.ErrorGoClear: {func() *end {
			p := clearPair(t, false, true)
			p.b.peerFlags.AllowClear, p.b.cfg.Policy.AllowClear = true, true // so it believes
			p.goClear(p.b)
			p.settle()
			return p.a
		}},
	}
}

// Each code of RFC 6189 §5.9 has a cause, and the Session that meets it says so
// to its owner and to the peer.
func TestEveryErrorCode(t *testing.T) {
	causes := handshakeCauses(t)
	maps.Copy(causes, otherCauses(t))
	for _, code := range knownCodes(t) {
		if len(causes[code]) == 0 {
			t.Errorf("%#x has no cause", uint32(code))
		}
		for i, cause := range causes[code] {
			e := cause()
			if e.failed == nil || e.failed.Code != code || e.failed.Remote || e.failed.Err == nil {
				t.Errorf("%#x, cause %d: %+v in %s", uint32(code), i, e.failed, e.State())
			}
			if !slices.Contains(e.errors, code) {
				t.Errorf("%#x, cause %d: the peer was told %v", uint32(code), i, e.errors)
			}
			if e.keys != nil {
				t.Errorf("%#x, cause %d: keys outlive it", uint32(code), i)
			}
		}
	}
}

// unsupportedCase is a Commit to what the responder has not offered.
func unsupportedCase(t *testing.T, list int) func() *end {
	return func() *end {
		narrow := [5]string{"S256", "AES1", "HS80", "X255", "B32"}
		other := [5]string{"S384", "AES3", "HS32", "EC25", "B256"}
		a, b := configA(1), configB(1)
		b.Passive = true
		*b.Policy.Offer.lists()[list] = algos(narrow[list])
		*a.Policy.Offer.lists()[list] = algos(other[list], narrow[list])
		p := newPair(t, a, b, netsim.Config{Delay: time.Millisecond})
		p.b.onSend = rewrite(t, wire.TypeHello, func(m []byte) []byte {
			return bytes.Replace(m, name(narrow[list]), name(other[list]), 1)
		})
		p.run()
		return p.b
	}
}

// A right checksum and garbage behind it, from anybody who does not know the
// peer's hash chain, leaves no trace: in no state, and the call goes on.
func TestAdversary_C4_GarbageOfStrangers(t *testing.T) {
	for _, mt := range []wire.Type{
		wire.TypeHello, wire.TypeCommit, wire.TypeDHPart1, wire.TypeDHPart2, wire.TypeConfirm1, wire.TypeConfirm2,
		wire.TypeConf2ACK, wire.TypeError, wire.TypeSASRelay, wire.TypeGoClear, {'?'},
	} {
		for _, words := range []int{3, 4, 11, 13, 19, 40} {
			msg := make([]byte, 4*words)
			msg[0], msg[1], msg[3] = 0x50, 0x5a, byte(words)
			copy(msg[4:], mt[:])
			if words == 4 && mt == wire.TypeError || words == 3 && mt == wire.TypeConf2ACK {
				continue // well-formed: TestAdversary_D4 has them
			}
			throughout(t, msg, func(state State, err error, e *end) {
				confirm := words >= 19 && (mt == wire.TypeConfirm1 || mt == wire.TypeConfirm2) // its MAC is wrong
				if err == nil && !confirm || e.State() != state || len(e.out)+len(e.events) != 0 {
					t.Errorf("%s of %d words in %s: %v, now in %s", mt, words, state, err, e.State())
				}
			})
		}
	}
}

// throughout runs a handshake and puts msg in after each step, on both sides,
// as if it were the peer's.
func throughout(t *testing.T, msg []byte, check func(State, error, *end)) *pair {
	t.Helper()
	p := initiatedByA(t)
	p.a.Start(p.now)
	p.b.Start(p.now)
	p.drain()
	for again := true; again; again = p.step() {
		if p.now.After(epoch.Add(time.Minute)) {
			t.Fatalf("hang: a in %s, b in %s", p.a.State(), p.b.State())
		}
		for _, e := range []*end{p.a, p.b} {
			from := map[*end]*end{p.a: p.b, p.b: p.a}[e]
			state := e.State()
			err := p.inject(e, from, msg)
			check(state, err, e)
		}
		p.drain()
	}
	if p.a.secured == nil || p.b.secured == nil {
		mt, _ := wire.MessageType(msg)
		t.Errorf("%s stops the handshake: %+v, %+v", mt, p.a.failed, p.b.failed)
		return p
	}
	p.mustAgree()
	return p
}

// What carries no proof changes nothing, before and after the secure state: the
// handshake ends as if it had not been there.
func TestAdversary_D4_Throughout(t *testing.T) {
	e := wire.Error{Code: wire.ErrorConfirmMAC}
	relay := wire.Sealed{Type: wire.TypeSASRelay, Encrypted: make([]byte, 40)}
	for _, msg := range [][]byte{
		e.Append(nil), relay.Append(nil), (&wire.GoClear{}).Append(nil), (&wire.PingACK{}).Append(nil),
		wire.AppendACK(nil, wire.TypeClearACK), wire.AppendACK(nil, wire.TypeRelayACK),
		wire.AppendACK(nil, wire.TypeErrorACK), wire.AppendACK(nil, wire.TypeConf2ACK),
	} {
		mt, _ := wire.MessageType(msg)
		p := throughout(t, msg, func(state State, err error, e *end) {
			early := mt == wire.TypeConf2ACK && state == Confirm2Sent // media goes out early, to nobody else
			heard := mt == wire.TypeError && e.theirs.hello != nil && state < Confirm2Sent
			if (err == nil) != (early || heard) || !early && e.State() != state || len(e.out) > 0 && !heard {
				t.Errorf("%s in %s: %v, now in %s", mt, state, err, e.State())
			}
		})
		if p.a.failed != nil || p.b.failed != nil || p.a.cleared != nil || len(p.a.relayed) != 0 {
			t.Errorf("%s: %+v, %+v", mt, p.a.failed, p.b.failed)
		}
	}
}

// A true Error is believed once the peer stays silent.
func TestErrorIsBelieved(t *testing.T) {
	for state := CommitSent; state < Confirm2Sent; state++ {
		s := &end{Session: sessionIn(t, state)}
		s.events = nil
		e := wire.Error{Code: wire.ErrorUnavailable}
		if err := s.HandlePacket(epoch, wire.AppendPacket(nil, wire.Packet{Seq: 9, SSRC: 0xb, Message: e.Append(nil)})); err != nil {
			t.Fatal(err)
		}
		due := epoch.Add(stepRhythm.longest)
		if s.HandleTimeout(due.Add(-1)); s.State() != state || s.Deadline().After(due) {
			t.Errorf("%s: too early, or never", state)
		}
		s.HandleTimeout(due)
		f, ok := s.NextEvent().(Failed)
		if !ok || f.Code != wire.ErrorUnavailable || !f.Remote || s.State() != Closed || !s.Deadline().IsZero() {
			t.Errorf("%s: %+v, now in %s", state, f, s.State())
		}
	}
}
