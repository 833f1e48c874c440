package zrtp

import (
	"bytes"

	"sotto/internal/secret"
	"sotto/zrtp/internal/kex"
	"sotto/zrtp/wire"
)

// agreement is our side of a key agreement with public values: of Diffie and
// Hellman, or in KEM mode, where the initiator's public key is in its Commit,
// a ciphertext takes the place of the responder's public value, and a nonce
// that of the initiator's. What the Commit binds the initiator to is in either
// case what comes in DHPart2 (RFC 6189 §4.4.1.1).
type agreement interface {
	inCommit() ([]byte, error) // after hvi
	inDHPart() []byte          // as pv
	// result is DHResult, which is the caller's to wipe, from what the peer's
	// DHPart holds. Error: kex.ErrPublicValue.
	result(pv []byte) ([]byte, error)
	wipe()
}

// kemNonceLen is the length of what an initiator in KEM mode has in its DHPart2.
const kemNonceLen = 16

// newAgreement makes a fresh key pair for s.suite, or in KEM mode, as the
// responder, what follows from the key in the peer's Commit.
func (s *Session) newAgreement(peerKey []byte) (agreement, error) {
	if kem, ok := kex.LookupKEM(s.suite.KeyAgreement, newHash(s.suite.Hash)); ok {
		if s.role == Initiator {
			return s.newKEMKey(kem)
		}
		return s.encapsulate(kem, peerKey)
	}
	dh, ok := kex.Lookup(s.suite.KeyAgreement)
	if !ok || len(peerKey) > 0 {
		return nil, kex.ErrPublicValue
	}
	random, err := s.random(dh.SecretLen(cipherBits(s.suite.Cipher)))
	if err != nil {
		return nil, err
	}
	defer secret.Wipe(random)
	key, err := dh.Generate(random)
	if err != nil {
		return nil, err
	}
	return dhKey{key}, nil
}

type dhKey struct{ key *kex.Key }

func (dhKey) inCommit() ([]byte, error)          { return nil, nil }
func (a dhKey) inDHPart() []byte                 { return a.key.Public() }
func (a dhKey) result(pv []byte) ([]byte, error) { return a.key.Shared(pv) }
func (a dhKey) wipe()                            { a.key.Wipe() }

// kemKey is the initiator's.
type kemKey struct {
	key   *kex.KEMKey
	nonce []byte
}

func (s *Session) newKEMKey(kem *kex.KEM) (agreement, error) {
	nonce, err := s.random(kemNonceLen)
	if err != nil {
		return nil, err
	}
	random, err := s.random(kem.SecretLen)
	if err != nil {
		return nil, err
	}
	defer secret.Wipe(random)
	key, err := kem.GenerateKey(random)
	if err != nil {
		return nil, err
	}
	return kemKey{key, nonce}, nil
}

func (a kemKey) inCommit() ([]byte, error)                { return a.key.Public() }
func (a kemKey) inDHPart() []byte                         { return a.nonce }
func (a kemKey) result(ciphertext []byte) ([]byte, error) { return a.key.Decapsulate(ciphertext) }
func (a kemKey) wipe()                                    { a.key.Wipe() }

// encapsulated is the responder's: it knows DHResult before the initiator has
// shown its nonce, but not what follows from both (RFC 6189 §4.4.1.4).
type encapsulated struct {
	ciphertext []byte
	shared     *secret.Bytes
}

func (s *Session) encapsulate(kem *kex.KEM, public []byte) (agreement, error) {
	random, err := s.random(kem.EncapsulateLen)
	if err != nil {
		return nil, err
	}
	defer secret.Wipe(random)
	ciphertext, shared, err := kem.Encapsulate(random, public)
	if err != nil {
		return nil, err
	}
	return &encapsulated{ciphertext, secret.From(shared)}, nil
}

func (*encapsulated) inCommit() ([]byte, error) { return nil, nil }

// inDHPart is called once: afterwards the ciphertext is in the message alone.
func (a *encapsulated) inDHPart() []byte {
	defer func() { a.ciphertext = nil }()
	return a.ciphertext
}

func (a *encapsulated) result(nonce []byte) ([]byte, error) {
	if len(nonce) != kemNonceLen {
		return nil, kex.ErrPublicValue
	}
	return bytes.Clone(a.shared.Reveal()), nil
}

func (a *encapsulated) wipe() { a.shared.Wipe() }

// withPublicValues says whether DHParts belong to a key agreement.
func withPublicValues(keyAgreement wire.Algo) bool {
	return keyAgreement != wire.Multistream && keyAgreement != wire.Preshared
}
