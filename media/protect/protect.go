// Package protect turns RTP and RTCP packets into SRTP and SRTCP packets and
// back, with keys that are given to it (RFC 3711, RFC 6188, RFC 7714). It agrees no keys
// and knows no sockets.
//
// A [Sealer] and an [Opener] each serve one direction of one stream, work in
// place in the caller's buffer, allocate nothing once they are made, and belong
// to one goroutine at a time. A session that sends RTP from one goroutine and
// RTCP from another makes two Sealers from the same key and uses each for one of
// the two only: SRTP and SRTCP have keys and indices of their own (RFC 3711
// §3.2.1), so the two never use a keystream twice. [SealBatch] and [OpenBatch]
// serve many packets of many streams at once, which is faster.
//
// The master key belongs to the caller, who wipes it once the constructor has
// returned; nothing here keeps a copy. The session keys derived from it stand
// expanded inside Sealer and Opener, and Close overwrites them.
//
// AES, SHA-1 and GHASH are done with the best instructions that the processor
// has; [Tier] says which, and the environment variable SOTTO_SRTP_TIER chooses
// others. A name that is none of [Tiers] means go.
package protect

import (
	"errors"
	"fmt"

	"sotto/media/protect/internal/tier"
)

// The errors a caller can meet. A packet that met one is as it was, and has
// moved no counter and no window.
var (
	// ErrAuth says that the tag is wrong: forged, damaged, or another key.
	ErrAuth = errors.New("protect: authentication failed")
	// ErrReplay says that the packet was opened before, or is older than the
	// replay window reaches back.
	ErrReplay = errors.New("protect: replayed packet")
	// ErrMalformed says that the bytes are no packet of the kind expected, or more
	// than an IP datagram holds.
	ErrMalformed = errors.New("protect: malformed packet")
	// ErrStreams says that more synchronisation sources came under one key
	// than a call needs.
	ErrStreams = errors.New("protect: too many streams under one key")
	// ErrReuse says that sealing would have used one keystream twice.
	ErrReuse = errors.New("protect: packet index already used under this key")
	// ErrKeyLimit says that the key has protected as many packets as it may, 2^48
	// of SRTP or 2^31 of SRTCP (RFC 3711 §9.2). Sealer.Left says how far that is.
	ErrKeyLimit = errors.New("protect: key used up")
	// ErrRoom says that the buffer has no room for the tag.
	ErrRoom = errors.New("protect: no room for the authentication tag")
	// ErrClosed says that Close was called before.
	ErrClosed = errors.New("protect: closed")
)

// Numbers of packets that one master key may protect (RFC 3711 §9.2).
const (
	maxPackets = 1 << 48
	maxReports = 1 << 31
)

// noCopy makes go vet refuse a copy of what it stands in: a Sealer and its copy
// would use one keystream twice, and Close would leave a copy's keys.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// Tier names the instructions in use: go (the standard library), aesni, shani
// or avx512.
func Tier() string { return tier.Best().String() }

// Tiers names those that this processor has, the fastest last.
func Tiers() []string {
	var names []string
	for _, t := range tier.Available() {
		names = append(names, t.String())
	}
	return names
}

// checkKeys says what is wrong with the arguments of a constructor.
func checkKeys(p Profile, key, salt []byte) error {
	switch {
	case !p.valid():
		return fmt.Errorf("protect: unknown profile %d", uint8(p))
	case len(key) != p.KeyLen():
		return fmt.Errorf("protect: %v needs a key of %d bytes, not %d", p, p.KeyLen(), len(key))
	case len(salt) != p.SaltLen():
		return fmt.Errorf("protect: %v needs a salt of %d bytes, not %d", p, p.SaltLen(), len(salt))
	}
	return nil
}
