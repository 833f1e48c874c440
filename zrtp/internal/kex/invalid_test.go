package kex

import (
	"bytes"
	"errors"
	"math/big"
	"testing"
)

// lowOrder255 and lowOrder448 are the points of the warning in RFC 7748 §7:
// every encoding, above the field's prime too, of a point whose order divides
// the cofactor, on the curve and on its twist.
var (
	lowOrder255 = []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	}
	// 0, 1, p-1, p, p+1 with p = 2^448 - 2^224 - 1.
	lowOrder448 = []string{
		"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
		"fefffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"fffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"00000000000000000000000000000000000000000000000000000000ffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	}
)

// invalidPublicValues of one agreement, of its length.
func invalidPublicValues(t *testing.T, a *Agreement) (bad [][]byte) {
	t.Helper()
	full := bytes.Repeat([]byte{0xff}, a.PublicLen)
	switch name := a.Name.String(); name {
	case "DH2k", "DH3k":
		p := primes[name]
		for _, n := range []int64{0, 1} {
			bad = append(bad, big.NewInt(n).FillBytes(make([]byte, a.PublicLen)))
		}
		for _, n := range []int64{-1, 0, 1} {
			bad = append(bad, new(big.Int).Add(p, big.NewInt(n)).FillBytes(make([]byte, a.PublicLen)))
		}
		return append(bad, full)
	case "EC25", "EC38":
		offCurve := unhex(t, answer(t, name).pvA)
		offCurve[a.PublicLen-1] ^= 1
		return [][]byte{make([]byte, a.PublicLen), offCurve, full}
	case "X255":
		for _, s := range lowOrder255 {
			high := unhex(t, s)
			high[31] |= 0x80 // the bit which X25519 ignores
			bad = append(bad, unhex(t, s), high)
		}
		return bad
	case "X448":
		for _, s := range lowOrder448 {
			bad = append(bad, unhex(t, s))
		}
		return bad
	}
	t.Fatalf("no invalid public values are known of %s", a.Name)
	return nil
}

func TestInvalidPublicValues(t *testing.T) {
	for _, a := range table {
		key := freshKey(t, &a, 128)
		valid := freshKey(t, &a, 128).Public()
		bad := append(invalidPublicValues(t, &a),
			nil, valid[1:], valid[:a.PublicLen-1], append([]byte{0}, valid...), append([]byte{4}, valid...), append(valid, 0))
		for _, pv := range bad {
			if shared, err := key.Shared(pv); !errors.Is(err, ErrPublicValue) || shared != nil {
				t.Errorf("%s accepted %x: %v", a.Name, pv, err)
			}
		}
	}
}

// TestLeastPublicValues: the neighbours of the refused numbers are fine.
func TestLeastPublicValues(t *testing.T) {
	for name, p := range primes {
		a := lookup(t, name)
		key := freshKey(t, a, 128)
		for _, n := range []*big.Int{big.NewInt(2), new(big.Int).Sub(p, big.NewInt(2))} {
			if _, err := key.Shared(n.FillBytes(make([]byte, a.PublicLen))); err != nil {
				t.Errorf("%s refused %x: %v", name, n, err)
			}
		}
	}
}
