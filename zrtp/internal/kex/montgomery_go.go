//go:build purego || !amd64

package kex

func mulRows(t *[2 * maxLimbs]uint64, x, y *number, mod *modulus) (carry uint64) {
	return mulRowsGo(t, x, y, mod)
}
