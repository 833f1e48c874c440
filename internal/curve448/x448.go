// Package curve448 computes X448 of RFC 7748 §5 in constant time: no branch and
// no index depends on a scalar or a coordinate.
package curve448

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
	var x1, x2, z2, x3, z3 element
	setBytes(&x1, u)
	x2[0], x3, z3[0] = 1, x1, 1
	var last uint64
	for t := 8*Size - 1; t >= 0; t-- {
		bit := uint64(k[t/8]>>(t%8)) & 1
		swap(&x2, &x3, bit^last)
		swap(&z2, &z3, bit^last)
		last = bit
		step(&x1, &x2, &z2, &x3, &z3)
	}
	swap(&x2, &x3, last)
	swap(&z2, &z3, last)
	clear(k[:])
	invert(&z2, &z2)
	mul(&x2, &x2, &z2)
	return toBytes(&x2)
}

// clamp makes the number of a scalar (RFC 7748 §5).
func clamp(scalar *[Size]byte) [Size]byte {
	k := *scalar
	k[0] &= 252
	k[Size-1] |= 128
	return k
}

// step is one round of the ladder, in the names of RFC 7748 §5.
func step(x1, x2, z2, x3, z3 *element) {
	var a, b, c, d, e element
	add(&a, x2, z2)
	sub(&b, x2, z2)
	add(&c, x3, z3)
	sub(&d, x3, z3)
	mul(&d, &d, &a) // DA
	mul(&c, &c, &b) // CB
	add(x3, &d, &c)
	sqr(x3, x3)
	sub(z3, &d, &c)
	sqr(z3, z3)
	mul(z3, z3, x1)
	sqr(&a, &a) // AA
	sqr(&b, &b) // BB
	mul(x2, &a, &b)
	sub(&e, &a, &b)
	mulSmall(z2, &e, a24)
	add(z2, z2, &a)
	mul(z2, z2, &e)
}
