// Package cm is AES in counter mode (RFC 3711 §4.1.1) and HMAC-SHA1 (RFC 2104)
// under keys that are expanded once. It knows no packets.
package cm

import "sotto/media/protect/internal/tier"

// TagLen is the length of HMAC-SHA1 in bytes, before it is truncated.
const TagLen = 20

// Keys are the keys of one direction, expanded. They belong to one goroutine at
// a time: the functions below work in them.
type Keys struct {
	std *standard // nil once wiped
}

// Init expands an AES key of 16, 24 or 32 bytes and an authentication key of
// 20 for the instructions of t. The caller keeps both and wipes them.
func (k *Keys) Init(t tier.Tier, encryption, authentication []byte) {
	*k = Keys{std: newStandard(encryption, authentication)}
}

// Wipe overwrites the keys; nothing but Init may be called after it.
func (k *Keys) Wipe() {
	if k.std != nil {
		k.std.wipe()
	}
	*k = Keys{}
}

// XOR applies the keystream that begins at iv to data in place. The last 16
// bits of iv are zero: they count the blocks.
func (k *Keys) XOR(iv *[16]byte, data []byte) { k.std.xor(iv, data) }

// Sum sets tag to HMAC-SHA1 of message followed by word, the most significant
// byte first.
func (k *Keys) Sum(tag *[TagLen]byte, message []byte, word uint32) { k.std.sum(tag, message, word) }

// Job is one message to be authenticated, beside others of other keys.
type Job struct {
	Keys    *Keys
	Message []byte
	Word    uint32
	Tag     [TagLen]byte // what Sum would set
}

// SumBatch sets the Tag of each job.
func SumBatch(jobs []Job) {
	for i := range jobs {
		job := &jobs[i]
		job.Keys.Sum(&job.Tag, job.Message, job.Word)
	}
}
