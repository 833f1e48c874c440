package curve448

import "math/bits"

// The public value of a scalar is computed on the Edwards curve
//
//	x² + y² = 1 + d·x²·y²,  d = 39082/39081
//
// that RFC 7748 §4.2 shows to be birationally equivalent to curve448, where
// multiples of the base point can be prepared. Its addition has no exceptions,
// since d is no square.

// A scalar is written with 450 bits that each stand for 1 or -1. They are cut into
// 45 teeth of 10 bits, and five teeth make a block. A round takes one bit of each
// tooth, so there are 10 rounds, each of a doubling and of an addition for each
// block.
const (
	rounds = 10
	teeth  = 5
	blocks = 9
)

// signs is half of what is between an even number and its bits of that kind, when
// the order of the base point (RFC 7748 §4.2) has made it odd: (order + 2^450 - 1)/2.
var signs = [8]uint64{
	0x91bc614955ac2279, 0x10b6613946e2c7aa, 0xe2276da4d76b1b48, 0xffffffffbe6511f4,
	0xffffffffffffffff, 0xffffffffffffffff, 0x1fffffffffffffff, 0x0000000000000002,
}

// digits are for each round, in order, those of the blocks: the number of a sum,
// and in the first bit whether it is to be subtracted.
type digits = [rounds][blocks]uint32

// point is (X/Z, Y/Z) with T = XY/Z, in the extended coordinates of "Twisted
// Edwards Curves Revisited" (Hisil, Wong, Carter and Dawson, ePrint 2008/522).
type point struct{ x, y, z, t element }

// sum is a prepared point, affine: x, d·x·y, nothing and y in the lanes of a quad.
// It is an alias as element is.
type sum = [2 * limbs][lanes]uint32

// baseX is X(P) of RFC 7748 §4.2. Y(P) is 3/2, and u = (y+1)/(y-1): the maps
// that the RFC prints have the sign of y wrong, which is in its errata.
var baseX = [Size]byte{
	0xfc, 0x04, 0x9c, 0x3e, 0x09, 0x13, 0x87, 0x69, 0x11, 0xcd, 0x96, 0x84, 0xf3, 0x32,
	0xe7, 0x9d, 0x24, 0x72, 0x69, 0xed, 0x87, 0x77, 0x1f, 0xe2, 0x93, 0xdc, 0x8b, 0x72,
	0x7d, 0xa0, 0x25, 0x0c, 0x24, 0x69, 0x29, 0xc9, 0x1a, 0x75, 0x28, 0x11, 0xc6, 0x92,
	0xc7, 0x16, 0xf4, 0x9d, 0x7c, 0xae, 0x53, 0x05, 0x40, 0x70, 0x2b, 0x0b, 0xa7, 0x79,
}

// comb holds for each block the sums of its teeth, 2^(10·tooth) times the base
// point each: the last is part of each sum, and bit i of a number says whether
// tooth i is, or is subtracted. It is only read.
var comb = newComb()

type combTable = [blocks][1 << (teeth - 1)]sum

func newComb() *combTable {
	one := element{1}
	p := point{z: one}
	setBytes(&p.x, &baseX)
	invert(&p.y, &element{2})
	mulSmall(&p.y, &p.y, 3)
	mul(&p.t, &p.x, &p.y)
	var each [blocks * teeth]point
	for i := range each {
		each[i] = p
		for range rounds {
			p.double()
		}
	}
	var d element
	invert(&d, &element{39081})
	mulSmall(&d, &d, 39082)
	tooth := prepare(each[:], &d)

	table := new(combTable)
	for b := range table {
		var sums [1 << (teeth - 1)]point
		own := tooth[b*teeth:][:teeth]
		sums[0] = each[b*teeth+teeth-1]
		for i := range teeth - 1 {
			sums[0].addGo(&own[i], 1)
		}
		for i := range teeth - 1 {
			for j := range 1 << i {
				sums[1<<i+j] = sums[j]
				sums[1<<i+j].addGo(&own[i], 0)
				sums[1<<i+j].addGo(&own[i], 0)
			}
		}
		table[b] = [1 << (teeth - 1)]sum(prepare(sums[:], &d))
	}
	return table
}

// prepare computes the affine coordinates of points with one inversion: it
// inverts the product of all Z, from which each is then split off.
func prepare(points []point, d *element) []sum {
	var inverse element
	products := make([]element, len(points)+1) // of the points before
	products[0] = element{1}
	for i := range points {
		mul(&products[i+1], &products[i], &points[i].z)
	}
	invert(&inverse, &products[len(points)])
	prepared := make([]sum, len(points))
	for i := len(points) - 1; i >= 0; i-- {
		var byZ, x, y, dxy element
		p := &points[i]
		mul(&byZ, &inverse, &products[i])
		mul(&inverse, &inverse, &p.z)
		mul(&x, &p.x, &byZ)
		mul(&y, &p.y, &byZ)
		mul(&dxy, &p.t, &byZ)
		mul(&dxy, &dxy, d)
		join(&prepared[i], &x, &dxy, &element{}, &y)
	}
	return prepared
}

// X448Base is X448 of the base point: the public value of a scalar.
func X448Base(scalar *[Size]byte) [Size]byte {
	k := clamp(scalar)
	d := digitsOf(&k)
	p := point{y: element{1}, z: element{1}}
	p.comb(comb, &d)
	clear(k[:])
	clear(d[:])

	// u = (y+1)/(y-1)
	var u, below element
	add(&u, &p.y, &p.z)
	sub(&below, &p.y, &p.z)
	invert(&below, &below)
	mul(&u, &u, &below)
	return toBytes(&u)
}

// digitsOf writes a clamped scalar as the comb wants it.
func digitsOf(k *[Size]byte) (d digits) {
	var bit [8]uint64
	var carry uint64
	words := wordsOf(k)
	for i := range bit {
		var half uint64
		if i < len(words) {
			half = words[i] >> 1
		}
		if i+1 < len(words) {
			half |= words[i+1] << 63
		}
		bit[i], carry = bits.Add64(half, signs[i], carry)
	}
	for round := range d {
		for b := range d[round] {
			var all uint32
			for i := range teeth {
				n := (b*teeth+i)*rounds + rounds - 1 - round
				all |= uint32(bit[n/64]>>(n%64)&1) << i
			}
			minus := all>>(teeth-1) ^ 1
			d[round][b] = (all^-minus)&(1<<(teeth-1)-1) | minus<<31
		}
	}
	clear(words[:])
	clear(bit[:])
	return d
}

// combGo does all rounds.
func (p *point) combGo(table *combTable, d *digits) {
	for round := range d {
		p.double()
		for b, digit := range d[round] {
			a := pick(&table[b], digit&(1<<31-1))
			p.addGo(&a, uint64(digit>>31))
		}
	}
}

// pick returns block[index], which it finds by looking at all.
func pick(block *[1 << (teeth - 1)]sum, index uint32) (picked sum) {
	for i := range block {
		chosen := -(((uint32(i) ^ index) - 1) >> 31) // all ones if they are equal
		for limb := range picked {
			for lane := range picked[limb] {
				picked[limb][lane] |= chosen & block[i][limb][lane]
			}
		}
	}
	return picked
}

// addGo adds a to p, or subtracts it if minus is 1: madd-2008-hwcd of the paper,
// with the names it has there.
func (p *point) addGo(a *sum, minus uint64) {
	var A, B, C, E, F, G, H, x, y, dxy, both, none element
	split(a, &x, &dxy, &none, &y)
	for _, z := range []*element{&x, &dxy} {
		var negative element
		sub(&negative, &none, z)
		carry(&negative)
		swap(z, &negative, minus)
	}
	add(&both, &x, &y)
	mul(&A, &p.x, &x)
	mul(&B, &p.y, &y)
	mul(&C, &p.t, &dxy)
	add(&E, &p.x, &p.y)
	mul(&E, &E, &both)
	sub(&E, &E, &A)
	sub(&E, &E, &B)
	carry(&E)
	sub(&F, &p.z, &C)
	add(&G, &p.z, &C)
	sub(&H, &B, &A)
	mul(&p.x, &E, &F)
	mul(&p.y, &G, &H)
	mul(&p.t, &E, &H)
	mul(&p.z, &F, &G)
}

// double doubles p: dbl-2008-hwcd of the paper.
func (p *point) double() {
	var A, B, C, E, F, G, H element
	sqr(&A, &p.x)
	sqr(&B, &p.y)
	sqr(&C, &p.z)
	add(&C, &C, &C)
	add(&E, &p.x, &p.y)
	sqr(&E, &E)
	sub(&E, &E, &A)
	sub(&E, &E, &B)
	carry(&E)
	add(&G, &A, &B)
	carry(&C)
	sub(&F, &G, &C)
	carry(&F)
	sub(&H, &A, &B)
	mul(&p.x, &E, &F)
	mul(&p.y, &G, &H)
	mul(&p.t, &E, &H)
	mul(&p.z, &F, &G)
}
