package protect

import (
	"encoding/binary"
	"fmt"
	"io"

	"sotto/media/protect/internal/cm"
	"sotto/media/protect/internal/tier"
)

// maxStreams bounds the sources that one key may serve. A peer that restarts
// its stream takes a new one; nobody does so often in one call.
const maxStreams = 8

// Bounds and default of Config.Window.
const (
	minWindow     = 64
	defaultWindow = 128
	maxWindow     = 4096
)

// maxRollovers is the greatest Config.Rollovers: what a call of almost six hours
// comes to with fifty packets a second. Each one is a tag that a forger may guess
// and that we work out.
const maxRollovers = 16

// Config is what may be chosen of an Opener. The zero value means the defaults.
type Config struct {
	// Window is how many packets back a late one is still accepted, 64 to 4096
	// (RFC 3711 §3.3.2): 128 unless set, which is 2.56 s of voice.
	Window int

	// Rollovers bounds the search for the roll-over counter of a source that was
	// not heard before, 1 to 16: 1 unless set. See [Opener.Open].
	Rollovers int
}

// Opener checks and decrypts what one peer sends under one key. It accepts
// each packet once, and a source counts only once a packet of it has
// authenticated. An Opener is owned by one goroutine.
type Opener struct {
	_         noCopy
	profile   Profile // zero once closed
	tagLen    uint8
	aead      bool
	single    bool // see single
	rollovers uint32
	keys      sessionKeys
	rtcp      *reportOpener
	_         [8]byte // before a cache line's beginning: the heap puts 8 bytes in front of an Opener
	streams   streams // last: of most calls, only the beginning is needed
}

// reportOpener is an Opener's part for SRTCP, apart because it is rarely needed
// when the other one is.
type reportOpener struct {
	streams streams
	keys    sessionKeys
	aad     reportAAD
}

// NewOpener makes an Opener from a master key and salt of the profile's
// lengths, with the defaults of [Config]. The caller keeps both and wipes them.
func NewOpener(p Profile, key, salt []byte) (*Opener, error) {
	return Config{}.NewOpener(p, key, salt)
}

// NewOpener makes an Opener that is configured so.
func (c Config) NewOpener(p Profile, key, salt []byte) (*Opener, error) {
	return c.newOpener(p, key, salt, tier.Best())
}

func (c Config) newOpener(p Profile, key, salt []byte, t tier.Tier) (*Opener, error) {
	if c.Window == 0 {
		c.Window = defaultWindow
	}
	if c.Rollovers == 0 {
		c.Rollovers = 1
	}
	switch err := checkKeys(p, key, salt); {
	case err != nil:
		return nil, err
	case c.Window < minWindow || c.Window > maxWindow:
		return nil, fmt.Errorf("protect: a replay window of %d packets", c.Window)
	case c.Rollovers < 1 || c.Rollovers > maxRollovers:
		return nil, fmt.Errorf("protect: a search over %d roll-overs", c.Rollovers)
	}
	o := &Opener{
		profile: p, tagLen: uint8(p.TagLen()), aead: p.aead(), single: single(p, t),
		rollovers: uint32(c.Rollovers), rtcp: &reportOpener{},
	}
	o.streams.init(c.Window)
	o.rtcp.streams.init(c.Window)
	d := newDeriver(p, key, salt, t)
	defer d.wipe()
	d.session(&o.keys, 0)
	d.session(&o.rtcp.keys, labelsRTCP)
	return o, nil
}

// Open authenticates and decrypts the SRTP packet in pkt in place and returns
// the length of the RTP packet it held. Errors: [ErrMalformed], [ErrReplay],
// [ErrAuth], [ErrStreams], [ErrClosed].
//
// The roll-over counter of a source begins at zero, or at what SetROC said. But
// a receiver that joins late, or a stream that began shortly before 65535 and
// whose packets up to there were lost, or came before the keys, is ahead of that
// (RFC 3711 §3.3.1 warns of it). So the first packet of a source may also have
// one of the following counters, up to half a turn of the sequence number after
// Config.Rollovers roll-overs.
func (o *Opener) Open(pkt []byte) (int, error) {
	header, err := o.parse(pkt)
	if err != nil {
		return 0, err
	}
	s := o.streams.find(rtpSSRC(pkt))
	if s == nil || !s.begun {
		return o.openFirst(s, pkt, header)
	}
	index := s.guess(rtpSequence(pkt))
	if !s.fresh(index) {
		return 0, ErrReplay
	}
	if !o.decrypt(pkt, header, index) {
		return 0, ErrAuth
	}
	s.commit(index)
	return len(pkt) - int(o.tagLen), nil
}

// parse checks the form of an SRTP packet and returns the length of its header.
func (o *Opener) parse(pkt []byte) (header int, err error) {
	if o.profile == 0 {
		return 0, ErrClosed
	}
	if len(pkt) < rtpHeaderLen+int(o.tagLen) || len(pkt) > maxPacket {
		return 0, ErrMalformed
	}
	header = rtpHeader(pkt[:len(pkt)-int(o.tagLen)])
	if header == 0 || cryptex(pkt) {
		return 0, ErrMalformed
	}
	return header, nil
}

// openFirst opens the first packet of a source, whose entry s is if it has one
// already.
func (o *Opener) openFirst(s *stream, pkt []byte, header int) (int, error) {
	roc := uint32(0)
	switch {
	case s != nil:
		roc = s.roc
	case o.streams.full():
		return 0, ErrStreams
	}
	seq := rtpSequence(pkt)
	for k := range o.rollovers + 1 {
		if k == o.rollovers && seq >= 1<<15 || roc+k < roc {
			break
		}
		index := uint64(roc+k)<<16 | uint64(seq)
		if !o.decrypt(pkt, header, index) {
			continue
		}
		if s == nil {
			s = o.streams.add(rtpSSRC(pkt))
		}
		s.commit(index)
		return len(pkt) - int(o.tagLen), nil
	}
	return 0, ErrAuth
}

// SetROC says where the roll-over counter of a source stands that was not heard
// before, when the other side has told (RFC 3711 §3.3.1). A source that was
// heard keeps its own: that is [ErrReplay]. Other errors: [ErrStreams],
// [ErrClosed].
func (o *Opener) SetROC(ssrc, roc uint32) error {
	if o.profile == 0 {
		return ErrClosed
	}
	s := o.streams.find(ssrc)
	if s == nil {
		s = o.streams.add(ssrc)
	}
	switch {
	case s == nil:
		return ErrStreams
	case s.begun:
		return ErrReplay
	}
	s.roc = roc
	return nil
}

// decrypt authenticates a packet of this index and then decrypts it, or says
// false and leaves it as it was.
func (o *Opener) decrypt(pkt []byte, header int, index uint64) bool {
	if o.aead {
		var iv [12]byte
		o.keys.nonce(&iv, rtpSSRC(pkt), index)
		return o.keys.gcm.Open(&iv, pkt[:header], pkt[header:])
	}
	n := len(pkt) - int(o.tagLen)
	var tag [cm.TagLen]byte
	o.keys.cm.Sum(&tag, pkt[:n], uint32(index>>16))
	if differs(pkt[n:], &tag) {
		return false
	}
	o.keys.xor(pkt[header:n], rtpSSRC(pkt), index)
	return true
}

// OpenRTCP authenticates and decrypts the SRTCP packet in pkt in place and
// returns the length of the compound RTCP packet it held. A packet that is
// authentic but not encrypted (E flag clear, RFC 3711 §3.4) is malformed here:
// no profile of ours sends one. Errors as for Open.
func (o *Opener) OpenRTCP(pkt []byte) (int, error) {
	if o.profile == 0 {
		return 0, ErrClosed
	}
	n := len(pkt) - o.profile.RTCPOverhead()
	if n < rtcpHeaderLen || len(pkt) > maxPacket || !isRTCP(pkt) {
		return 0, ErrMalformed
	}
	word := binary.BigEndian.Uint32(pkt[o.profile.rtcpIndexAt(len(pkt)):])
	if word&encrypted == 0 {
		return 0, ErrMalformed
	}
	r, index, ssrc := o.rtcp, uint64(word&^encrypted), rtcpSSRC(pkt)
	s := r.streams.find(ssrc)
	switch {
	case s == nil && r.streams.full():
		return 0, ErrStreams
	case s != nil && !s.fresh(index):
		return 0, ErrReplay
	case !r.decrypt(pkt, n, word, o.aead):
		return 0, ErrAuth
	}
	if s == nil {
		s = r.streams.add(ssrc)
	}
	s.commit(index)
	return n, nil
}

// decrypt authenticates a packet of n bytes without overhead and then decrypts
// it, or says false and leaves it as it was.
func (r *reportOpener) decrypt(pkt []byte, n int, word uint32, aead bool) bool {
	ssrc, index := rtcpSSRC(pkt), uint64(word&^encrypted)
	if aead {
		var iv [12]byte
		r.keys.nonce(&iv, ssrc, index)
		return r.keys.gcm.Open(&iv, r.aad.set(pkt, word), pkt[rtcpHeaderLen:len(pkt)-rtcpIndexLen])
	}
	var tag [cm.TagLen]byte
	r.keys.cm.Sum(&tag, pkt[:n], word)
	if differs(pkt[n+rtcpIndexLen:], &tag) {
		return false
	}
	r.keys.xor(pkt[rtcpHeaderLen:n], ssrc, index)
	return true
}

// Left is how many packets of SRTP and of SRTCP the key may still protect, going
// by the source that is furthest. Whoever agrees keys does so again well before
// either is zero.
func (o *Opener) Left() (packets uint64, reports uint32) {
	if o.profile == 0 {
		return 0, 0
	}
	return maxPackets - 1 - o.streams.furthest(), maxReports - 1 - uint32(o.rtcp.streams.furthest())
}

// Format prints nothing of the keys, whatever the verb.
func (*Opener) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "protect.Opener, redacted") }

// Close overwrites the keys; every later call fails with [ErrClosed].
func (o *Opener) Close() {
	if o.profile != 0 {
		o.keys.wipe()
		o.rtcp.keys.wipe()
	}
	*o = Opener{}
}
