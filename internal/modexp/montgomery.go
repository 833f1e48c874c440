// Package modexp raises numbers to secret powers modulo the long primes of
// Diffie and Hellman, in constant time.
package modexp

import (
	"encoding/binary"
	"math/big"
	"math/bits"
)

// maxLimbs is how many 64-bit limbs the longest modulus has.
const maxLimbs = 3072 / 64

// number is a number below a modulus, its least significant limb first. A
// shorter modulus uses the first limbs alone. It is an alias so that assembly
// and Go agree on a type that has a name in neither.
type number = [maxLimbs]uint64

// Modulus is an odd modulus m with arithmetic that takes the same steps for
// all numbers: no branch and no index depends on them. Numbers are in
// Montgomery form, x·R mod m with R = 2^(64·limbs), unless told otherwise.
//
// DH3k with exponents of 256 bits costs both sides together:
//
//	2.3 ms  as it is here, with ADX
//	4.9 ms  as it is here, without assembly
//	9.5 ms  with filippo.io/bigmod v0.1.0, whose assembly ends at 2048 bits
//	3.6 ms  with math/big, which is not for secrets
//	7.9 ms  in libbzrtp 5.1
//
// That is the least of many runs on an EPYC of 3.2 GHz. Multiplications are
// nearly all of it. Blocks of 8 by 8 limbs whose sums stay in registers were no
// faster than rows.
type Modulus struct {
	// Assembly reads these two, where they stand.
	m     number // not in Montgomery form
	m0inv uint64 // -1/m mod 2^64

	limbs int    // a multiple of 4
	one   number // R mod m
	rr    number // R² mod m

	leaps [16]number // powers of 2^(2^leap), for Exp2
}

// leap is by how many bits Exp2 goes through two parts of an exponent at once.
const leap = 128

// New prepares for an odd modulus of at most 3072 bits, of which the topmost is
// set and whose limbs of 64 bits are a multiple of four.
func New(m *big.Int) *Modulus {
	mod := &Modulus{limbs: (m.BitLen() + 63) / 64}
	mod.m = mod.fromBig(m)
	r := new(big.Int).Lsh(big.NewInt(1), uint(64*mod.limbs))
	mod.one = mod.fromBig(new(big.Int).Mod(r, m))
	mod.rr = mod.fromBig(new(big.Int).Mod(r.Mul(r, r), m))
	// Newton's iteration doubles the right bits of 1/m, of which an odd number
	// has three to begin with.
	inv := mod.m[0]
	for range 5 {
		inv *= 2 - mod.m[0]*inv
	}
	mod.m0inv = -inv
	x := mod.one
	mod.double(&x, 1)
	for range leap {
		mod.mul(&x, &x, &x)
	}
	mod.powers(&mod.leaps, &x)
	return mod
}

// Exp returns base^e. Both are big-endian, and base and the result are as long
// as the modulus; ok is false if base is not below it. Base is no secret.
func (mod *Modulus) Exp(base, e []byte) (power []byte, ok bool) {
	var x, z number
	if !mod.setBytes(&x, base) {
		return nil, false
	}
	mod.enter(&x)
	mod.pow(&z, &x, e)
	mod.leave(&z)
	defer clear(z[:])
	return mod.bytes(&z), true
}

// Exp2 returns 2^e for an exponent of 32 bytes at least.
func (mod *Modulus) Exp2(e []byte) []byte {
	var z number
	mod.pow2(&z, e)
	mod.leave(&z)
	return mod.bytes(&z)
}

// fromBig keeps the number as it is.
func (mod *Modulus) fromBig(x *big.Int) (n number) {
	mod.setBytes(&n, x.FillBytes(make([]byte, 8*mod.limbs)))
	return n
}

// setBytes sets x to the big-endian b, which has 8·limbs bytes, as it is, and
// reports whether it is below the modulus.
func (mod *Modulus) setBytes(x *number, b []byte) bool {
	var borrow uint64
	for i := range mod.limbs {
		x[i] = binary.BigEndian.Uint64(b[8*(mod.limbs-1-i):])
		_, borrow = bits.Sub64(x[i], mod.m[i], borrow)
	}
	return borrow == 1
}

// bytes returns x, as it is, in 8·limbs bytes, big-endian.
func (mod *Modulus) bytes(x *number) []byte {
	b := make([]byte, 8*mod.limbs)
	for i := range mod.limbs {
		binary.BigEndian.PutUint64(b[8*(mod.limbs-1-i):], x[i])
	}
	return b
}

// enter brings x into Montgomery form, leave out of it.
func (mod *Modulus) enter(x *number) { mod.mul(x, x, &mod.rr) }
func (mod *Modulus) leave(x *number) { mod.mul(x, x, &number{1}) }

// mul sets z to x·y/R mod m, the product of two numbers in Montgomery form. It
// is word-by-word Montgomery multiplication: Algorithm 4 of "Efficient Software
// Implementations of Modular Exponentiation" (Gueron, ePrint 2011/239).
func (mod *Modulus) mul(z, x, y *number) {
	var t [2 * maxLimbs]uint64
	carry := mulRows(&t, x, y, mod)
	mod.reduce(z, t[mod.limbs:2*mod.limbs], carry)
}

// double sets x to 2x mod m if bit is 1, and leaves it if it is 0.
func (mod *Modulus) double(x *number, bit uint64) {
	var t number
	mask, carry := -bit, uint64(0)
	for i := range mod.limbs {
		t[i], carry = bits.Add64(x[i], x[i]&mask, carry)
	}
	mod.reduce(x, t[:mod.limbs], carry)
}

// reduce sets z to t + carry·R, which is below 2m, reduced once.
func (mod *Modulus) reduce(z *number, t []uint64, carry uint64) {
	var borrow uint64
	for i, limb := range t {
		z[i], borrow = bits.Sub64(limb, mod.m[i], borrow)
	}
	_, borrow = bits.Sub64(carry, 0, borrow)
	mask := -borrow // all ones if t was below m and is to stay
	for i, limb := range t {
		z[i] ^= mask & (z[i] ^ limb)
	}
}

// powers fills table with x^0, x^1, … x^15.
func (mod *Modulus) powers(table *[16]number, x *number) {
	table[0] = mod.one
	for i := 1; i < len(table); i++ {
		mod.mul(&table[i], &table[i-1], x)
	}
}

// mulPower multiplies z by table[index], which it finds by looking at all.
func (mod *Modulus) mulPower(z *number, table *[16]number, index byte) {
	var power number
	for i := range table {
		mask := -(((uint64(i) ^ uint64(index)) - 1) >> 63) // all ones if they are equal
		for j := range mod.limbs {
			power[j] |= mask & table[i][j]
		}
	}
	mod.mul(z, z, &power)
}

// pow sets z to x^e for the big-endian exponent e, four bits at a time.
func (mod *Modulus) pow(z, x *number, e []byte) {
	var table [16]number
	mod.powers(&table, x)
	*z = mod.one
	for _, b := range e {
		for _, index := range [2]byte{b >> 4, b & 15} {
			for range 4 {
				mod.mul(z, z, z)
			}
			mod.mulPower(z, &table, index)
		}
	}
}

// pow2 sets z to 2^e for the big-endian exponent e of 2·leap bits at least. With
// e = high·2^leap + low it is (2^(2^leap))^high · 2^low, computed in one go: the
// base of the first factor is known beforehand, and to double is cheap.
func (mod *Modulus) pow2(z *number, e []byte) {
	high, low := e[:len(e)-leap/8], e[len(e)-leap/8:]
	*z = mod.one
	for i, b := range high {
		beside := i - (len(high) - len(low)) // the last bits stand side by side
		for j := range 8 {
			mod.mul(z, z, z)
			if beside >= 0 {
				mod.double(z, uint64(low[beside]>>(7-j)&1))
			}
			if j%4 == 3 {
				mod.mulPower(z, &mod.leaps, b>>(7-j)&15)
			}
		}
	}
}

// mulRowsGo adds x·y + q·m to t, a row of each for each limb of y, where q is
// such that the low half of the sum is 0. The high half and the carry that is
// returned are the result; what is in the low half then is of no meaning.
func mulRowsGo(t *[2 * maxLimbs]uint64, x, y *number, mod *Modulus) (carry uint64) {
	n := mod.limbs
	for i := range n {
		row := t[i : i+n]
		c1 := addMul(row, x[:n], y[i])
		c2 := addMul(row, mod.m[:n], row[0]*mod.m0inv)
		t[i+n], carry = bits.Add64(c1, c2, carry)
	}
	return carry
}

// addMul adds x·y to z and returns the limb that goes beyond it. Four limbs at
// a time let the compiler keep carries in the processor's flag.
func addMul(z, x []uint64, y uint64) (carry uint64) {
	for len(x) >= 4 && len(z) >= 4 {
		h0, l0 := bits.Mul64(x[0], y)
		h1, l1 := bits.Mul64(x[1], y)
		h2, l2 := bits.Mul64(x[2], y)
		h3, l3 := bits.Mul64(x[3], y)
		var c uint64
		l0, c = bits.Add64(l0, carry, 0)
		l1, c = bits.Add64(l1, h0, c)
		l2, c = bits.Add64(l2, h1, c)
		l3, c = bits.Add64(l3, h2, c)
		h3 += c
		z[0], c = bits.Add64(z[0], l0, 0)
		z[1], c = bits.Add64(z[1], l1, c)
		z[2], c = bits.Add64(z[2], l2, c)
		z[3], c = bits.Add64(z[3], l3, c)
		carry = h3 + c
		x, z = x[4:], z[4:]
	}
	return carry
}
