package protect

import (
	"errors"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// maxStreams bounds the sources that one key may serve. A peer that restarts
// its stream takes a new one; nobody does so often in one call.
const maxStreams = 8

// backupLen is what a packet of ordinary size needs: an Ethernet frame.
const backupLen = 1500

// Opener checks and decrypts what one peer sends under one key. It accepts
// each packet once, and a source counts only once a packet of it has
// authenticated. An Opener is owned by one goroutine.
type Opener struct {
	ctx     *srtp.Context // nil once closed
	profile Profile
	tagLen  int
	header  rtp.Header // of the packet in hand; kept so that none is allocated
	backup  []byte     // of the packet in hand; AEAD profiles only, see keep

	streams sources // authenticated by SRTP packets
	reports sources // authenticated by SRTCP packets
	tried   sources // given a second roll-over count, see openFirst
}

// NewOpener makes an Opener from a master key and salt of the profile's
// lengths. The caller keeps both and wipes them.
func NewOpener(p Profile, key, salt []byte) (*Opener, error) {
	ctx, err := newContext(p, key, salt)
	if err != nil {
		return nil, err
	}
	o := &Opener{ctx: ctx, profile: p, tagLen: p.TagLen()}
	if p.aead() {
		o.backup = make([]byte, 0, backupLen)
	}
	return o, nil
}

// Open authenticates and decrypts the SRTP packet in pkt in place and returns
// the length of the RTP packet it held. Errors: [ErrMalformed], [ErrReplay],
// [ErrAuth], [ErrStreams], [ErrClosed].
func (o *Opener) Open(pkt []byte) (int, error) {
	if o.ctx == nil {
		return 0, ErrClosed
	}
	if !isRTP(pkt) || len(pkt) < rtpHeaderLen+o.tagLen {
		return 0, ErrMalformed
	}
	if _, err := o.header.Unmarshal(pkt[:len(pkt)-o.tagLen]); err != nil || o.cryptex() {
		return 0, ErrMalformed
	}
	if o.streams.has(o.header.SSRC) {
		return o.decrypt(pkt)
	}
	if o.streams.full() {
		return 0, ErrStreams
	}
	n, err := o.openFirst(pkt)
	if err != nil {
		return 0, err
	}
	o.streams.add(o.header.SSRC)
	return n, nil
}

// openFirst opens the first packet of a source. Its roll-over counter starts
// at zero; but a sender that began shortly before 65535 has counted one
// roll-over if its packets up to there were lost, or came before the keys
// (RFC 3711 §3.3.1 warns of it). So a low sequence number is tried with one
// roll-over as well. The library below keeps a record of each source tried
// that way, forged ones too; their number is therefore bounded.
func (o *Opener) openFirst(pkt []byte) (int, error) {
	ssrc, seq := o.header.SSRC, o.header.SequenceNumber
	tried := o.tried.has(ssrc)
	if tried {
		o.ctx.SetROC(ssrc, 0)
	}
	n, err := o.decrypt(pkt)
	if err == nil || seq >= 1<<15 || (!tried && o.tried.full()) {
		return n, err
	}
	if !tried {
		o.tried.add(ssrc)
	}
	o.ctx.SetROC(ssrc, 1)
	return o.decrypt(pkt)
}

// decrypt runs the library on a packet whose form has been checked, so what is
// neither a wrong tag nor a success can only be a replay.
func (o *Opener) decrypt(pkt []byte) (int, error) {
	o.keep(pkt)
	out, err := o.ctx.DecryptRTP(pkt, pkt, &o.header)
	if err == nil {
		return len(out), nil
	}
	copy(pkt, o.backup)
	switch {
	case errors.Is(err, srtp.ErrFailedToVerifyAuthTag):
		return 0, ErrAuth
	default:
		return 0, ErrReplay
	}
}

// keep makes a copy of pkt from which to restore it. Galois/counter mode of the
// standard library erases a packet that it can't authenticate; a second try
// with another roll-over count, and the caller, want it as it was. The other
// profiles check before they touch anything, and keep nothing.
func (o *Opener) keep(pkt []byte) {
	if o.backup != nil {
		o.backup = append(o.backup[:0], pkt...)
	}
}

// cryptex reports whether the header in hand asks for encrypted header
// extensions (RFC 9335), which no ZRTP peer negotiates.
func (o *Opener) cryptex() bool {
	return o.header.Extension &&
		(o.header.ExtensionProfile == rtp.CryptexProfileOneByte ||
			o.header.ExtensionProfile == rtp.CryptexProfileTwoByte)
}

// OpenRTCP authenticates and decrypts the SRTCP packet in pkt in place and
// returns the length of the compound RTCP packet it held. A packet that is
// authentic but not encrypted (E flag clear, RFC 3711 §3.4) is malformed here:
// no profile of ours sends one. Errors as for Open.
func (o *Opener) OpenRTCP(pkt []byte) (int, error) {
	if o.ctx == nil {
		return 0, ErrClosed
	}
	if len(pkt) < rtcpHeaderLen+o.profile.RTCPOverhead() || !isRTCP(pkt) || pkt[o.profile.rtcpIndexAt(len(pkt))]&0x80 == 0 {
		return 0, ErrMalformed
	}
	ssrc := rtcpSSRC(pkt)
	known := o.reports.has(ssrc)
	if !known && o.reports.full() {
		return 0, ErrStreams
	}
	o.keep(pkt)
	out, err := o.ctx.DecryptRTCP(pkt, pkt, nil)
	if err != nil {
		copy(pkt, o.backup)
	}
	switch {
	case errors.Is(err, srtp.ErrFailedToVerifyAuthTag):
		return 0, ErrAuth
	case err != nil:
		return 0, ErrReplay
	}
	if !known {
		o.reports.add(ssrc)
	}
	return len(out), nil
}

// Close lets go of the keys; every later call fails with [ErrClosed].
func (o *Opener) Close() { *o = Opener{} }

// sources is a small set of synchronisation sources.
type sources struct {
	ssrc [maxStreams]uint32
	n    int
}

func (s *sources) full() bool { return s.n == len(s.ssrc) }

func (s *sources) has(ssrc uint32) bool {
	for _, known := range s.ssrc[:s.n] {
		if known == ssrc {
			return true
		}
	}
	return false
}

// add puts ssrc into a set that is not full and has it not.
func (s *sources) add(ssrc uint32) {
	s.ssrc[s.n] = ssrc
	s.n++
}
