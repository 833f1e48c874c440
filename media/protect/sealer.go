package protect

import (
	"encoding/binary"
	"fmt"
	"io"

	"sotto/media/protect/internal/cm"
	"sotto/media/protect/internal/tier"
)

// Sealer protects what one synchronisation source sends under one key. The
// first packet sealed fixes the source. A Sealer is owned by one goroutine.
type Sealer struct {
	_       noCopy
	profile Profile // zero once closed
	tagLen  uint8
	aead    bool
	single  bool // see single
	bound   bool // ssrc is fixed
	begun   bool // index is that of the last packet sealed
	ssrc    uint32
	index   uint64 // 48 bits: RFC 3711 §3.3.1
	keys    sessionKeys
	rtcp    *reportSealer
}

// reportSealer is a Sealer's part for SRTCP, apart because it is rarely needed
// when the other one is.
type reportSealer struct {
	index uint32 // of the last report sealed: 31 bits, RFC 3711 §3.4
	keys  sessionKeys
	aad   reportAAD
}

// reportAAD is what authenticates the clear part of an SRTCP packet of the AEAD
// profiles: its header and the word with the index (RFC 7714 §9.2).
type reportAAD [rtcpHeaderLen + rtcpIndexLen]byte

func (a *reportAAD) set(pkt []byte, word uint32) []byte {
	copy(a[:], pkt[:rtcpHeaderLen])
	binary.BigEndian.PutUint32(a[rtcpHeaderLen:], word)
	return a[:]
}

// encrypted is the E flag before the SRTCP index (RFC 3711 §3.4).
const encrypted = 1 << 31

// NewSealer makes a Sealer from a master key and salt of the profile's
// lengths. The caller keeps both and wipes them.
func NewSealer(p Profile, key, salt []byte) (*Sealer, error) {
	return newSealer(p, key, salt, tier.Best())
}

func newSealer(p Profile, key, salt []byte, t tier.Tier) (*Sealer, error) {
	if err := checkKeys(p, key, salt); err != nil {
		return nil, err
	}
	s := &Sealer{profile: p, tagLen: uint8(p.TagLen()), aead: p.aead(), single: single(p, t), rtcp: &reportSealer{}}
	d := newDeriver(p, key, salt, t)
	defer d.wipe()
	d.session(&s.keys, 0)
	d.session(&s.rtcp.keys, labelsRTCP)
	return s, nil
}

// Seal encrypts and authenticates the RTP packet in pkt[:n] in place and
// returns the new length, n plus the profile's TagLen; pkt has that much room.
//
// Sequence numbers go forward, by less than 2^15 at a time. Anything else is
// [ErrReuse]: counter mode under a repeated index gives away the plaintext of
// both packets (RFC 3711 §9.1), and Galois/counter mode the means to forge as
// well (RFC 7714 §8.4), so no caller's mistake may lead there. At the end of the
// key's life it is [ErrKeyLimit]. Other errors: [ErrMalformed], [ErrRoom],
// [ErrStreams] for another source, [ErrClosed].
func (s *Sealer) Seal(pkt []byte, n int) (int, error) {
	header, err := s.take(pkt, n)
	if err != nil {
		return 0, err
	}
	end := n + int(s.tagLen)
	if s.aead {
		var iv [12]byte
		s.keys.nonce(&iv, s.ssrc, s.index)
		s.keys.gcm.Seal(&iv, pkt[:header], pkt[header:end])
		return end, nil
	}
	s.keys.xor(pkt[header:n], s.ssrc, s.index)
	var tag [cm.TagLen]byte
	s.keys.cm.Sum(&tag, pkt[:n], s.roc())
	truncate(pkt[n:end], &tag)
	return end, nil
}

// take checks the packet in pkt[:n] and takes the index for it, which is spent
// from then on. It returns the length of the packet's header.
func (s *Sealer) take(pkt []byte, n int) (header int, err error) {
	if s.profile == 0 {
		return 0, ErrClosed
	}
	if n < 0 || n > len(pkt) || n > maxPacket-int(s.tagLen) {
		return 0, ErrMalformed
	}
	if header = rtpHeader(pkt[:n]); header == 0 {
		return 0, ErrMalformed
	}
	if len(pkt)-n < int(s.tagLen) {
		return 0, ErrRoom
	}
	ssrc := rtpSSRC(pkt)
	if !s.owns(ssrc) {
		return 0, ErrStreams
	}
	index, err := s.next(rtpSequence(pkt))
	if err != nil {
		return 0, err
	}
	s.bind(ssrc)
	s.index, s.begun = index, true
	return header, nil
}

// roc is the roll-over counter of the last packet sealed.
func (s *Sealer) roc() uint32 { return uint32(s.index >> 16) }

// SealRTCP encrypts and authenticates the compound RTCP packet in pkt[:n] in
// place and returns the new length, n plus the profile's RTCPOverhead. The SRTCP
// index is the Sealer's own and rises by one with each packet, from one
// (RFC 3711 §3.4). Errors as for Seal, but ErrReuse.
func (s *Sealer) SealRTCP(pkt []byte, n int) (int, error) {
	switch {
	case s.profile == 0:
		return 0, ErrClosed
	case n < 0 || n > len(pkt) || n > maxPacket-s.profile.RTCPOverhead() || !isRTCP(pkt[:n]):
		return 0, ErrMalformed
	case len(pkt)-n < s.profile.RTCPOverhead():
		return 0, ErrRoom
	}
	ssrc := rtcpSSRC(pkt)
	if !s.owns(ssrc) {
		return 0, ErrStreams
	}
	r := s.rtcp
	if r.index == maxReports-1 {
		return 0, ErrKeyLimit
	}
	s.bind(ssrc)
	r.index++
	end := n + s.profile.RTCPOverhead()
	word := encrypted | r.index
	if s.aead {
		var iv [12]byte
		r.keys.nonce(&iv, ssrc, uint64(r.index))
		r.keys.gcm.Seal(&iv, r.aad.set(pkt, word), pkt[rtcpHeaderLen:end-rtcpIndexLen])
		binary.BigEndian.PutUint32(pkt[end-rtcpIndexLen:], word)
		return end, nil
	}
	r.keys.xor(pkt[rtcpHeaderLen:n], ssrc, uint64(r.index))
	var tag [cm.TagLen]byte
	r.keys.cm.Sum(&tag, pkt[:n], word)
	binary.BigEndian.PutUint32(pkt[n:], word)
	truncate(pkt[n+rtcpIndexLen:end], &tag)
	return end, nil
}

// Left is how many more packets of SRTP and of SRTCP the key may protect, if no
// sequence number is left out. Whoever agrees keys does so again well before
// either is zero.
func (s *Sealer) Left() (packets uint64, reports uint32) {
	if s.profile == 0 {
		return 0, 0
	}
	return maxPackets - 1 - s.index, maxReports - 1 - s.rtcp.index
}

// Resume says that the key was in use before, and up to which indices of SRTP and of
// SRTCP (RFC 3711 §3.3.1, §3.4): the Sealer goes on behind them. It comes before
// the first packet; later it is [ErrReuse]. Other errors: [ErrKeyLimit] for indices
// that there are not, [ErrClosed].
func (s *Sealer) Resume(packet uint64, report uint32) error {
	switch {
	case s.profile == 0:
		return ErrClosed
	case s.bound || s.begun:
		return ErrReuse
	case packet >= maxPackets || report >= maxReports:
		return ErrKeyLimit
	}
	s.index, s.begun, s.rtcp.index = packet, true, report
	return nil
}

// Format prints nothing of the keys, whatever the verb.
func (*Sealer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "protect.Sealer, redacted") }

// Close overwrites the keys; every later call fails with [ErrClosed].
func (s *Sealer) Close() {
	if s.profile != 0 {
		s.keys.wipe()
		s.rtcp.keys.wipe()
	}
	*s = Sealer{}
}

func (s *Sealer) owns(ssrc uint32) bool { return !s.bound || s.ssrc == ssrc }

func (s *Sealer) bind(ssrc uint32) { s.ssrc, s.bound = ssrc, true }

// next is the index of the packet with this sequence number, if that lies
// ahead of all that were sealed and within the key's life.
func (s *Sealer) next(seq uint16) (index uint64, err error) {
	if !s.begun {
		return uint64(seq), nil
	}
	ahead := int16(seq - uint16(s.index))
	if ahead <= 0 {
		return 0, ErrReuse
	}
	index = s.index + uint64(ahead)
	if index >= maxPackets {
		return 0, ErrKeyLimit
	}
	return index, nil
}
