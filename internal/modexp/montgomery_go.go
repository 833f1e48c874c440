//go:build purego || !amd64

package modexp

func mulRows(t *[2 * maxLimbs]uint64, x, y *number, mod *Modulus) (carry uint64) {
	return mulRowsGo(t, x, y, mod)
}
