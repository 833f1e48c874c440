package zrtp

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"sotto/internal/netsim"
	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

// seededRand is an endless deterministic source for Config.Rand.
func seededRand(seed uint64) *rand.ChaCha8 {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	return rand.NewChaCha8(key)
}

// memoryStore is a Store for tests that can be made to fail.
type memoryStore struct {
	records map[wire.ZID]Record
	fail    error // of Load and Update
	full    error // of Update alone
}

func newMemoryStore() *memoryStore { return &memoryStore{records: map[wire.ZID]Record{}} }

func cloneRecord(r Record) Record {
	c := r
	for _, s := range []**secret.Bytes{&c.RS1, &c.RS2, &c.PBXSecret} {
		if (*s).Len() > 0 {
			*s = secret.Copy((*s).Reveal())
		} else {
			*s = nil
		}
	}
	return c
}

func (m *memoryStore) Load(peer wire.ZID) (Record, error) {
	return cloneRecord(m.records[peer]), m.fail
}

func (m *memoryStore) Update(peer wire.ZID, change func(*Record) error) error {
	if err := cmp.Or(m.fail, m.full); err != nil {
		return err
	}
	r := cloneRecord(m.records[peer])
	if err := change(&r); err != nil {
		return err
	}
	m.records[peer] = cloneRecord(r)
	return nil
}

var (
	zidA, zidB = wire.ZID{1, 0xa}, wire.ZID{1, 0xb}
	epoch      = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

// end is one side of a pair with everything it has said.
type end struct {
	*Session
	store                           *memoryStore
	send, recv                      *SRTPKeys
	keyFlags                        Flags // that came with the keys
	secured                         *Secured
	failed                          *Failed
	noPeer                          *NoPeer
	found, storeFail                int
	relayed                         []SASRelayed
	cleared                         *Cleared
	asked, notRelayed               int
	errors                          []wire.ErrorCode // sent
	sent                            []wire.Type
	onMessage                       func(mt wire.Type, msg []byte) []byte // may change a message before it is cut
	onSend                          func(pkt []byte) []byte               // may change or drop (nil)
	onTaken                         func(from State, pkt []byte)          // after a packet was not dropped
	securedAt, readySend, readyRecv time.Time
}

// pair is two Sessions and the network between them, in virtual time.
type pair struct {
	t    testing.TB
	now  time.Time
	a, b *end
	ab   *netsim.Link
	ba   *netsim.Link
	seed uint64 // for the word of a failure
}

// The pair's key agreements are those whose messages all fit into one packet.
func onePacket() Policy {
	return Policy{Offer: Offer{KeyAgreements: algos("X255", "EC25", "DH3k", "Mult")}}
}

func configA(seed uint64) Config {
	return Config{Rand: seededRand(2 * seed), ZID: zidA, SSRC: 0xa, ClientID: "test A", Policy: onePacket()}
}

func configB(seed uint64) Config {
	return Config{Rand: seededRand(2*seed + 1), ZID: zidB, SSRC: 0xb, ClientID: "test B", Policy: onePacket()}
}

func newPair(t testing.TB, a, b Config, network netsim.Config) *pair {
	t.Helper()
	p := &pair{t: t, now: epoch, a: newEnd(t, a), b: newEnd(t, b)}
	p.ab = netsim.NewLink(network)
	network.Seed = network.Seed*2 + 1
	p.ba = netsim.NewLink(network)
	return p
}

func newEnd(t testing.TB, cfg Config) *end {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e := &end{Session: s}
	if m, ok := cfg.Store.(*memoryStore); ok {
		e.store = m
	}
	return e
}

func (e *end) drain(now time.Time, link *netsim.Link) {
	for i := range e.out {
		if mt, err := wire.MessageType(e.out[i].msg); err == nil && e.onMessage != nil {
			e.out[i].msg = e.onMessage(mt, bytes.Clone(e.out[i].msg))
		}
	}
	for {
		pkt, ok := e.AppendPacket(nil)
		if !ok {
			break
		}
		if p, err := wire.ParsePacket(pkt); err == nil {
			t, _ := wire.MessageType(p.Message)
			e.sent = append(e.sent, t)
			if m, err := wire.ParseError(p.Message); err == nil {
				e.errors = append(e.errors, m.Code)
			}
		}
		if e.onSend != nil {
			if pkt = e.onSend(pkt); pkt == nil {
				continue
			}
		}
		link.Send(now, pkt)
	}
	for ev := e.NextEvent(); ev != nil; ev = e.NextEvent() {
		switch ev := ev.(type) {
		case PeerFound:
			e.found++
		case NoPeer:
			e.noPeer = &ev
		case KeysReady:
			e.keyFlags = ev.PeerFlags
			if ev.Send != nil {
				e.send, e.readySend = ev.Send, now
			}
			if ev.Receive != nil {
				e.recv, e.readyRecv = ev.Receive, now
			}
		case Secured:
			e.secured, e.securedAt = &ev, now
		case EnrollmentRequested:
			e.asked++
		case SASRelayed:
			e.relayed = append(e.relayed, ev)
		case NotRelayed:
			e.notRelayed++
		case Cleared:
			e.cleared = &ev
		case StoreFailed:
			e.storeFail++
		case Failed:
			e.failed = &ev
		}
	}
}

func (p *pair) drain() {
	p.a.drain(p.now, p.ab)
	p.b.drain(p.now, p.ba)
}

// step goes to the next moment at which something happens; false: nothing
// ever will.
func (p *pair) step() bool {
	next := earliest(p.ab.Deadline(), p.ba.Deadline(), p.a.Deadline(), p.b.Deadline())
	if next.IsZero() {
		return false
	}
	if next.After(p.now) {
		p.now = next
	}
	p.deliver(p.ab, p.b)
	p.deliver(p.ba, p.a)
	p.a.HandleTimeout(p.now)
	p.b.HandleTimeout(p.now)
	p.drain()
	return true
}

func (p *pair) deliver(link *netsim.Link, to *end) {
	for {
		pkt, ok := link.Receive(p.now)
		if !ok {
			return
		}
		before := to.State()
		err := to.HandlePacket(p.now, pkt)
		if err != nil && to.State() != before {
			p.t.Fatalf("dropped packet changed the state: %v", err)
		}
		if len(to.out) > 1 {
			p.t.Fatalf("%d answers to one packet in %s", len(to.out), before)
		}
		if err == nil && to.onTaken != nil {
			to.onTaken(before, pkt)
		}
		p.drain()
	}
}

// run plays until nothing more can happen.
func (p *pair) run() {
	p.t.Helper()
	p.a.Start(p.now)
	p.b.Start(p.now)
	p.drain()
	p.settle()
}

// settle plays on until nothing more can happen, which must be within three
// minutes: half a minute there, back and there again, and the timers between.
func (p *pair) settle() {
	p.t.Helper()
	for limit := p.now.Add(3 * time.Minute); p.step(); {
		if p.now.After(limit) {
			p.t.Fatalf("seed %d: hang: a in %s, b in %s", p.seed, p.a.State(), p.b.State())
		}
	}
}

// mustSecure runs and demands the same SAS and mirrored keys.
func (p *pair) mustSecure() {
	p.t.Helper()
	p.run()
	if p.a.secured == nil || p.b.secured == nil {
		p.t.Fatalf("not secure: a %s %+v, b %s %+v", p.a.State(), p.a.failed, p.b.State(), p.b.failed)
	}
	p.mustAgree()
}

func (p *pair) mustAgree() {
	p.t.Helper()
	a, b := p.a, p.b
	if a.secured.SAS != b.secured.SAS || a.secured.Suite != b.secured.Suite || a.secured.Role == b.secured.Role {
		p.t.Fatalf("the two sides differ: %+v, %+v", a.secured, b.secured)
	}
	mirrored(p.t, a.send, b.recv)
	mirrored(p.t, b.send, a.recv)
	if bytes.Equal(a.send.Key.Reveal(), a.recv.Key.Reveal()) {
		p.t.Fatal("both directions use one key")
	}
	if a.call == nil && !a.ExportedKey().Equal(b.ExportedKey()) {
		p.t.Fatal("exported keys differ")
	}
}

func mirrored(t testing.TB, send, recv *SRTPKeys) {
	t.Helper()
	if !send.Key.Equal(recv.Key) || !send.Salt.Equal(recv.Salt) || send.Cipher != recv.Cipher || send.AuthTag != recv.AuthTag {
		t.Fatal("SRTP keys are not mirrored")
	}
}

var errStore = errors.New("store is gone")
