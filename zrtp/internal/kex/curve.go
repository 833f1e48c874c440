package kex

import (
	"crypto/ecdh"
	"reflect"
)

// curve is a group of points on one of NIST's elliptic curves.
type curve struct {
	ecdh.Curve
	scalarLen  int
	candidates int // scalars to draw, of which the first in range is taken
}

// On the wire a point is x and y alone (RFC 6189 §5.1.5), without this byte
// of the standard library's encoding, which says that it is not compressed.
const uncompressed = 4

var (
	// One draw in 2^32 is out of P-256's range; two in a row are one in 2^64.
	p256 = &curve{Curve: ecdh.P256(), scalarLen: 32, candidates: 2}

	// One draw in 2^194 is out of P-384's range: never.
	p384 = &curve{Curve: ecdh.P384(), scalarLen: 48, candidates: 1}
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

func (x *curvePrivate) public() []byte { return x.key.PublicKey().Bytes()[1:] }

func (x *curvePrivate) shared(pv []byte) ([]byte, error) {
	// Points off the curve are refused.
	peer, err := x.curve.NewPublicKey(append([]byte{uncompressed}, pv...))
	if err != nil {
		return nil, ErrPublicValue
	}
	result, err := x.key.ECDH(peer)
	if err != nil {
		return nil, ErrPublicValue
	}
	return result, nil
}

func (x *curvePrivate) wipe() { wipeMemory(reflect.ValueOf(x.key)) }
