// Package kex is the table of key agreements behind two small types. An
// [Agreement] of Diffie and Hellman turns random bytes into a [Key], and a Key
// turns the peer's public value into the DHResult of RFC 6189 §4.4.1.4. A [KEM]
// makes a [KEMKey] for the initiator and, for the responder, a ciphertext from
// which both learn the DHResult.
//
// Everything that touches a secret runs in constant time. Wipe overwrites the
// secret itself; scratch numbers inside the arithmetic are left to the garbage
// collector.
package kex

import (
	"bytes"
	"errors"

	"sotto/zrtp/wire"
)

var (
	// ErrPublicValue means a peer's public value that no honest peer sends:
	// 0, 1, p-1 or beyond, off the curve, of low order, or of wrong length.
	// The exchange must end (RFC 6189 §4.4.1.2).
	ErrPublicValue = errors.New("kex: invalid public value")

	// ErrSecret means random bytes that make no key: too few or too many, or
	// so unlikely that the random source must be broken.
	ErrSecret = errors.New("kex: unusable secret")

	// ErrWiped means a key that was already wiped.
	ErrWiped = errors.New("kex: key was wiped")
)

// Agreement is one Diffie-Hellman key agreement (RFC 6189 §5.1.5).
type Agreement struct {
	Name      wire.Algo
	PublicLen int // bytes of a public value, pv on the wire
	SharedLen int // bytes of DHResult

	group group
}

// group is the arithmetic of an agreement.
type group interface {
	secretLen(cipherBits int) int
	generate(random []byte) (private, error) // does not keep random
}

// private is a secret scalar of a group, and its public value.
type private interface {
	public() []byte
	shared(pv []byte) ([]byte, error) // pv has PublicLen bytes
	wipe()
}

// table is only read. X255 and X448 are not in RFC 6189: they are X25519 and
// X448 of RFC 7748 with public values and DHResult as they are there,
// little-endian.
var table = []Agreement{
	{Name: wire.A("DH2k"), PublicLen: 256, SharedLen: 256, group: modp2048},
	{Name: wire.A("DH3k"), PublicLen: 384, SharedLen: 384, group: modp3072},
	{Name: wire.A("EC25"), PublicLen: 64, SharedLen: 32, group: p256},
	{Name: wire.A("EC38"), PublicLen: 96, SharedLen: 48, group: p384},
	{Name: wire.A("X255"), PublicLen: 32, SharedLen: 32, group: curve25519},
	{Name: wire.A("X448"), PublicLen: 56, SharedLen: 56, group: goldilocks},
}

// Lookup finds the agreement of that name, if it is one we do.
func Lookup(name wire.Algo) (*Agreement, bool) {
	for i := range table {
		if table[i].Name == name {
			return &table[i], true
		}
	}
	return nil, false
}

// speed ranks from fastest to slowest after RFC 6189 §4.1.2. What that does not
// name stands where libbzrtp has it, since both sides must come to one choice.
var speed = []wire.Algo{
	wire.A("DH2k"), wire.A("X255"), wire.A("K255"), wire.A("EC25"), wire.A("X448"), wire.A("K448"),
	wire.A("DH3k"), wire.A("EC38"), wire.A("EC52"), wire.A("X1M1"), wire.A("X3M3"),
}

// Faster says whether a ranks before b (RFC 6189 §4.1.2). A name that has no
// rank is slower than all that have one.
func Faster(a, b wire.Algo) bool {
	for _, name := range speed {
		if name == a || name == b {
			return name == a && a != b
		}
	}
	return false
}

// SecretLen is how many random bytes Generate takes when the key shall be as
// strong as a cipher with keys of cipherBits bits.
func (a *Agreement) SecretLen(cipherBits int) int { return a.group.secretLen(cipherBits) }

// Generate makes the key that follows from random, which must hold SecretLen
// fresh random bytes, is not kept, and is the caller's to wipe. The same bytes
// make the same key. Error: ErrSecret.
func (a *Agreement) Generate(random []byte) (*Key, error) {
	p, err := a.group.generate(random)
	if err != nil {
		return nil, err
	}
	return &Key{pv: p.public(), private: p}, nil
}

// Key is a fresh key pair, good for one exchange and then to be wiped.
type Key struct {
	pv      []byte
	private private // nil once wiped
}

// Public returns the public value as it stands in a DHPart message. It stays
// there after Wipe.
func (k *Key) Public() []byte { return bytes.Clone(k.pv) }

// Shared computes DHResult of SharedLen bytes, which is the caller's to wipe.
// Errors: ErrPublicValue, ErrWiped.
func (k *Key) Shared(peerPV []byte) ([]byte, error) {
	if k.private == nil {
		return nil, ErrWiped
	}
	if len(peerPV) != len(k.pv) {
		return nil, ErrPublicValue
	}
	return k.private.shared(peerPV)
}

// Wipe overwrites the secret. Wiping twice, or nil, is fine.
func (k *Key) Wipe() {
	if k == nil || k.private == nil {
		return
	}
	k.private.wipe()
	k.private = nil
}
