//go:build purego || !amd64

package curve448

// mul sets z to x·y.
func mul(z, x, y *element) { mulGo(z, x, y) }

// sqr sets z to x².
func sqr(z, x *element) { mulGo(z, x, x) }

// pick sets a to block[index].
func pick(a *affine, block *[1 << teeth]affine, index uint64) { pickGo(a, block, index) }

// step is one round, before which the points are exchanged if exchange is 1.
func (l *ladder) step(exchange uint64) { l.stepGo(exchange) }

// add adds a to p.
func (p *point) add(a *affine) { p.addGo(a) }
