package wire

import "fmt"

// The two key agreements without Diffie-Hellman (RFC 6189 §5.1.5): they give
// Commit another form.
var (
	Multistream = A("Mult")
	Preshared   = A("Prsh")
)

// Commit is the initiator's choice (RFC 6189 §5.4). Which of HVI, PV, Nonce and
// KeyID it carries follows from KeyAgreement; the others are zero.
type Commit struct {
	H2  [32]byte
	ZID ZID

	Hash, Cipher, AuthTag, KeyAgreement, SAS Algo

	HVI   [32]byte // any agreement with public values
	PV    []byte   // in KEM mode the initiator's public key, else empty
	Nonce [16]byte // Multistream and Preshared
	KeyID [8]byte  // Preshared

	MAC [MACLen]byte // keyed with the sender's H1
}

const (
	commitKeyAgreement = messageHeadLen + 32 + 12 + 3*4 // its offset
	minCommitLen       = 4 * 25
	hviCommitLen       = 4 * 29 // with HVI and without PV
)

func (c *Commit) fields() [][]byte {
	fields := append(make([][]byte, 0, 10), c.H2[:], c.ZID[:],
		c.Hash[:], c.Cipher[:], c.AuthTag[:], c.KeyAgreement[:], c.SAS[:])
	switch c.KeyAgreement {
	case Multistream:
		fields = append(fields, c.Nonce[:])
	case Preshared:
		fields = append(fields, c.Nonce[:], c.KeyID[:])
	default:
		fields = append(fields, c.HVI[:], c.PV)
	}
	return append(fields, c.MAC[:])
}

// ParseCommit reads any of the forms.
func ParseCommit(msg []byte) (Commit, error) {
	if len(msg) < minCommitLen {
		return Commit{}, fmt.Errorf("%w: short Commit", ErrMalformed)
	}
	var c Commit
	copy(c.KeyAgreement[:], msg[commitKeyAgreement:]) // fields must know the form
	if len(msg) > hviCommitLen {
		c.PV = make([]byte, len(msg)-hviCommitLen)
	}
	if err := parseMessage(msg, TypeCommit, c.fields()); err != nil {
		return Commit{}, err
	}
	return c, nil
}

// Append appends the message to dst. It panics if PV is not whole words.
func (c *Commit) Append(dst []byte) []byte {
	return appendMessage(dst, TypeCommit, c.fields())
}
