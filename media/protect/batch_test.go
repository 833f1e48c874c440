package protect

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"sotto/media/protect/internal/tier"
)

// twins are the same contexts twice: one does a job after the other, the other
// all at once.
type twins struct {
	sealers [2][]*Sealer
	openers [2][]*Opener
	ssrc    []uint32
	seq     []uint16
	rand    *rand.Rand
	sealed  []sealedJob // what may arrive
}

type sealedJob struct {
	pkt []byte
	of  int
}

func newTwins(t *testing.T, tier tier.Tier, contexts int) *twins {
	t.Helper()
	w := &twins{rand: rand.New(rand.NewPCG(uint64(tier), uint64(contexts)))}
	for i := range contexts {
		p := allProfiles[w.rand.IntN(len(allProfiles))]
		key, salt := testKey(p.KeyLen(), byte(i)), testKey(p.SaltLen(), byte(i)+1)
		window := 64 + w.rand.IntN(100)
		for side := range 2 {
			s, err := newSealer(p, key, salt, tier)
			if err != nil {
				t.Fatal(err)
			}
			o, err := Config{Window: window}.newOpener(p, key, salt, tier)
			if err != nil {
				t.Fatal(err)
			}
			w.sealers[side] = append(w.sealers[side], s)
			w.openers[side] = append(w.openers[side], o)
		}
		w.ssrc = append(w.ssrc, w.rand.Uint32())
		w.seq = append(w.seq, 65535-uint16(w.rand.IntN(300)))
	}
	return w
}

// side is a packet of each side, in memory where its neighbours follow at once.
type side [2][]byte

// lay puts packets into two equal arenas without a gap. Their capacity reaches
// into the neighbours.
func lay(pkts [][]byte) (arenas side, laid []side) {
	arenas = side{bytes.Join(pkts, nil), bytes.Join(pkts, nil)}
	at := 0
	for _, pkt := range pkts {
		laid = append(laid, side{arenas[0][at : at+len(pkt)], arenas[1][at : at+len(pkt)]})
		at += len(pkt)
	}
	return arenas, laid
}

func (w *twins) seal(t *testing.T, size int) {
	t.Helper()
	var pkts [][]byte
	var of, lengths []int
	for range size {
		i := w.rand.IntN(len(w.ssrc))
		switch w.rand.IntN(200) {
		case 0, 1, 2, 3:
			w.seq[i]-- // again
		case 4:
			w.seq[i] += 30000
		}
		pkt := rtpPacket(w.ssrc[i], w.seq[i], w.rand.IntN(300))
		w.seq[i]++
		n := len(pkt)
		pkt = append(pkt, make([]byte, w.sealers[0][i].profile.TagLen())...)
		switch w.rand.IntN(40) {
		case 0:
			pkt[0] = 0x40
		case 1:
			pkt = pkt[:len(pkt)-1] // no room
		case 2:
			pkt[8] ^= 1 // another source
		case 3:
			n = len(pkt) + 1
		}
		pkts, of, lengths = append(pkts, pkt), append(of, i), append(lengths, n)
	}
	arenas, laid := lay(pkts)
	jobs := make([]Outgoing, size)
	for k := range jobs {
		jobs[k] = Outgoing{Sealer: w.sealers[1][of[k]], Packet: laid[k][1], N: lengths[k], Err: ErrAuth}
	}
	SealBatch(jobs)
	for k, j := range jobs {
		n, err := w.sealers[0][of[k]].Seal(laid[k][0], lengths[k])
		if n != j.N || err != j.Err {
			t.Fatalf("job %d of %d: sealed to %d bytes, %v; alone to %d, %v", k, size, j.N, j.Err, n, err)
		}
		if err == nil {
			w.sealed = append(w.sealed, sealedJob{bytes.Clone(j.Packet[:n]), of[k]})
		}
	}
	if !bytes.Equal(arenas[0], arenas[1]) {
		t.Fatalf("%d jobs: other bytes than alone", size)
	}
}

func (w *twins) open(t *testing.T, size int) (verdicts map[error]int) {
	t.Helper()
	var pkts [][]byte
	var of []int
	for range size {
		if len(pkts) > 0 && w.rand.IntN(10) == 0 { // the one before once more
			pkts, of = append(pkts, pkts[len(pkts)-1]), append(of, of[len(of)-1])
			continue
		}
		job := w.sealed[len(w.sealed)-1-w.rand.IntN(min(len(w.sealed), 1+w.rand.IntN(400)))]
		pkt := bytes.Clone(job.pkt)
		switch w.rand.IntN(12) {
		case 0:
			pkt[w.rand.IntN(len(pkt))] ^= 1 << w.rand.IntN(8)
		case 1:
			pkt = pkt[:w.rand.IntN(len(pkt))]
		case 2:
			binary.BigEndian.PutUint16(pkt[2:], uint16(w.rand.Uint32()))
		}
		pkts, of = append(pkts, pkt), append(of, job.of)
	}
	arenas, laid := lay(pkts)
	jobs := make([]Incoming, size)
	for k := range jobs {
		jobs[k] = Incoming{Opener: w.openers[1][of[k]], Packet: laid[k][1], N: -1, Err: ErrRoom}
	}
	OpenBatch(jobs)
	verdicts = map[error]int{}
	for k, j := range jobs {
		n, err := w.openers[0][of[k]].Open(laid[k][0])
		if n != j.N || err != j.Err {
			t.Fatalf("job %d of %d: opened to %d bytes, %v; alone to %d, %v", k, size, j.N, j.Err, n, err)
		}
		verdicts[err]++
	}
	if !bytes.Equal(arenas[0], arenas[1]) {
		t.Fatalf("%d jobs: other bytes than alone", size)
	}
	return verdicts
}

// A batch is its jobs one after the other: the same lengths, errors and bytes,
// with few contexts that occur often and with many, for all profiles together.
func TestBatchIsOneAfterTheOther(t *testing.T) {
	eachTier(t, func(t *testing.T, tier tier.Tier) {
		for _, contexts := range []int{1, 2, 5, 32, 70} {
			w := newTwins(t, tier, contexts)
			total := map[error]int{}
			for size := range 150 {
				w.seal(t, size)
				if len(w.sealed) == 0 {
					continue
				}
				for err, n := range w.open(t, size+w.rand.IntN(10)) {
					total[err] += n
				}
			}
			for _, err := range []error{nil, ErrAuth, ErrReplay, ErrMalformed} {
				if total[err] < 100 {
					t.Errorf("%d contexts: only %d times %v", contexts, total[err], err)
				}
			}
		}
	})
}

// What was closed refuses, and its neighbours do not mind.
func TestBatchClosed(t *testing.T) {
	s, o, _ := newPair(t, AESCM128HMACSHA1_80)
	closedSealer, closedOpener, _ := newPair(t, AESCM128HMACSHA1_80)
	closedSealer.Close()
	closedOpener.Close()
	pkt := rtpPacket(testSSRC, 1, 20)
	out := []Outgoing{{Sealer: closedSealer, Packet: room(pkt, 10), N: len(pkt)}, {Sealer: s, Packet: room(pkt, 10), N: len(pkt)}}
	SealBatch(out)
	if out[0].Err != ErrClosed || out[0].N != 0 || out[1].Err != nil {
		t.Fatalf("%v, %v", out[0].Err, out[1].Err)
	}
	in := []Incoming{{Opener: closedOpener, Packet: out[1].Packet}, {Opener: o, Packet: out[1].Packet}}
	OpenBatch(in)
	if in[0].Err != ErrClosed || in[0].N != 0 || in[1].Err != nil || !bytes.Equal(in[1].Packet[:in[1].N], pkt) {
		t.Fatalf("%v, %v", in[0].Err, in[1].Err)
	}
}
