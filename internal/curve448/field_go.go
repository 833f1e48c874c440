//go:build purego || !amd64

package curve448

// mul sets z to x·y.
func mul(z, x, y *element) { mulGo(z, x, y) }

// sqr sets z to x².
func sqr(z, x *element) { mulGo(z, x, x) }

// climb does all rounds of X448.
func (l *ladder) climb(k *[Size]byte) { l.climbGo(k) }

// comb does all rounds of X448Base.
func (p *point) comb(table *combTable, d *digits) { p.combGo(table, d) }
