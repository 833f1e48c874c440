package protect

import (
	"unsafe"

	"sotto/media/protect/internal/cm"
)

// batchLen is how many jobs are worked on at a time: as many lanes as any kernel
// has, twice.
const batchLen = 32

// Outgoing is an RTP packet that is to be sealed with others.
type Outgoing struct {
	Sealer *Sealer
	Packet []byte // with room for the tag
	N      int    // length before, and after: what Seal is given and returns
	Err    error  // set as Seal would return it
}

// SealBatch does what Sealer.Seal does with one job after the other, in less
// time. Jobs may share a Sealer, but no two packets a byte of memory.
func SealBatch(jobs []Outgoing) {
	for len(jobs) > 0 {
		if jobs[0].Sealer.single {
			jobs = sealSingly(jobs)
			continue
		}
		n := min(len(jobs), batchLen)
		sealSome(jobs[:n])
		jobs = jobs[n:]
	}
}

// ahead is how many jobs before its turn the memory is asked for that a single
// job needs: further than one packet takes, for it may come from beyond the caches.
const ahead = 3

// sealSingly seals jobs up to the first that is better sealed with others, and
// returns the rest. One packet keeps the processor busy: all that is gained is that
// it need not wait for the keys of the next.
func sealSingly(jobs []Outgoing) []Outgoing {
	for i := range min(ahead, len(jobs)) {
		jobs[i].prefetch()
	}
	for i := range jobs {
		j := &jobs[i]
		if !j.Sealer.single {
			return jobs[i:]
		}
		if i+ahead < len(jobs) {
			jobs[i+ahead].prefetch()
		}
		j.N, j.Err = j.Sealer.Seal(j.Packet, j.N)
	}
	return nil
}

// prefetch asks for the memory that sealing a single job needs.
func (j *Outgoing) prefetch() {
	s := j.Sealer
	s.keys.gcm.Prefetch(unsafe.Pointer(s), unsafe.Pointer(s))
}

func sealSome(jobs []Outgoing) {
	var (
		macs [batchLen]cm.Job
		job  [batchLen]*Outgoing // that macs belong to
		n    int
	)
	for i := range jobs {
		j := &jobs[i]
		s := j.Sealer
		if s.single {
			j.N, j.Err = s.Seal(j.Packet, j.N)
			continue
		}
		var header int
		if header, j.Err = s.take(j.Packet, j.N); j.Err != nil {
			j.N = 0
			continue
		}
		pkt := j.Packet[:j.N]
		s.keys.xor(pkt[header:], s.ssrc, s.index)
		m := &macs[n]
		m.Keys, m.Message, m.Word = &s.keys.cm, pkt, s.roc()
		job[n] = j
		n++
	}
	cm.SumBatch(macs[:n])
	for i, j := range job[:n] {
		end := j.N + int(j.Sealer.tagLen)
		truncate(j.Packet[j.N:end], &macs[i].Tag)
		j.N = end
	}
}

// Incoming is an SRTP packet that is to be opened with others.
type Incoming struct {
	Opener *Opener
	Packet []byte
	N      int   // set to the length that Open would return
	Err    error // set as Open would return it
}

// OpenBatch does what Opener.Open does with one job after the other, in less
// time. Jobs may share an Opener, but no two packets a byte of memory.
//
// The tags are worked out first, for the indices that the packets have as far as
// is known before the batch. Then one job after the other is judged; where those
// before it have moved its index, it is opened by itself.
func OpenBatch(jobs []Incoming) {
	for len(jobs) > 0 {
		if jobs[0].Opener.single {
			jobs = openSingly(jobs)
			continue
		}
		n := min(len(jobs), batchLen)
		openSome(jobs[:n])
		jobs = jobs[n:]
	}
}

// openSingly is sealSingly for opening.
func openSingly(jobs []Incoming) []Incoming {
	for i := range min(ahead, len(jobs)) {
		jobs[i].prefetch()
	}
	for i := range jobs {
		j := &jobs[i]
		if !j.Opener.single {
			return jobs[i:]
		}
		if i+ahead < len(jobs) {
			jobs[i+ahead].prefetch()
		}
		j.N, j.Err = j.Opener.Open(j.Packet)
	}
	return nil
}

// prefetch asks for the memory that opening a single job needs: the first source's
// is enough.
func (j *Incoming) prefetch() {
	o := j.Opener
	o.keys.gcm.Prefetch(unsafe.Pointer(o), unsafe.Pointer(&o.streams))
}

// expected is what OpenBatch knows of a job whose tag is worked out.
type expected struct {
	stream *stream // nil: the job is opened by itself
	header int
	index  uint64
	mac    int
}

func openSome(jobs []Incoming) {
	var (
		macs [batchLen]cm.Job
		want [batchLen]expected
		n    int
	)
	for i := range jobs {
		j, w := &jobs[i], &want[i]
		o := j.Opener
		header, err := o.parse(j.Packet)
		if err != nil || o.single {
			continue
		}
		s := o.streams.find(rtpSSRC(j.Packet))
		if s == nil || !s.begun {
			continue
		}
		index := s.guess(rtpSequence(j.Packet))
		if !s.fresh(index) {
			continue
		}
		*w = expected{s, header, index, n}
		m := &macs[n]
		m.Keys, m.Message, m.Word = &o.keys.cm, j.Packet[:len(j.Packet)-int(o.tagLen)], uint32(index>>16)
		n++
	}
	cm.SumBatch(macs[:n])
	for i := range jobs {
		j, w := &jobs[i], &want[i]
		if w.stream == nil || w.stream.guess(rtpSequence(j.Packet)) != w.index {
			j.N, j.Err = j.Opener.Open(j.Packet)
			continue
		}
		j.N, j.Err = j.Opener.finish(j.Packet, w, &macs[w.mac].Tag)
	}
}

// finish opens a packet whose tag should be the beginning of tag.
func (o *Opener) finish(pkt []byte, w *expected, tag *[cm.TagLen]byte) (int, error) {
	if !w.stream.fresh(w.index) {
		return 0, ErrReplay
	}
	n := len(pkt) - int(o.tagLen)
	if differs(pkt[n:], tag) {
		return 0, ErrAuth
	}
	o.keys.xor(pkt[w.header:n], w.stream.ssrc, w.index)
	w.stream.commit(w.index)
	return n, nil
}
