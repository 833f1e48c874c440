package sdp

import (
	"encoding/hex"
	"fmt"
	"net/netip"
)

// Append writes s after dst, with CRLF line ends, RFC 8866 §5.
func (s *Session) Append(dst []byte) []byte {
	o := s.Origin
	dst = fmt.Appendf(dst, "v=0\r\no=%s %d %d IN %s\r\ns=-\r\n", o.Username, o.ID, o.Version, o.Address)
	var common netip.Addr
	if i := s.Audio(); i >= 0 {
		common = s.Media[i].Address
		dst = appendAddress(dst, common)
	}
	dst = append(dst, "t=0 0\r\n"...)
	for i := range s.Media {
		dst = s.Media[i].append(dst, common)
	}
	return dst
}

func appendAddress(dst []byte, a netip.Addr) []byte {
	return fmt.Appendf(dst, "c=IN %s %s\r\n", family(a), a)
}

// append writes m, leaving out the address if it is the session's.
func (m *Media) append(dst []byte, common netip.Addr) []byte {
	dst = fmt.Appendf(dst, "m=%s %d %s", m.Kind, m.Port, m.Profile)
	if !m.voice() {
		return fmt.Appendf(dst, " %s\r\n", m.Formats)
	}
	for _, c := range m.Codecs {
		dst = fmt.Appendf(dst, " %d", c.PayloadType)
	}
	dst = append(dst, "\r\n"...)
	if m.Address != common {
		dst = appendAddress(dst, m.Address)
	}
	for _, c := range m.Codecs {
		dst = c.append(dst)
	}
	if m.PacketTime != 0 {
		dst = fmt.Appendf(dst, "a=ptime:%d\r\n", m.PacketTime)
	}
	if m.MaxPacket != 0 {
		dst = fmt.Appendf(dst, "a=maxptime:%d\r\n", m.MaxPacket)
	}
	dst = fmt.Appendf(dst, "a=%s\r\n", m.Direction)
	dst = m.appendRTCP(dst)
	for _, h := range m.ZRTPHashes {
		dst = fmt.Appendf(dst, "a=zrtp-hash:%s %s\r\n", h.Version, hex.EncodeToString(h.Hash))
	}
	return dst
}

func (m *Media) appendRTCP(dst []byte) []byte {
	switch {
	case !m.RTCP.IsValid() || m.Port != 0xffff && m.RTCP == netip.AddrPortFrom(m.Address, m.Port+1):
		// the default
	case m.RTCP.Addr() == m.Address:
		dst = fmt.Appendf(dst, "a=rtcp:%d\r\n", m.RTCP.Port())
	default:
		a := m.RTCP.Addr()
		dst = fmt.Appendf(dst, "a=rtcp:%d IN %s %s\r\n", m.RTCP.Port(), family(a), a)
	}
	if m.Mux {
		dst = append(dst, "a=rtcp-mux\r\n"...)
	}
	return dst
}

func (c Codec) append(dst []byte) []byte {
	if c.Name != "" {
		dst = fmt.Appendf(dst, "a=rtpmap:%d %s/%d", c.PayloadType, c.Name, c.ClockRate)
		if c.Channels != 1 {
			dst = fmt.Appendf(dst, "/%d", c.Channels)
		}
		dst = append(dst, "\r\n"...)
	}
	if c.Params != "" {
		dst = fmt.Appendf(dst, "a=fmtp:%d %s\r\n", c.PayloadType, c.Params)
	}
	return dst
}
