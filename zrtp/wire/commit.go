package wire

import "fmt"

// The two key agreements without Diffie-Hellman (RFC 6189 §5.1.5): they give
// Commit another form.
var (
	Multistream = A("Mult")
	Preshared   = A("Prsh")
)

// Commit is the initiator's choice (RFC 6189 §5.4). Which of HVI, Nonce and
// KeyID it carries follows from KeyAgreement; the others are zero.
type Commit struct {
	H2  [32]byte
	ZID ZID

	Hash, Cipher, AuthTag, KeyAgreement, SAS Algo

	HVI   [32]byte // any Diffie-Hellman agreement
	Nonce [16]byte // Multistream and Preshared
	KeyID [8]byte  // Preshared

	MAC [MACLen]byte // keyed with the sender's H1
}

const (
	// MaxCommitLen is the length in bytes of the longest form, the one with HVI.
	MaxCommitLen = 4 * 29

	commitKeyAgreement = messageHeadLen + 32 + 12 + 3*4 // its offset
	minCommitLen       = 4 * 25
)

func (c *Commit) fields() [][]byte {
	fields := [][]byte{c.H2[:], c.ZID[:],
		c.Hash[:], c.Cipher[:], c.AuthTag[:], c.KeyAgreement[:], c.SAS[:]}
	switch c.KeyAgreement {
	case Multistream:
		fields = append(fields, c.Nonce[:])
	case Preshared:
		fields = append(fields, c.Nonce[:], c.KeyID[:])
	default:
		fields = append(fields, c.HVI[:])
	}
	return append(fields, c.MAC[:])
}

// ParseCommit reads any of the three forms.
func ParseCommit(msg []byte) (Commit, error) {
	if len(msg) < minCommitLen {
		return Commit{}, fmt.Errorf("%w: short Commit", ErrMalformed)
	}
	var c Commit
	copy(c.KeyAgreement[:], msg[commitKeyAgreement:]) // fields must know the form
	if err := parseMessage(msg, TypeCommit, c.fields()); err != nil {
		return Commit{}, err
	}
	return c, nil
}

// Append appends the message to dst.
func (c *Commit) Append(dst []byte) []byte {
	return appendMessage(dst, TypeCommit, c.fields())
}
