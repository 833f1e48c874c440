package kex

import (
	"github.com/cloudflare/circl/dh/x448"

	"sotto/internal/secret"
)

// x448Group is X448 of RFC 7748 §5, which the standard library lacks.
type x448Group struct{}

// secretLen does not depend on the cipher: a curve's strength is its own.
func (x448Group) secretLen(int) int { return x448.Size }

func (x448Group) generate(random []byte) (private, error) {
	if len(random) != x448.Size {
		return nil, ErrSecret
	}
	x := &x448Private{secret: x448.Key(random)}
	x448.KeyGen(&x.pv, &x.secret)
	return x, nil
}

type x448Private struct{ secret, pv x448.Key }

func (x *x448Private) public() []byte { return x.pv[:] }

func (x *x448Private) shared(pv []byte) ([]byte, error) {
	var result x448.Key
	peer := x448.Key(pv)
	if !x448.Shared(&result, &x.secret, &peer) { // the all-zero result of RFC 7748 §6.2
		return nil, ErrPublicValue
	}
	return result[:], nil
}

func (x *x448Private) wipe() { secret.Wipe(x.secret[:]) }
