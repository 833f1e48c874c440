//go:build !amd64 || purego

package cm

import "sotto/media/protect/internal/tier"

type kernels struct{}

func (kernels) expand(tier.Tier, []byte, []byte) bool { return false }

// XOR applies the keystream that begins at iv to data in place. The last 16
// bits of iv are zero: they count the blocks.
func (k *Keys) XOR(iv *[16]byte, data []byte) { k.std.xor(iv, data) }

// Sum sets tag to HMAC-SHA1 of message followed by word, the most significant
// byte first.
func (k *Keys) Sum(tag *[TagLen]byte, message []byte, word uint32) { k.std.sum(tag, message, word) }

// SumBatch sets the Tag of each job.
func SumBatch(jobs []Job) {
	for i := range jobs {
		job := &jobs[i]
		job.Keys.Sum(&job.Tag, job.Message, job.Word)
	}
}
