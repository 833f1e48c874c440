package device

import "sync/atomic"

const (
	// ringSize is what a ring holds: 341 ms, far more than is ever wanted.
	ringSize = 1 << 14
	ringMask = ringSize - 1
)

// ring hands samples from one goroutine or thread, its producer, to another,
// its consumer, without a lock: the card's thread is one of the two and must
// not wait. The samples between read and written are the consumer's, all others
// the producer's.
type ring struct {
	samples [ringSize]int16
	_       [64]byte      // what the two count is on cache lines of its own
	written atomic.Uint64 // samples, stored by the producer
	_       [64]byte
	read    atomic.Uint64 // samples, stored by the consumer
	_       [64]byte
	block   atomic.Int64 // the most that was written at once
}

// level is how many samples are in r. For its consumer there are at least as
// many, for its producer at most.
func (r *ring) level() int { return int(r.written.Load() - r.read.Load()) }

// write adds pcm; what does not fit is lost. For the producer.
func (r *ring) write(pcm []int16) {
	if n := int64(len(pcm)); n > r.block.Load() {
		r.block.Store(n)
	}
	at := r.written.Load()
	pcm = pcm[:min(len(pcm), ringSize-int(at-r.read.Load()))]
	n := copy(r.samples[at&ringMask:], pcm)
	copy(r.samples[:], pcm[n:])
	r.written.Store(at + uint64(len(pcm)))
}

// take moves the oldest samples to dst, as many as there are, and returns how
// many. For the consumer.
func (r *ring) take(dst []int16) int {
	at := r.read.Load()
	dst = dst[:min(len(dst), int(r.written.Load()-at))]
	n := copy(dst, r.samples[at&ringMask:])
	copy(dst[n:], r.samples[:])
	r.read.Store(at + uint64(len(dst)))
	return len(dst)
}

// drop leaves out all that is in r. For the consumer.
func (r *ring) drop() { r.read.Store(r.written.Load()) }

// skip leaves out n samples and fades over to what comes after them, where
// both sides of the join are in r. For the consumer.
func (r *ring) skip(n int) {
	at := r.read.Load()
	for i := range min(fade, r.level()-n) {
		old, next := r.samples[(at+uint64(i))&ringMask], &r.samples[(at+uint64(n+i))&ringMask]
		*next = int16((int(old)*(fade-i) + int(*next)*i) / fade)
	}
	r.read.Store(at + uint64(n))
}
