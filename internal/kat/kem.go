package kat

import (
	_ "embed"
)

//go:embed zrtp-bzrtp-kem.json
var kemHandshakes []byte

const kemHandshakeCount = 3

// KEMHandshake is one recorded key agreement in KEM mode between endpoints A
// and B, by libbzrtp 5.5. Fields are named like those of [Handshake].
type KEMHandshake struct {
	Name         string
	KeyAgreement string // "K255", "X1M1" or "X3M3"
	RoleA        string // "initiator" or "responder"
	Hash         string // "sha256" or "sha512", the negotiated one
	SAS          string // base32

	PublicKey        Hex   // pvi of the Commit
	Ciphertext       Hex   // pvr of DHPart1
	CurveResult      Hex   // of the curve alone, before anything is derived of it
	ComponentSecrets []Hex // of the curve's KEM and, if there was one, of ML-KEM

	DHResult, TotalHash Hex
	S0, SASHash         Hex
	SRTPKeyI, SRTPSaltI Hex

	PacketsA, PacketsB []Hex // whole datagrams which each side sent, in order; X3M3's are fragments
}

// KEMHandshakes returns all recorded handshakes in KEM mode. It panics if the
// file which was compiled in is not whole.
func KEMHandshakes() []KEMHandshake {
	return decode[KEMHandshake](kemHandshakes, kemHandshakeCount)
}
