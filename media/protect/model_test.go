package protect

import (
	"encoding/binary"
	"errors"

	"sotto/internal/oracle"
)

// oracleContext is what the tests hold Sealer and Opener against: pion/srtp, or
// model for the profiles that it has not.
type oracleContext interface {
	Seal(pkt []byte, n int) (int, error)
	Open(pkt []byte) (int, error)
	SealRTCP(pkt []byte, n int) (int, error)
	OpenRTCP(pkt []byte) (int, error)
	SetROC(ssrc, roc uint32)
	SetIndex(ssrc, index uint32)
}

func newOracle(p Profile, key, salt []byte, window int) (oracleContext, error) {
	if oracle.Has(p.String()) {
		return oracle.New(p.String(), key, salt, uint(window))
	}
	return &model{newReference(p, key, salt), uint64(window), map[uint32]*source{}, map[uint32]*source{}}, nil
}

// model is SRTP as RFC 3711 says it, plain and slow: what it has seen it keeps
// in a map for good.
type model struct {
	*reference
	window    uint64
	rtp, rtcp map[uint32]*source
}

// source is a synchronisation source of a model.
type source struct {
	highest uint64
	begun   bool
	seen    map[uint64]bool
}

// find is the source's entry, or a new one that add puts in its place.
func find(in map[uint32]*source, ssrc uint32) *source {
	if s := in[ssrc]; s != nil {
		return s
	}
	return &source{seen: map[uint64]bool{}}
}

// index is what RFC 3711's Appendix A calls i.
func (s *source) index(seq uint16) uint64 {
	roc, last := s.highest>>16, s.highest&0xffff
	v := roc
	switch {
	case !s.begun:
	case last < 32768 && uint64(seq) > last && uint64(seq)-last > 32768 && roc > 0:
		v = roc - 1
	case last >= 32768 && last-32768 > uint64(seq):
		v = roc + 1
	}
	return v<<16 | uint64(seq)
}

func (s *source) replayed(index, window uint64) bool {
	return s.begun && (index+window <= s.highest || s.seen[index])
}

func (s *source) accept(index uint64) {
	s.seen[index] = true
	s.highest = max(s.highest, index)
	s.begun = true
}

func (m *model) Seal(pkt []byte, n int) (int, error) {
	header, err := oracle.Header(pkt[:n])
	if err != nil {
		return 0, err
	}
	s := find(m.rtp, rtpSSRC(pkt))
	index := s.index(rtpSequence(pkt))
	if index >= maxPackets {
		return 0, errors.New("model: key used up")
	}
	m.rtp[rtpSSRC(pkt)] = s
	s.accept(index)
	return copy(pkt, m.seal(pkt[:n], header, index)), nil
}

func (m *model) Open(pkt []byte) (int, error) {
	header, err := oracle.Header(pkt)
	n := len(pkt) - m.tagLen
	if err != nil || header > n {
		return 0, errors.New("model: malformed")
	}
	s := find(m.rtp, rtpSSRC(pkt))
	index := s.index(rtpSequence(pkt))
	if s.replayed(index, m.window) {
		return 0, oracle.ErrReplay
	}
	plain, ok := m.open(pkt, header, index)
	if !ok {
		return 0, oracle.ErrAuth
	}
	m.rtp[rtpSSRC(pkt)] = s
	s.accept(index)
	return copy(pkt, plain), nil
}

// open finds the plaintext by sealing the ciphertext once more, which counter
// mode undoes.
func (m *model) open(pkt []byte, header int, index uint64) ([]byte, bool) {
	n := len(pkt) - m.tagLen
	plain := m.seal(pkt[:n], header, index)[:n]
	return plain, string(m.seal(plain, header, index)) == string(pkt)
}

func (m *model) SealRTCP(pkt []byte, n int) (int, error) {
	s := find(m.rtcp, rtcpSSRC(pkt))
	if s.highest >= maxReports-1 {
		return 0, errors.New("model: key used up")
	}
	m.rtcp[rtcpSSRC(pkt)] = s
	s.highest++
	return copy(pkt, m.sealRTCP(pkt[:n], uint32(s.highest), true)), nil
}

func (m *model) OpenRTCP(pkt []byte) (int, error) {
	n := len(pkt) - rtcpIndexLen - 10
	if n < 8 || pkt[0]>>6 != 2 || pkt[n]&0x80 == 0 {
		return 0, errors.New("model: malformed")
	}
	s, index := find(m.rtcp, rtcpSSRC(pkt)), binary.BigEndian.Uint32(pkt[n:])&^encrypted
	if s.replayed(uint64(index), m.window) {
		return 0, oracle.ErrReplay
	}
	plain := m.sealRTCP(pkt[:n], index, true)[:n]
	if string(m.sealRTCP(plain, index, true)) != string(pkt) {
		return 0, oracle.ErrAuth
	}
	m.rtcp[rtcpSSRC(pkt)] = s
	s.accept(uint64(index))
	return copy(pkt, plain), nil
}

func (m *model) SetROC(ssrc, roc uint32) {
	s := find(m.rtp, ssrc)
	s.highest = uint64(roc) << 16
	m.rtp[ssrc] = s
}

func (m *model) SetIndex(ssrc, index uint32) {
	s := find(m.rtcp, ssrc)
	s.highest = uint64(index)
	m.rtcp[ssrc] = s
}
