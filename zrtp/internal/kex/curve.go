package kex

import (
	"crypto/ecdh"
	"reflect"
)

// curve is a group of points on an elliptic curve.
type curve struct {
	ecdh.Curve
	scalarLen  int
	candidates int  // scalars to draw, of which the first in range is taken
	prefix     byte // of the standard library's encoding, not on the wire; 0: none
}

var (
	x25519 = &curve{Curve: ecdh.X25519(), scalarLen: 32, candidates: 1}

	// One draw in 2^32 is out of P-256's range; two in a row are one in 2^64.
	// On the wire a point is x and y alone (RFC 6189 §5.1.5), without the
	// prefix that says it is not compressed.
	p256 = &curve{Curve: ecdh.P256(), scalarLen: 32, candidates: 2, prefix: 4}

	// One draw in 2^194 is out of P-384's range: never.
	p384 = &curve{Curve: ecdh.P384(), scalarLen: 48, candidates: 1, prefix: 4}
)

// secretLen does not depend on the cipher: a curve's strength is its own.
func (c *curve) secretLen(int) int { return c.candidates * c.scalarLen }

func (c *curve) generate(random []byte) (private, error) {
	if len(random) != c.secretLen(0) {
		return nil, ErrSecret
	}
	for ; len(random) > 0; random = random[c.scalarLen:] {
		if key, err := c.NewPrivateKey(random[:c.scalarLen]); err == nil {
			return &curvePrivate{curve: c, key: key}, nil
		}
	}
	return nil, ErrSecret
}

type curvePrivate struct {
	curve *curve
	key   *ecdh.PrivateKey
}

func (x *curvePrivate) public() []byte {
	pv := x.key.PublicKey().Bytes()
	if x.curve.prefix != 0 {
		pv = pv[1:]
	}
	return pv
}

func (x *curvePrivate) shared(pv []byte) ([]byte, error) {
	encoded := pv
	if x.curve.prefix != 0 {
		encoded = append([]byte{x.curve.prefix}, pv...)
	}
	peer, err := x.curve.NewPublicKey(encoded) // refuses points off the curve
	if err != nil {
		return nil, ErrPublicValue
	}
	result, err := x.key.ECDH(peer) // refuses the all-zero result of RFC 7748 §6.1
	if err != nil {
		return nil, ErrPublicValue
	}
	return result, nil
}

func (x *curvePrivate) wipe() { wipeMemory(reflect.ValueOf(x.key)) }
