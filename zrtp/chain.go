package zrtp

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"

	"sotto/internal/hmac"
	"sotto/internal/secret"
)

// macLen is the length of the MAC that ends Hello, Commit and DHPart.
const macLen = 8

var (
	errChain = errors.New("zrtp: hash image does not fit the chain")
	errMAC   = errors.New("zrtp: message MAC mismatch")
)

// chain is our own hash chain, H0 to H3: each image is revealed one message
// later than the one it hashes to, and keys the MAC of the message before
// (RFC 6189 §9).
type chain struct {
	h [4][32]byte
}

func newChain(h0 [32]byte) *chain {
	c := &chain{}
	c.h[0] = h0
	for i := 1; i < len(c.h); i++ {
		c.h[i] = sha256.Sum256(c.h[i-1][:])
	}
	return c
}

func (c *chain) wipe() {
	for i := range c.h {
		secret.Wipe(c.h[i][:])
	}
}

// appendMAC signs a message, all of it but its last macLen bytes, with the
// image that the next message will reveal (RFC 6189 §5.1.2.2).
func appendMAC(msg []byte, key [32]byte) []byte {
	body := msg[:len(msg)-macLen]
	return append(body, hmac.Sum(sha256.New, key[:], body)[:macLen]...)
}

// checkMAC verifies a stored message once its key has been revealed.
func checkMAC(msg []byte, key [32]byte) error {
	if len(msg) < macLen {
		return errMAC
	}
	body := msg[:len(msg)-macLen]
	want := hmac.Sum(sha256.New, key[:], body)[:macLen]
	if subtle.ConstantTimeCompare(want, msg[len(msg)-macLen:]) != 1 {
		return errMAC
	}
	return nil
}

// follows checks that preimage hashes to image in steps steps.
func follows(preimage, image [32]byte, steps int) error {
	for range steps {
		preimage = sha256.Sum256(preimage[:])
	}
	if subtle.ConstantTimeCompare(preimage[:], image[:]) != 1 {
		return errChain
	}
	return nil
}

// sum is one step of the chain.
func sum(preimage [32]byte) [32]byte { return sha256.Sum256(preimage[:]) }
