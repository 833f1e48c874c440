package kex

import (
	"bytes"
	"crypto/subtle"
	"math/big"

	"sotto/internal/modexp"
	"sotto/internal/secret"
)

// modp is a group of integers modulo a safe prime with generator 2.
type modp struct {
	*modexp.Modulus
	trivial [3][]byte // 0, 1 and p-1
}

// The primes of RFC 3526 §3 and RFC 3526 §4.
var modp2048, modp3072 = newMODP(modexp.Prime2048), newMODP(modexp.Prime3072)

func newMODP(prime string) *modp {
	p, ok := new(big.Int).SetString(prime, 16)
	if !ok {
		panic("kex: prime is not hexadecimal")
	}
	one := big.NewInt(1)
	g := &modp{Modulus: modexp.New(p)}
	for i, n := range []*big.Int{new(big.Int), one, new(big.Int).Sub(p, one)} {
		g.trivial[i] = n.FillBytes(make([]byte, len(prime)/2))
	}
	return g
}

// Exponents are twice as long as the keys of AES-128 to AES-256.
const minExponentLen, maxExponentLen = 32, 64

// secretLen is twice the length of the cipher's key, as RFC 6189 §5.1.5 asks:
// a longer exponent costs time and adds no strength to the call.
func (g *modp) secretLen(cipherBits int) int { return max(2*cipherBits/8, minExponentLen) }

func (g *modp) generate(random []byte) (private, error) {
	if len(random) < minExponentLen || len(random) > maxExponentLen {
		return nil, ErrSecret
	}
	if subtle.ConstantTimeCompare(random, make([]byte, len(random))) == 1 {
		return nil, ErrSecret // 2^0 = 1
	}
	return &modpPrivate{group: g, exponent: bytes.Clone(random), pv: g.Exp2(random)}, nil
}

type modpPrivate struct {
	group    *modp
	exponent []byte // big-endian
	pv       []byte // big-endian, as long as p
}

func (x *modpPrivate) public() []byte { return x.pv }

// shared refuses 1 and p-1, which RFC 6189 §4.4.1.2 names, and 0, which would
// be as disastrous.
func (x *modpPrivate) shared(pv []byte) ([]byte, error) {
	for _, trivial := range x.group.trivial {
		if bytes.Equal(pv, trivial) {
			return nil, ErrPublicValue
		}
	}
	result, ok := x.group.Exp(pv, x.exponent)
	if !ok {
		return nil, ErrPublicValue
	}
	return result, nil
}

func (x *modpPrivate) wipe() { secret.Wipe(x.exponent) }
