//go:build !purego

package cm

import (
	"crypto/sha1"

	"sotto/media/protect/internal/tier"
)

const (
	batchLen = 32 // jobs that are looked at together
	maxLanes = 16

	longest = 32 // blocks: longer messages are not sorted among themselves
)

// queue is jobs of one tier, those of few blocks first. Behind them is room to
// fill the lanes.
type queue struct {
	jobs   [batchLen + maxLanes - 1]*Job
	n      int
	sorted bool
	tier   tier.Tier
}

// SumBatch sets the Tag of each job.
func SumBatch(jobs []Job) {
	if len(jobs) <= 1 {
		for i := range jobs {
			jobs[i].sum()
		}
		return
	}
	var q queue
	for len(jobs) > 0 {
		q.fill(jobs[:min(len(jobs), batchLen)])
		jobs = jobs[min(len(jobs), batchLen):]
		if !q.sorted {
			q.sort()
		}
		q.sum()
	}
}

// fill queues the jobs of the first one's tier, and does the others one by one.
func (q *queue) fill(jobs []Job) {
	q.n, q.sorted, q.tier = 0, true, jobs[0].Keys.tier
	last := 0
	for i := range jobs {
		job := &jobs[i]
		if job.Keys.tier != q.tier || q.tier == tier.Go {
			job.sum()
			continue
		}
		n := job.blocks()
		q.sorted = q.sorted && n >= last
		last = n
		q.jobs[q.n] = job
		q.n++
	}
}

// blocks is of how many the job's message and word are, with their padding
// (FIPS 180-4 §5.1.1).
func (j *Job) blocks() int { return int(uint(len(j.Message)+4+9-1)/sha1.BlockSize) + 1 }

func (j *Job) sum() { j.Keys.Sum(&j.Tag, j.Message, j.Word) }

// sort counts how many jobs there are of each number of blocks, and puts each
// behind those of fewer.
func (q *queue) sort() {
	var (
		from  [longest + 2]uint8
		order [batchLen]*Job
	)
	for _, job := range q.jobs[:q.n] {
		from[min(job.blocks(), longest)+1]++
	}
	for i := range len(from) - 1 {
		from[i+1] += from[i]
	}
	for _, job := range q.jobs[:q.n] {
		at := &from[min(job.blocks(), longest)]
		order[*at] = job
		*at++
	}
	copy(q.jobs[:], order[:q.n])
}

// sum works through the queue. Lanes take as long for one message as for all of
// them. What that is worth was measured: of SHA-NI a stream for each of four
// (AVX-512) or seven lanes, and of the standard library one for two.
func (q *queue) sum() {
	lanes, worth := 8, 7
	switch q.tier {
	case tier.AESNI:
		worth = 2
	case tier.AVX512:
		lanes, worth = maxLanes, 4
	}
	for at := 0; at < q.n; {
		n := min(lanes, q.n-at)
		switch some := q.jobs[at : at+n]; {
		case enough(some, worth):
			for i := n; i < lanes; i++ {
				q.jobs[at+i] = some[0]
			}
			q.sumLanes(at)
			at += n
		case n >= 2 && q.tier >= tier.SHANI && some[0].blocks() == some[1].blocks():
			sumPairSHANI((*[2]*Job)(some))
			at += 2
		default:
			some[0].sum()
			at++
		}
	}
}

// sumLanes sums the jobs from at on, as many as there are lanes.
func (q *queue) sumLanes(at int) {
	if q.tier == tier.AVX512 {
		sumLanesAVX512((*[16]*Job)(q.jobs[at:]))
	} else {
		sumLanesAVX2((*[8]*Job)(q.jobs[at:]))
	}
}

// enough reports whether the jobs, those of few blocks first, are as much work
// as so many of the last one's length.
func enough(jobs []*Job, worth int) bool {
	most := jobs[len(jobs)-1].blocks() + 1 // and the outer hash (RFC 2104 §2)
	if jobs[0].blocks()+1 == most {
		return len(jobs) >= worth
	}
	n := 0
	for _, job := range jobs {
		n += job.blocks() + 1
	}
	return n >= worth*most
}
