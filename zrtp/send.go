package zrtp

import "sotto/zrtp/wire"

// maxPacketLen is the longest datagram that is sent, in bytes: what IPv6
// promises to carry everywhere, less the headers of IP and UDP and a tunnel or
// two.
const maxPacketLen = 1200

// maxQueued is how many messages may wait; one more is as one lost on its way.
const maxQueued = 16

// outgoing is a message to send, or what is left of one that no single
// datagram holds.
type outgoing struct {
	msg  []byte
	sent int // bytes of msg
	id   uint16
}

// fragmented is the message that was cut last. One that is sent again has the
// same number.
type fragmented struct {
	first *byte // where the message is
	id    uint16
}

func (s *Session) send(msg []byte) {
	if len(msg) > maxPacketLen-wire.PacketOverhead && s.fragmented.first != &msg[0] {
		s.fragmented = fragmented{&msg[0], s.fragmented.id + 1}
	}
	if len(s.out) < maxQueued {
		s.out = append(s.out, outgoing{msg: msg, id: s.fragmented.id})
	}
}

// AppendPacket appends the next packet to send to dst; false: there is none.
func (s *Session) AppendPacket(dst []byte) ([]byte, bool) {
	if len(s.out) == 0 {
		return dst, false
	}
	next, seq := &s.out[0], &s.seq
	if s.call != nil && s.call.first.cfg.SSRC == s.cfg.SSRC {
		seq = &s.call.first.seq // the same stream goes on counting
	}
	p := wire.Packet{Seq: *seq, SSRC: s.cfg.SSRC, Message: next.msg}
	if len(next.msg) > maxPacketLen-wire.PacketOverhead {
		p.Message = next.msg[next.sent:min(next.sent+maxPacketLen-wire.FragmentOverhead, len(next.msg))]
		p.Fragment = wire.Fragment{ID: next.id, Total: uint16(len(next.msg) / 4), Offset: uint16(next.sent / 4)}
	}
	if next.sent += len(p.Message); next.sent == len(next.msg) {
		if s.out = s.out[1:]; len(s.out) == 0 {
			s.out = nil
		}
	}
	*seq++
	return wire.AppendPacket(dst, p), true
}
