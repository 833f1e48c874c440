// Package protect turns RTP and RTCP packets into SRTP and SRTCP packets and
// back, with keys that are given to it (RFC 3711, RFC 6188, RFC 7714). It agrees no keys
// and knows no sockets.
//
// A [Sealer] and an [Opener] each serve one direction of one stream, work in
// place in the caller's buffer, allocate nothing for a packet in the ordinary
// course, and belong to one goroutine at a time. A session that sends RTP from
// one goroutine and RTCP from another makes two Sealers from the same key and
// uses each for one of the two only: SRTP and SRTCP have keys and indices of
// their own (RFC 3711 §3.2.1), so the two never use a keystream twice.
//
// The master key belongs to the caller, who wipes it once the constructor has
// returned; nothing here keeps a copy. The session keys derived from it live
// inside the SRTP library underneath, which has no way to wipe them: Close
// lets go of them, and the garbage collector does the rest.
package protect

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pion/srtp/v3"
)

// The errors a caller can meet. A packet that met one is as it was, and has
// moved no counter and no window.
var (
	// ErrAuth says that the tag is wrong: forged, damaged, or another key.
	ErrAuth = errors.New("protect: authentication failed")
	// ErrReplay says that the packet was opened before, or is older than the
	// replay window reaches back.
	ErrReplay = errors.New("protect: replayed packet")
	// ErrMalformed says that the bytes are no packet of the kind expected.
	ErrMalformed = errors.New("protect: malformed packet")
	// ErrStreams says that more synchronisation sources came under one key
	// than a call needs.
	ErrStreams = errors.New("protect: too many streams under one key")
	// ErrReuse says that sealing would have used one keystream twice.
	ErrReuse = errors.New("protect: packet index already used under this key")
	// ErrRoom says that the buffer has no room for the tag.
	ErrRoom = errors.New("protect: no room for the authentication tag")
	// ErrClosed says that Close was called before.
	ErrClosed = errors.New("protect: closed")
)

// replayWindow is how many packets back a late one is still accepted, 2.56 s
// of voice; RFC 3711 §3.3.2 asks for 64 at least. It has to be a multiple of
// 64: with some other sizes the window underneath forgets its oldest places.
const replayWindow = 128

const (
	rtpHeaderLen  = 12 // without CSRC list and extension: RFC 3550 §5.1
	rtcpHeaderLen = 8  // what SRTCP leaves in the clear: RFC 3711 §3.4
	version       = 2  // RFC 3550 §5.1
)

func newContext(p Profile, key, salt []byte) (*srtp.Context, error) {
	switch {
	case !p.valid():
		return nil, fmt.Errorf("protect: unknown profile %d", uint8(p))
	case len(key) != p.KeyLen():
		return nil, fmt.Errorf("protect: %v needs a key of %d bytes, not %d", p, p.KeyLen(), len(key))
	case len(salt) != p.SaltLen():
		return nil, fmt.Errorf("protect: %v needs a salt of %d bytes, not %d", p, p.SaltLen(), len(salt))
	}
	ctx, err := srtp.CreateContext(key, salt, profiles[p].pion,
		srtp.SRTPReplayProtection(replayWindow), srtp.SRTCPReplayProtection(replayWindow))
	if err != nil {
		return nil, fmt.Errorf("protect: %w", err)
	}
	return ctx, nil
}

// isRTP reports whether the fixed part of b's header is that of RTP; isRTCP
// does so for the part of an RTCP header that SRTCP leaves in the clear.
func isRTP(b []byte) bool  { return len(b) >= rtpHeaderLen && b[0]>>6 == version }
func isRTCP(b []byte) bool { return len(b) >= rtcpHeaderLen && b[0]>>6 == version }

// rtcpSSRC is the sender of the first packet of a compound.
func rtcpSSRC(b []byte) uint32 { return binary.BigEndian.Uint32(b[4:]) }
