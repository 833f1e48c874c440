package kex

import (
	"bytes"
	"crypto/hkdf"
	"hash"
	"reflect"
	"slices"
	"sync/atomic"

	circl "github.com/cloudflare/circl/kem"
	"github.com/cloudflare/circl/kem/mlkem/mlkem1024"
	"github.com/cloudflare/circl/kem/mlkem/mlkem512"

	"sotto/internal/hmac"
	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

// KEM is one key encapsulation mechanism of the KEM mode, which is not in RFC
// 6189 but in "Post Quantum Cryptography integration in Linphone", version 1.1,
// and here as libbzrtp 5.5 does it: a Diffie-Hellman agreement used as a KEM,
// alone or combined with ML-KEM of FIPS 203.
type KEM struct {
	Name           wire.Algo
	PublicLen      int // bytes of a public key, pv in Commit
	CiphertextLen  int // bytes of a ciphertext, pv in DHPart1
	SharedLen      int // bytes of DHResult
	SecretLen      int // random bytes that GenerateKey takes
	EncapsulateLen int // random bytes that Encapsulate takes

	newHash func() hash.Hash
	curve   *Agreement
	curveID byte         // for derive
	lattice circl.Scheme // nil: the curve alone
}

// kems is only read. ML-KEM is circl's at both strengths: the standard library
// has no ML-KEM-512, takes no randomness from its caller to encapsulate, and
// took 310 µs for a round of ML-KEM-1024 where circl took 110 µs.
var kems = []struct {
	name    string
	curve   string
	curveID byte // as in the table of RFC 9180 §7.1
	lattice circl.Scheme
}{
	{"K255", "X255", 0x20, nil},
	{"K448", "X448", 0x21, nil},
	{"X1M1", "X255", 0x20, mlkem512.Scheme()},
	{"X3M3", "X448", 0x21, mlkem1024.Scheme()},
}

// LookupKEM finds the mechanism of that name, if it is one we do, with the hash
// function that was agreed upon.
func LookupKEM(name wire.Algo, newHash func() hash.Hash) (*KEM, bool) {
	for _, row := range kems {
		if wire.A(row.name) != name {
			continue
		}
		curve, _ := Lookup(wire.A(row.curve))
		m := &KEM{
			Name:           name,
			PublicLen:      curve.PublicLen,
			CiphertextLen:  curve.PublicLen,
			SharedLen:      curve.SharedLen,
			SecretLen:      curve.SecretLen(0),
			EncapsulateLen: curve.SecretLen(0),
			newHash:        newHash,
			curve:          curve,
			curveID:        row.curveID,
			lattice:        row.lattice,
		}
		if m.lattice != nil {
			m.PublicLen += m.lattice.PublicKeySize()
			m.CiphertextLen += m.lattice.CiphertextSize()
			m.SharedLen = newHash().Size()
			m.SecretLen += m.lattice.SeedSize()
			m.EncapsulateLen += m.lattice.EncapsulationSeedSize()
		}
		return m, true
	}
	return nil, false
}

// KEMKey is a fresh key pair, good for one exchange and then to be wiped. Of the
// lattice it holds the seed, and for as long as few do, what that expands to: to
// do it twice takes 40 µs, but the expanded key takes 13 KiB for as long as the
// peer makes us wait.
type KEMKey struct {
	name     wire.Algo
	newHash  func() hash.Hash
	curve    *Key
	seed     []byte           // empty without a lattice
	expanded circl.PrivateKey // nil if not kept
}

// expansions is how many KEMKeys are kept expanded. That of the call that is being
// set up is one of them, where no flood of Hellos keeps them busy.
var expansions atomic.Int32

const maxExpansions = 4

func (k *KEMKey) kem() *KEM {
	m, _ := LookupKEM(k.name, k.newHash)
	return m
}

// GenerateKey makes the key that follows from random, which must hold SecretLen
// fresh random bytes, is not kept, and is the caller's to wipe. The same bytes
// make the same key. Error: ErrSecret.
func (m *KEM) GenerateKey(random []byte) (*KEMKey, error) {
	if len(random) != m.SecretLen {
		return nil, ErrSecret
	}
	forCurve, forLattice := random[:m.curve.SecretLen(0)], random[m.curve.SecretLen(0):]
	curve, err := m.curve.Generate(forCurve)
	if err != nil {
		return nil, err
	}
	return &KEMKey{name: m.Name, newHash: m.newHash, curve: curve, seed: bytes.Clone(forLattice)}, nil
}

// Encapsulate makes a shared secret of SharedLen bytes, which is the caller's
// to wipe, and the ciphertext from which the owner of the peer's public key
// learns it. Random must hold EncapsulateLen fresh random bytes, which are not
// kept; the same bytes make the same secret. Errors: ErrPublicValue, ErrSecret.
func (m *KEM) Encapsulate(random, public []byte) (ciphertext, shared []byte, err error) {
	if len(random) != m.EncapsulateLen {
		return nil, nil, ErrSecret
	}
	if len(public) != m.PublicLen {
		return nil, nil, ErrPublicValue
	}
	forCurve, forLattice := random[:m.curve.SecretLen(0)], random[m.curve.SecretLen(0):]
	onCurve, onLattice := public[:m.curve.PublicLen], public[m.curve.PublicLen:]

	ephemeral, err := m.curve.Generate(forCurve)
	if err != nil {
		return nil, nil, err
	}
	defer ephemeral.Wipe()
	ciphertext = ephemeral.Public()
	curveShared, err := m.derive(ephemeral, onCurve, slices.Concat(ciphertext, onCurve))
	if err != nil {
		return nil, nil, err
	}
	if m.lattice == nil {
		return ciphertext, curveShared, nil
	}
	defer secret.Wipe(curveShared)
	key, err := m.lattice.UnmarshalBinaryPublicKey(onLattice)
	if err != nil { // a coefficient beyond the modulus
		return nil, nil, ErrPublicValue
	}
	latticeCiphertext, latticeShared, err := m.lattice.EncapsulateDeterministically(key, forLattice)
	if err != nil {
		return nil, nil, err
	}
	defer secret.Wipe(latticeShared)
	ciphertext = append(ciphertext, latticeCiphertext...)
	return ciphertext, m.combine(curveShared, latticeShared, ciphertext), nil
}

// Public computes the public key as it stands in a Commit message. Error:
// ErrWiped.
func (k *KEMKey) Public() ([]byte, error) {
	if k.curve.private == nil {
		return nil, ErrWiped
	}
	public, lattice := k.curve.Public(), k.kem().lattice
	if lattice == nil {
		return public, nil
	}
	private, done := k.expand(lattice)
	defer done()
	encoded, err := private.Public().MarshalBinary()
	return append(public, encoded...), err
}

// expand gives the lattice key until done is called. It is kept if that is the
// first time and few others are.
func (k *KEMKey) expand(lattice circl.Scheme) (private circl.PrivateKey, done func()) {
	if k.expanded == nil {
		_, private = lattice.DeriveKeyPair(k.seed)
		if expansions.Add(1) > maxExpansions {
			expansions.Add(-1)
			return private, func() { wipeMemory(reflect.ValueOf(private)) }
		}
		k.expanded = private
	}
	return k.expanded, func() {}
}

// Decapsulate returns the shared secret of SharedLen bytes that Encapsulate
// made with the ciphertext, which is the caller's to wipe. From a ciphertext
// that was tampered with follows another secret, not an error, except where
// the curve tells. Errors: ErrPublicValue, ErrWiped.
func (k *KEMKey) Decapsulate(ciphertext []byte) ([]byte, error) {
	m := k.kem()
	if len(ciphertext) != m.CiphertextLen {
		return nil, ErrPublicValue
	}
	n := m.curve.PublicLen
	onCurve, onLattice := ciphertext[:n], ciphertext[n:]
	curveShared, err := m.derive(k.curve, onCurve, slices.Concat(onCurve, k.curve.Public()))
	if err != nil || m.lattice == nil {
		return curveShared, err
	}
	defer secret.Wipe(curveShared)
	private, done := k.expand(m.lattice)
	defer done()
	latticeShared, err := m.lattice.Decapsulate(private, onLattice)
	if err != nil {
		return nil, err
	}
	defer secret.Wipe(latticeShared)
	return m.combine(curveShared, latticeShared, ciphertext), nil
}

// Wipe overwrites the secrets. Wiping twice, or nil, is fine.
func (k *KEMKey) Wipe() {
	if k == nil {
		return
	}
	k.curve.Wipe()
	secret.Wipe(k.seed)
	if k.expanded != nil {
		wipeMemory(reflect.ValueOf(k.expanded))
		k.expanded = nil
		expansions.Add(-1)
	}
}

// derive makes a KEM of Diffie-Hellman as DHKEM of RFC 9180 §4.1 does, but with
// labels of its own. Context is ciphertext and public key.
func (m *KEM) derive(own *Key, peer, context []byte) ([]byte, error) {
	dh, err := own.Shared(peer)
	if err != nil {
		return nil, err
	}
	defer secret.Wipe(dh)
	suite := string([]byte{'K', 'E', 'M', 0, m.curveID})
	ikm := append([]byte("ZRTP"+suite+"eae_prk"), dh...)
	defer secret.Wipe(ikm)
	n := m.curve.SharedLen
	info := string([]byte{byte(n >> 8), byte(n)}) + "ZRTP-v1.1" + suite + "shared_secret" + string(context)
	return hkdf.Key(m.newHash, ikm, nil, info, n)
}

// combine makes one secret of two, which stays one as long as either does.
func (m *KEM) combine(curveShared, latticeShared, ciphertext []byte) []byte {
	var key []byte
	for _, message := range [][]byte{curveShared, latticeShared, ciphertext} {
		mac := hmac.Sum(m.newHash, key, message)
		secret.Wipe(key)
		key = mac
	}
	return key
}
