//go:build !purego

package curve448

import "sotto/internal/processor"

//go:noescape
func mulADX(z, x, y *element)

//go:noescape
func sqrADX(z, x *element)

//go:noescape
func ladderAVX2(state *quad, x1 *[limbs][lanes]uint64, scalar *[Size / 8]uint64)

//go:noescape
func combAVX2(p *quad, table *combTable, d *digits)

// mul sets z to x·y.
func mul(z, x, y *element) {
	if processor.HasADX {
		mulADX(z, x, y)
	} else {
		mulGo(z, x, y)
	}
}

// sqr sets z to x².
func sqr(z, x *element) {
	if processor.HasADX {
		sqrADX(z, x)
	} else {
		mulGo(z, x, x)
	}
}

// climb does all rounds of X448.
func (l *ladder) climb(k *[Size]byte) {
	if !processor.HasAVX2 {
		l.climbGo(k)
		return
	}
	words := wordsOf(k)
	var state quad
	join(&state, &l.x2, &l.z2, &l.x3, &l.z3)
	x1 := oneProduct(&l.x1)
	ladderAVX2(&state, &x1, &words)
	split(&state, &l.x2, &l.z2, &l.x3, &l.z3)
	clear(words[:])
}

// oneProduct prepares for a product that takes all lanes: with the names of mulGo
// they are those of ac, (a+b)(c+d), bd and (a+b)(c+d).
func oneProduct(y *element) (prepared [limbs][lanes]uint64) {
	var q quad
	join(&q, y)
	for i := range prepared {
		c, d := q[i][0], q[i+limbs][0]
		prepared[i] = [lanes]uint64{c, c + d, d, c + d}
	}
	return prepared
}

// comb does all rounds of X448Base.
func (p *point) comb(table *combTable, d *digits) {
	if !processor.HasAVX2 {
		p.combGo(table, d)
		return
	}
	var q quad
	join(&q, &p.x, &p.t, &p.z, &p.y)
	combAVX2(&q, table, d)
	split(&q, &p.x, &p.t, &p.z, &p.y)
}
