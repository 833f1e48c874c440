package protect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"sotto/internal/oracle"
	"sotto/media/protect/internal/tier"
)

// epochLen is how many packets are sealed under one key.
const epochLen = 2000

// differentialPackets is how many packets are sealed and opened for each profile
// and tier.
func differentialPackets() int {
	switch {
	case os.Getenv("SOTTO_LONG") != "":
		return 10_000_000
	case raceEnabled || purego:
		return 10_000 // twenty times slower there
	case testing.Short():
		return epochLen // a processor may be emulated, a hundred times slower
	}
	return 100_000
}

// TestDifferential seals and opens random packets with Sealer and Opener and with
// the oracle: the same bytes, the same verdicts. Where the verdicts may differ,
// and why, is in duel.same and duel.seal.
func TestDifferential(t *testing.T) {
	eachProfile(t, func(t *testing.T, p Profile) {
		eachTier(t, func(t *testing.T, tier tier.Tier) {
			t.Parallel()
			for epoch := range differentialPackets() / epochLen {
				d := newDuel(t, p, tier, rand.NewPCG(uint64(epoch), uint64(p)<<8|uint64(tier)))
				d.name += fmt.Sprintf(", epoch %d", epoch)
				for range epochLen {
					d.step()
				}
				d.enough()
			}
		})
	})
}

// duel is one key in the hands of both.
type duel struct {
	*testing.T
	name      string
	rand      *rand.Rand
	opener    *Opener
	sources   []*duelist
	theirs    struct{ seals, opens oracleContext }
	opensWith func() oracleContext // a new one with the same key
	known     map[uint32]bool      // sources that the oracle has opened packets of
	endOfLife bool                 // indices come near the greatest
	packets   [][]byte             // sealed, the newest last
	reports   [][]byte
	opened    [4]int // by verdict: opened, malformed, wrong tag, replay
}

// duelist is one sending source.
type duelist struct {
	sealer *Sealer
	ssrc   uint32
	seq    uint16 // of the next packet
	sealed int
}

func newDuel(t *testing.T, p Profile, tier tier.Tier, source rand.Source) *duel {
	t.Helper()
	d := &duel{T: t, name: fmt.Sprintf("%v on %v", p, tier), rand: rand.New(source), known: map[uint32]bool{}}
	key, salt := make([]byte, p.KeyLen()), make([]byte, p.SaltLen())
	d.fill(key)
	d.fill(salt)
	window := 64 << d.rand.IntN(7)
	var err error
	if d.opener, err = (Config{Window: window}).newOpener(p, key, salt, tier); err != nil {
		t.Fatal(err)
	}
	d.opensWith = func() oracleContext {
		c, err := newOracle(p, key, salt, window)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	d.theirs.seals, d.theirs.opens = d.opensWith(), d.opensWith()
	d.endOfLife = d.rand.IntN(8) == 0
	for range 1 + d.rand.IntN(4) {
		s, err := newSealer(p, key, salt, tier)
		if err != nil {
			t.Fatal(err)
		}
		d.begin(&duelist{sealer: s, ssrc: d.rand.Uint32(), seq: uint16(1 + d.rand.IntN(65535))})
	}
	return d
}

// begin sets where the source's indices begin: mostly as in life, but also
// anywhere and near the end.
func (d *duel) begin(s *duelist) {
	d.sources = append(d.sources, s)
	roc, report := uint32(0), uint32(0)
	switch {
	case d.endOfLife:
		roc, report = 1<<32-2, 1<<31-1-uint32(d.rand.IntN(100))
	case d.rand.IntN(2) == 0:
		roc, report = d.rand.Uint32N(1<<31), d.rand.Uint32N(1<<30)
	}
	if roc == 0 {
		if d.rand.IntN(2) == 0 {
			s.seq = 65535 - uint16(d.rand.IntN(100))
		}
		return
	}
	s.sealer.index, s.sealer.begun = uint64(roc)<<16|uint64(s.seq-1), true
	s.sealer.rtcp.index = report
	d.theirs.seals.SetROC(s.ssrc, roc)
	d.theirs.seals.SetIndex(s.ssrc, report)
	d.theirs.opens.SetROC(s.ssrc, roc)
	d.known[s.ssrc] = true
	if err := d.opener.SetROC(s.ssrc, roc); err != nil {
		d.Fatal(err)
	}
	d.deliver(d.seal(s)) // before any forgery: pion remembers those of a source whose counter was set
}

func (d *duel) fill(b []byte) {
	for i := range b {
		b[i] = byte(d.rand.Uint32())
	}
}

// one is any of a list, the later the likelier.
func (d *duel) one(of [][]byte) []byte {
	back := d.rand.IntN(1 + d.rand.IntN(len(of)))
	return of[len(of)-1-back]
}

func (d *duel) step() {
	s := d.sources[d.rand.IntN(len(d.sources))]
	switch what := d.rand.IntN(100); {
	case what < 55:
		if pkt := d.seal(s); pkt != nil && d.rand.IntN(10) > 0 { // else lost, or late
			d.deliver(pkt)
		}
	case what < 70 && len(d.packets) > 0:
		d.deliver(d.one(d.packets))
	case what < 80 && len(d.packets) > 0:
		d.deliver(d.corrupt(d.packets))
	case what < 81:
		junk := make([]byte, d.rand.IntN(60))
		d.fill(junk)
		d.deliver(junk)
		d.deliverRTCP(junk)
	case what < 92:
		if pkt := d.sealRTCP(s); pkt != nil && d.rand.IntN(10) > 0 {
			d.deliverRTCP(pkt)
		}
	case what < 96 && len(d.reports) > 0:
		d.deliverRTCP(d.one(d.reports))
	case len(d.reports) > 0:
		d.deliverRTCP(d.corrupt(d.reports))
	}
}

// packet is an RTP packet with a header of any shape.
func (d *duel) packet(s *duelist) []byte {
	pkt := rtpPacket(s.ssrc, s.seq, 0)
	pkt[1] = byte(d.rand.Uint32())
	if d.rand.IntN(3) == 0 {
		csrc := make([]byte, 4*d.rand.IntN(16))
		d.fill(csrc)
		pkt[0] |= byte(len(csrc) / 4)
		pkt = append(pkt, csrc...)
	}
	if d.rand.IntN(3) == 0 {
		pkt[0] |= extension
		words := make([]byte, 4*d.rand.IntN(20))
		profile := uint16(d.rand.Uint32N(0xbede)) // as RFC 3550 has it: any contents
		if d.rand.IntN(2) == 0 {
			profile = 0xbede // one-byte form: elements of four bytes, well formed
			for i := 0; i < len(words); i += 4 {
				copy(words[i:], []byte{byte(1+d.rand.IntN(14))<<4 | 2, 1, 2, 3})
			}
		} else {
			d.fill(words)
		}
		if profile == 0x1000 { // two-byte form: words were filled with anything
			clear(words)
		}
		pkt = binary.BigEndian.AppendUint16(pkt, profile)
		pkt = binary.BigEndian.AppendUint16(pkt, uint16(len(words)/4))
		pkt = append(pkt, words...)
	}
	payload := make([]byte, d.size())
	d.fill(payload[:min(len(payload), 32)])
	return append(pkt, payload...)
}

// size is mostly that of voice.
func (d *duel) size() int {
	if d.rand.IntN(4) == 0 {
		return d.rand.IntN(1501)
	}
	return d.rand.IntN(200)
}

// seal has both seal the source's next packet, or nil where that is refused: what
// does not go forward by less than half the sequence numbers, which pion seals
// with a keystream that it has used, and what comes after the key's end.
func (d *duel) seal(s *duelist) []byte {
	switch jump := d.rand.IntN(200); {
	case s.sealed == 0: // pion takes its counter for this packet's as it is
	case jump == 0:
		s.seq += uint16(d.rand.IntN(1 << 15)) // most of them lost
	case jump == 1:
		s.seq += uint16(d.rand.IntN(3000))
	case jump == 2:
		s.seq -= uint16(d.rand.IntN(3)) // backwards or again
	}
	plain := d.packet(s)
	ours, theirs := room(plain, MaxTagLen), room(plain, MaxTagLen)
	want, begun := s.sealer.index, s.sealer.begun
	n, err := s.sealer.Seal(ours, len(plain))
	if ahead := int16(s.seq - uint16(want)); begun && ahead <= 0 {
		if !errors.Is(err, ErrReuse) || n != 0 || s.sealer.index != want {
			d.Fatalf("%s: sequence number %d after index %d: %v", d.name, s.seq, want, err)
		}
		s.seq = uint16(want) + 1
		return nil
	}
	s.seq++
	s.sealed++
	m, wantErr := d.theirs.seals.Seal(theirs, len(plain))
	if wantErr != nil && !errors.Is(err, ErrKeyLimit) || wantErr == nil && err != nil {
		d.Fatalf("%s: sealed with %v, the oracle with %v", d.name, err, wantErr)
	}
	if err != nil {
		return nil
	}
	if !bytes.Equal(ours[:n], theirs[:m]) {
		d.Fatalf("%s: %x\nsealed to     %x\nby the oracle %x", d.name, plain, ours[:n], theirs[:m])
	}
	d.packets = append(d.packets, ours[:n])
	return ours[:n]
}

func (d *duel) sealRTCP(s *duelist) []byte {
	plain := rtcpPacket(s.ssrc, d.size())
	d.fill(plain[8:])
	ours, theirs := room(plain, 20), room(plain, 20)
	n, err := s.sealer.SealRTCP(ours, len(plain))
	m, wantErr := d.theirs.seals.SealRTCP(theirs, len(plain))
	if wantErr != nil && !errors.Is(err, ErrKeyLimit) || wantErr == nil && err != nil {
		d.Fatalf("%s: RTCP sealed with %v, the oracle with %v", d.name, err, wantErr)
	}
	if err != nil {
		return nil
	}
	if !bytes.Equal(ours[:n], theirs[:m]) {
		d.Fatalf("%s: %x\nsealed to     %x\nby the oracle %x", d.name, plain, ours[:n], theirs[:m])
	}
	d.reports = append(d.reports, ours[:n])
	return ours[:n]
}

// corrupt is a packet that something has happened to.
func (d *duel) corrupt(of [][]byte) []byte {
	pkt := bytes.Clone(d.one(of))
	switch d.rand.IntN(5) {
	case 0: // truncated
		return pkt[:d.rand.IntN(len(pkt))]
	case 1: // extended
		more := make([]byte, 1+d.rand.IntN(30))
		d.fill(more)
		return append(pkt, more...)
	case 2: // two of them laid over each other
		copy(pkt[d.rand.IntN(len(pkt)):], d.one(of))
	case 3: // another place in the order
		binary.BigEndian.PutUint16(pkt[2:], uint16(d.rand.Uint32()))
	default:
		pkt[d.rand.IntN(len(pkt))] ^= 1 << d.rand.IntN(8)
	}
	return pkt
}

func (d *duel) deliver(pkt []byte) {
	if pkt == nil {
		return
	}
	ours, theirs := bytes.Clone(pkt), bytes.Clone(pkt)
	n, err := d.opener.Open(ours)
	m, wantErr := d.openTheirs(theirs)
	wellFormed := len(pkt) >= rtpHeaderLen && pkt[0]>>6 == version && (rtpHeader(pkt) == 0 || !cryptex(pkt))
	d.same(pkt, ours[:n], theirs[:m], verdicts{err, wantErr, wellFormed})
	if err != nil && !bytes.Equal(ours, pkt) {
		d.Fatalf("%s: refused with %v, and changed", d.name, err)
	}
}

// openTheirs has the oracle open a packet. The search for the roll-over counter
// of a source not heard before is Opener's own, so it is done here: with a new
// oracle, since pion remembers the attempt.
func (d *duel) openTheirs(pkt []byte) (int, error) {
	was := bytes.Clone(pkt)
	n, err := d.theirs.opens.Open(pkt)
	if len(pkt) < rtpHeaderLen {
		return n, err
	}
	ssrc := rtpSSRC(was)
	if err == nil {
		d.known[ssrc] = true
	}
	if errors.Is(err, oracle.ErrAuth) && !d.known[ssrc] && rtpSequence(was) < 1<<15 {
		other := d.opensWith()
		other.SetROC(ssrc, 1)
		if _, err := other.Open(bytes.Clone(was)); err == nil {
			d.known[ssrc] = true
			d.theirs.opens.SetROC(ssrc, 1)
			copy(pkt, was)
			return d.theirs.opens.Open(pkt)
		}
	}
	return n, err
}

func (d *duel) deliverRTCP(pkt []byte) {
	ours, theirs := bytes.Clone(pkt), bytes.Clone(pkt)
	n, err := d.opener.OpenRTCP(ours)
	m, wantErr := d.theirs.opens.OpenRTCP(theirs)
	at := d.opener.profile.rtcpIndexAt(len(pkt))
	encrypted := at >= 0 && at < len(pkt) && pkt[at]&0x80 != 0
	d.same(pkt, ours[:n], theirs[:m], verdicts{err, wantErr, encrypted})
	if err != nil && !bytes.Equal(ours, pkt) {
		d.Fatalf("%s: RTCP refused with %v, and changed", d.name, err)
	}
}

// verdicts are what both say of one packet, and whether its form is one that
// Opener accepts.
type verdicts struct {
	ours, theirs error
	wellFormed   bool
}

// same demands the same verdict and, of what opened, the same bytes. The verdicts
// differ in these cases:
//   - Opener refuses what is not version 2, encrypted header extensions and
//     unencrypted SRTCP as malformed; the oracle may find a wrong tag, or a
//     replay, first, or accept it.
//   - What is inside a header extension is not SRTP's business; the oracle parses
//     it and refuses what is not well formed.
//   - After index 2^48-1 pion goes on at zero, where old packets open once more;
//     to Opener these are replays.
func (d *duel) same(pkt, ours, theirs []byte, v verdicts) {
	class := 0
	switch {
	case errors.Is(v.ours, ErrMalformed):
		class = 1
	case errors.Is(v.ours, ErrAuth):
		class = 2
	case errors.Is(v.ours, ErrReplay):
		class = 3
	case v.ours != nil:
		d.Fatalf("%s: %x: %v", d.name, pkt, v.ours)
	}
	d.opened[class]++
	forged, replayed := errors.Is(v.theirs, oracle.ErrAuth), errors.Is(v.theirs, oracle.ErrReplay)
	fine := false
	switch class {
	case 0:
		fine = v.theirs == nil && bytes.Equal(ours, theirs)
	case 1:
		fine = !v.wellFormed || v.theirs != nil && !forged && !replayed
	case 2:
		_, extension := oracle.Header(pkt)
		fine = forged || v.theirs != nil && extension != nil && v.wellFormed
	case 3:
		_, extension := oracle.Header(pkt)
		fine = replayed || forged && d.endOfLife || v.theirs != nil && extension != nil && v.wellFormed
	}
	if !fine {
		d.Fatalf("%s: %x\nopened to     %x, %v\nby the oracle %x, %v", d.name, pkt, ours, v.ours, theirs, v.theirs)
	}
}

// enough demands that all verdicts occurred: what tests nothing is found here.
func (d *duel) enough() {
	for class, n := range d.opened {
		if n == 0 || class == 0 && n < epochLen/8 && !d.endOfLife {
			d.Fatalf("%s: verdicts occurred %v times", d.name, d.opened)
		}
	}
}
