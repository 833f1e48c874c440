//go:build !purego

package curve448

import "sotto/internal/processor"

//go:noescape
func mulADX(z, x, y *element)

//go:noescape
func sqrADX(z, x *element)

//go:noescape
func pickAVX2(a *affine, block *[1 << teeth]affine, index uint64)

//go:noescape
func addADX(p *point, a *affine) // with AVX2

//go:noescape
func stepADX(l *ladder, exchange uint64) // with AVX2

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

// pick sets a to block[index].
func pick(a *affine, block *[1 << teeth]affine, index uint64) {
	if processor.HasAVX2 {
		pickAVX2(a, block, index)
	} else {
		pickGo(a, block, index)
	}
}

// step is one round, before which the points are exchanged if exchange is 1.
func (l *ladder) step(exchange uint64) {
	if processor.HasADX && processor.HasAVX2 {
		stepADX(l, exchange)
	} else {
		l.stepGo(exchange)
	}
}

// add adds a to p.
func (p *point) add(a *affine) {
	if processor.HasADX && processor.HasAVX2 {
		addADX(p, a)
	} else {
		p.addGo(a)
	}
}
