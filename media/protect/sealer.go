package protect

import (
	"fmt"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// Sealer protects what one synchronisation source sends under one key. The
// first packet sealed fixes the source. A Sealer is owned by one goroutine.
type Sealer struct {
	ctx          *srtp.Context // nil once closed
	tagLen       int
	rtcpOverhead int
	header       rtp.Header // of the packet in hand; kept so that none is allocated

	bound bool // ssrc is fixed
	ssrc  uint32
	begun bool   // index is that of the last packet sealed
	index uint64 // 48 bits: RFC 3711 §3.3.1
}

// NewSealer makes a Sealer from a master key and salt of the profile's
// lengths. The caller keeps both and wipes them.
func NewSealer(p Profile, key, salt []byte) (*Sealer, error) {
	ctx, err := newContext(p, key, salt)
	if err != nil {
		return nil, err
	}
	return &Sealer{ctx: ctx, tagLen: p.TagLen(), rtcpOverhead: p.RTCPOverhead()}, nil
}

// Seal encrypts and authenticates the RTP packet in pkt[:n] in place and
// returns the new length, n plus the profile's TagLen; pkt has that much room.
//
// Sequence numbers go forward, by less than 2^15 at a time. Anything else is
// [ErrReuse]: counter mode under a repeated index gives away the plaintext of
// both packets (RFC 3711 §9.1), and Galois/counter mode the means to forge as
// well (RFC 7714 §8.4), so no caller's mistake may lead there. The
// same holds at the end of the key's life, 2^48 packets (RFC 3711 §9.2).
func (s *Sealer) Seal(pkt []byte, n int) (int, error) {
	if s.ctx == nil {
		return 0, ErrClosed
	}
	if n < 0 || n > len(pkt) || !isRTP(pkt[:n]) {
		return 0, ErrMalformed
	}
	if len(pkt)-n < s.tagLen {
		return 0, ErrRoom
	}
	if _, err := s.header.Unmarshal(pkt[:n]); err != nil {
		return 0, ErrMalformed
	}
	if !s.owns(s.header.SSRC) {
		return 0, ErrStreams
	}
	index, ok := s.next(s.header.SequenceNumber)
	if !ok {
		return 0, ErrReuse
	}
	// The index is spent from here on, whatever happens below.
	s.bind(s.header.SSRC)
	s.index, s.begun = index, true
	out, err := s.ctx.EncryptRTP(pkt[:n:n+s.tagLen], pkt[:n], &s.header)
	if err != nil {
		return 0, fmt.Errorf("protect: seal: %w", err)
	}
	return len(out), nil
}

// SealRTCP encrypts and authenticates the compound RTCP packet in pkt[:n] in
// place and returns the new length, n plus the profile's RTCPOverhead. The SRTCP
// index is the Sealer's own and rises by one with each packet (RFC 3711 §3.4).
func (s *Sealer) SealRTCP(pkt []byte, n int) (int, error) {
	if s.ctx == nil {
		return 0, ErrClosed
	}
	if n < 0 || n > len(pkt) || !isRTCP(pkt[:n]) {
		return 0, ErrMalformed
	}
	if len(pkt)-n < s.rtcpOverhead {
		return 0, ErrRoom
	}
	ssrc := rtcpSSRC(pkt)
	if !s.owns(ssrc) {
		return 0, ErrStreams
	}
	s.bind(ssrc)
	out, err := s.ctx.EncryptRTCP(pkt[:n:n+s.rtcpOverhead], pkt[:n], nil)
	if err != nil {
		return 0, fmt.Errorf("protect: seal RTCP: %w", err)
	}
	return len(out), nil
}

// Close lets go of the keys; every later call fails with [ErrClosed].
func (s *Sealer) Close() { *s = Sealer{} }

func (s *Sealer) owns(ssrc uint32) bool { return !s.bound || s.ssrc == ssrc }

func (s *Sealer) bind(ssrc uint32) { s.ssrc, s.bound = ssrc, true }

// next is the index of the packet with this sequence number, if that lies
// ahead of all that were sealed and within the key's life.
func (s *Sealer) next(seq uint16) (index uint64, ok bool) {
	if !s.begun {
		return uint64(seq), true
	}
	ahead := int16(seq - uint16(s.index))
	if ahead <= 0 {
		return 0, false
	}
	index = s.index + uint64(ahead)
	return index, index < 1<<48
}
