// Package oracle is pion/srtp, another implementation of RFC 3711, with the
// manners of media/protect: its tests are held against it, and the bench
// measures both.
package oracle

import (
	"errors"
	"fmt"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// The verdicts on packets that do not open; an error that is neither says that
// the packet is malformed.
var (
	ErrAuth   = errors.New("oracle: authentication failed")
	ErrReplay = errors.New("oracle: replayed packet")
)

// profiles are those that pion has, by their IANA names.
var profiles = map[string]srtp.ProtectionProfile{
	"AES_CM_128_HMAC_SHA1_80": srtp.ProtectionProfileAes128CmHmacSha1_80,
	"AES_CM_128_HMAC_SHA1_32": srtp.ProtectionProfileAes128CmHmacSha1_32,
	"AES_256_CM_HMAC_SHA1_80": srtp.ProtectionProfileAes256CmHmacSha1_80,
	"AES_256_CM_HMAC_SHA1_32": srtp.ProtectionProfileAes256CmHmacSha1_32,
	"AEAD_AES_128_GCM":        srtp.ProtectionProfileAeadAes128Gcm,
	"AEAD_AES_256_GCM":        srtp.ProtectionProfileAeadAes256Gcm,
}

// Has reports whether pion has the profile of this name.
func Has(profile string) bool { _, ok := profiles[profile]; return ok }

// Context is one direction under one key. It seals or it opens, never both. A
// packet that it refuses may be changed.
type Context struct {
	ctx    *srtp.Context
	header rtp.Header // of the packet in hand; kept so that none is allocated
}

// New makes a Context with a replay window of so many packets, a multiple of 64:
// with some other sizes it forgets its oldest places.
func New(profile string, key, salt []byte, window uint) (*Context, error) {
	p, ok := profiles[profile]
	if !ok {
		return nil, fmt.Errorf("oracle: no profile %q", profile)
	}
	ctx, err := srtp.CreateContext(key, salt, p, srtp.SRTPReplayProtection(window), srtp.SRTCPReplayProtection(window))
	if err != nil {
		return nil, fmt.Errorf("oracle: %w", err)
	}
	return &Context{ctx: ctx}, nil
}

// Seal protects the RTP packet in pkt[:n], which has room for the tag behind it,
// in place and returns the new length.
func (c *Context) Seal(pkt []byte, n int) (int, error) {
	out, err := c.ctx.EncryptRTP(pkt, pkt[:n], &c.header)
	return len(out), err
}

// Open opens an SRTP packet in place and returns the new length.
func (c *Context) Open(pkt []byte) (int, error) {
	out, err := c.ctx.DecryptRTP(pkt, pkt, &c.header)
	return verdict(out, err)
}

// SealRTCP is Seal for a compound RTCP packet.
func (c *Context) SealRTCP(pkt []byte, n int) (int, error) {
	out, err := c.ctx.EncryptRTCP(pkt, pkt[:n], nil)
	return len(out), err
}

// OpenRTCP is Open for an SRTCP packet.
func (c *Context) OpenRTCP(pkt []byte) (int, error) {
	out, err := c.ctx.DecryptRTCP(pkt, pkt, nil)
	return verdict(out, err)
}

// SetROC sets the roll-over counter of a source.
func (c *Context) SetROC(ssrc, roc uint32) { c.ctx.SetROC(ssrc, roc) }

// SetIndex sets the index of the last SRTCP packet of a source.
func (c *Context) SetIndex(ssrc, index uint32) { c.ctx.SetIndex(ssrc, index) }

// duplicate is how pion says that a packet is a replay.
const duplicate = "duplicated packet"

func verdict(out []byte, err error) (int, error) {
	switch {
	case err == nil:
		return len(out), nil
	case errors.Is(err, srtp.ErrFailedToVerifyAuthTag):
		return 0, ErrAuth
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if e.Error() == duplicate {
			return 0, ErrReplay
		}
	}
	return 0, err
}

// Header parses the header of an RTP packet and returns its length.
func Header(pkt []byte) (int, error) {
	var h rtp.Header
	return h.Unmarshal(pkt)
}
