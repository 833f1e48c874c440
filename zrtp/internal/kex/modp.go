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

// modp2048 has the prime of RFC 3526 §3.
var modp2048 = newMODP("" +
	"ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74" +
	"020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437" +
	"4fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed" +
	"ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf05" +
	"98da48361c55d39a69163fa8fd24cf5f83655d23dca3ad961c62f356208552bb" +
	"9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3b" +
	"e39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf695581718" +
	"3995497cea956ae515d2261898fa051015728e5a8aacaa68ffffffffffffffff")

// modp3072 has the prime of RFC 3526 §4.
var modp3072 = newMODP("" +
	"ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74" +
	"020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437" +
	"4fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed" +
	"ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf05" +
	"98da48361c55d39a69163fa8fd24cf5f83655d23dca3ad961c62f356208552bb" +
	"9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3b" +
	"e39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf695581718" +
	"3995497cea956ae515d2261898fa051015728e5a8aaac42dad33170d04507a33" +
	"a85521abdf1cba64ecfb850458dbef0a8aea71575d060c7db3970f85a6e1e4c7" +
	"abf5ae8cdb0933d71e8c94e04a25619dcee3d2261ad2ee6bf12ffa06d98a0864" +
	"d87602733ec86a64521f2b18177b200cbbe117577a615d6c770988c0bad946e2" +
	"08e24fa074e5ab3143db5bfce0fd108e4b82d120a93ad2caffffffffffffffff")

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
