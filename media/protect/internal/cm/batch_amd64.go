//go:build !purego

package cm

import (
	"crypto/sha1"

	"sotto/media/protect/internal/tier"
)

const (
	batchLen = 32 // jobs that are looked at together
	longest  = 32 // blocks: longer messages are not sorted among themselves
)

// SumBatch sets the Tag of each job.
func SumBatch(jobs []Job) {
	for len(jobs) > 0 {
		n := min(len(jobs), batchLen)
		sumSome(jobs[:n])
		jobs = jobs[n:]
	}
}

// sumSome sums those jobs side by side that are of the first one's tier.
func sumSome(jobs []Job) {
	var (
		numbers [batchLen]uint8
		n, last int
		sorted  = true
		t       = jobs[0].Keys.tier
	)
	for i := range jobs {
		job := &jobs[i]
		if len(jobs) == 1 || t == tier.Go || job.Keys.tier != t {
			job.sum()
			continue
		}
		blocks := job.blocks()
		sorted = sorted && blocks >= last
		last = blocks
		numbers[n] = uint8(i)
		n++
	}
	order := numbers[:n]
	if !sorted {
		sort(jobs, order)
	}
	for len(order) > 0 {
		order = order[sumFirst(t, jobs, order):]
	}
}

// blocks is of how many the job's message and word are, with their padding
// (FIPS 180-4 §5.1.1).
func (j *Job) blocks() int { return int(uint(len(j.Message)+4+9-1)/sha1.BlockSize) + 1 }

func (j *Job) sum() { j.Keys.Sum(&j.Tag, j.Message, j.Word) }

// sort puts the numbers of jobs of few blocks first: it counts how many there
// are of each size.
func sort(jobs []Job, order []uint8) {
	var (
		from   [longest + 2]uint8
		sorted [batchLen]uint8
	)
	for _, i := range order {
		from[min(jobs[i].blocks(), longest)+1]++
	}
	for i := range len(from) - 1 {
		from[i+1] += from[i]
	}
	for _, i := range order {
		at := &from[min(jobs[i].blocks(), longest)]
		sorted[*at] = i
		*at++
	}
	copy(order, sorted[:])
}

// sumFirst sums the first few jobs of an order, and returns how many. Lanes take
// as long for one message as for all of them: what that is worth was measured,
// of SHA-NI seven messages for eight lanes and four for AVX-512's sixteen, of
// the standard library three. Four messages of one size take SHA-NI three quarters
// of what a message takes in AVX2's lanes; beyond longest the order says nothing of
// those between the first and the fourth.
func sumFirst(t tier.Tier, jobs []Job, order []uint8) int {
	lanes, worth := 8, 7
	switch t {
	case tier.AESNI:
		worth = 3
	case tier.AVX512:
		lanes, worth = 16, 4
	}
	order = order[:min(lanes, len(order))]
	first := &jobs[order[0]]
	if t == tier.SHANI && len(order) >= 4 {
		if blocks := first.blocks(); blocks < longest && blocks == jobs[order[3]].blocks() {
			sumFourSHANI(&[4]*Job{first, &jobs[order[1]], &jobs[order[2]], &jobs[order[3]]})
			return 4
		}
	}
	if enough(jobs, order, worth) {
		var side [16]*Job
		for i := range lanes {
			side[i] = &jobs[order[min(i, len(order)-1)]]
		}
		if lanes == 8 {
			sumLanesAVX2((*[8]*Job)(side[:]))
		} else {
			sumLanesAVX512(&side)
		}
		return len(order)
	}
	if t >= tier.SHANI && len(order) >= 2 {
		if second := &jobs[order[1]]; first.blocks() == second.blocks() {
			sumPairSHANI(&[2]*Job{first, second})
			return 2
		}
	}
	first.sum()
	return 1
}

// enough reports whether the jobs, those of few blocks first, are as much work
// as so many of the last one's length.
func enough(jobs []Job, order []uint8, worth int) bool {
	most := jobs[order[len(order)-1]].blocks() + 1 // and the outer hash (RFC 2104 §2)
	if jobs[order[0]].blocks()+1 == most {
		return len(order) >= worth
	}
	n := 0
	for _, i := range order {
		n += jobs[i].blocks() + 1
	}
	return n >= worth*most
}
