// Package curve448 computes X448 of RFC 7748 §5 in constant time: no branch and
// no index depends on a scalar or a coordinate.
package curve448

import "encoding/binary"

// Size is how many bytes a scalar and a coordinate have.
const Size = 56

// a24 is (156326 - 2) / 4 (RFC 7748 §5).
const a24 = 39081

// X448 multiplies the point of coordinate u with the scalar, and returns the
// coordinate of the result, which is all zeros for a point of low order; to
// refuse that is the caller's (RFC 7748 §6.2). Both are little-endian; of a
// scalar 446 bits count.
func X448(scalar, u *[Size]byte) [Size]byte {
	k := clamp(scalar)
	l := ladder{x2: element{1}, z3: element{1}}
	setBytes(&l.x1, u)
	l.x3 = l.x1
	l.climb(&k)
	clear(k[:])
	invert(&l.z2, &l.z2)
	mul(&l.x2, &l.x2, &l.z2)
	return toBytes(&l.x2)
}

// clamp makes the number of a scalar (RFC 7748 §5).
func clamp(scalar *[Size]byte) [Size]byte {
	k := *scalar
	k[0] &= 252
	k[Size-1] |= 128
	return k
}

// wordsOf reads the words of a scalar.
func wordsOf(k *[Size]byte) (words [Size / 8]uint64) {
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(k[8*i:])
	}
	return words
}

// ladder is the state of X448, in the names of RFC 7748 §5.
type ladder struct{ x1, x2, z2, x3, z3 element }

// climbGo does all rounds. The points are not exchanged after the last one: the
// last bit of a scalar is 0.
func (l *ladder) climbGo(k *[Size]byte) {
	var last uint64
	for t := 8*Size - 1; t >= 0; t-- {
		bit := uint64(k[t/8]>>(t%8)) & 1
		l.step(bit ^ last)
		last = bit
	}
}

// step is one round, before which the points are exchanged if exchange is 1.
func (l *ladder) step(exchange uint64) {
	swap(&l.x2, &l.x3, exchange)
	swap(&l.z2, &l.z3, exchange)
	var a, b, c, d, e element
	add(&a, &l.x2, &l.z2)
	sub(&b, &l.x2, &l.z2)
	add(&c, &l.x3, &l.z3)
	sub(&d, &l.x3, &l.z3)
	mul(&d, &d, &a) // DA
	mul(&c, &c, &b) // CB
	add(&l.x3, &d, &c)
	sqr(&l.x3, &l.x3)
	sub(&l.z3, &d, &c)
	sqr(&l.z3, &l.z3)
	mul(&l.z3, &l.z3, &l.x1)
	sqr(&a, &a) // AA
	sqr(&b, &b) // BB
	mul(&l.x2, &a, &b)
	sub(&e, &a, &b)
	mulSmall(&l.z2, &e, a24)
	add(&l.z2, &l.z2, &a)
	mul(&l.z2, &l.z2, &e)
}
