package capture

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// Why a frame gives no datagram. errOther is no matter for Skipped.
var (
	errOther    = errors.New("capture: no UDP")
	errFragment = errors.New("capture: a fragment of an IP packet")
	errLink     = errors.New("capture: a link of unknown kind")
	errDamaged  = errors.New("capture: headers cut short or contradicting themselves")
)

// Kinds of link, by their LINKTYPE_ numbers.
const (
	linkNull     = 0 // BSD loopback: the address family goes before
	linkEthernet = 1
	linkRawBSD   = 12
	linkRaw      = 101
	linkLoop     = 108 // OpenBSD's
	linkCooked   = 113 // Linux, any interface
	linkIPv4     = 228
	linkIPv6     = 229
	linkCooked2  = 276
)

const (
	etherIPv4     = 0x0800
	etherIPv6     = 0x86dd
	etherVLAN     = 0x8100
	etherProvider = 0x88a8

	protocolUDP = 17
)

// network returns the IP packet in a frame.
func network(f frame) ([]byte, error) {
	head, kind := 0, -1 // kind: offset of the EtherType, if there is one
	switch f.link {
	case linkRaw, linkRawBSD, linkIPv4, linkIPv6:
	case linkNull, linkLoop:
		head = 4 // whose byte order is not certain; the IP version says the same
	case linkEthernet:
		head, kind = 14, 12
	case linkCooked:
		head, kind = 16, 14
	case linkCooked2:
		head, kind = 20, 0
	default:
		return nil, errLink
	}
	if len(f.data) < head {
		return nil, errDamaged
	}
	if kind < 0 {
		return f.data[head:], nil
	}
	return untagged(binary.BigEndian.Uint16(f.data[kind:]), f.data[head:])
}

// untagged passes over the tags of virtual LANs.
func untagged(kind uint16, b []byte) ([]byte, error) {
	for kind == etherVLAN || kind == etherProvider {
		if len(b) < 4 {
			return nil, errDamaged
		}
		kind, b = binary.BigEndian.Uint16(b[2:]), b[4:]
	}
	if kind != etherIPv4 && kind != etherIPv6 {
		return nil, errOther
	}
	return b, nil
}

// datagram takes an IP packet apart. Number and Time are left to the caller.
func datagram(packet []byte) (Datagram, error) {
	if len(packet) == 0 {
		return Datagram{}, errDamaged
	}
	switch packet[0] >> 4 {
	case 4:
		return ipv4(packet)
	case 6:
		return ipv6(packet)
	}
	return Datagram{}, errOther
}

func ipv4(b []byte) (Datagram, error) {
	if len(b) < 20 {
		return Datagram{}, errDamaged
	}
	head := int(b[0]&15) * 4
	if b[9] != protocolUDP {
		return Datagram{}, errOther
	}
	if binary.BigEndian.Uint16(b[6:])&0x3fff != 0 { // more to come, or not the first
		return Datagram{}, errFragment
	}
	if head < 20 || len(b) < head {
		return Datagram{}, errDamaged
	}
	return udp(netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:])), b[head:])
}

func ipv6(b []byte) (Datagram, error) {
	if len(b) < 40 {
		return Datagram{}, errDamaged
	}
	from, to := netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
	next, b := b[6], b[40:]
	for {
		switch next {
		case protocolUDP:
			return udp(from, to, b)
		case 0, 43, 60: // options by hop, routing, options for the destination
			if len(b) < 8 || len(b) < 8+8*int(b[1]) {
				return Datagram{}, errDamaged
			}
			next, b = b[0], b[8+8*int(b[1]):]
		case 44:
			if len(b) < 8 {
				return Datagram{}, errDamaged
			}
			if binary.BigEndian.Uint16(b[2:])&0xfff9 != 0 {
				return Datagram{}, errFragment
			}
			next, b = b[0], b[8:]
		default:
			return Datagram{}, errOther
		}
	}
}

// udp reads the header; its length, not IP's, ends the datagram, so that what
// Ethernet pads with falls away.
func udp(from, to netip.Addr, b []byte) (Datagram, error) {
	if len(b) < 8 {
		return Datagram{}, errDamaged
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if n < 8 {
		return Datagram{}, errDamaged
	}
	return Datagram{
		From:    netip.AddrPortFrom(from, binary.BigEndian.Uint16(b)),
		To:      netip.AddrPortFrom(to, binary.BigEndian.Uint16(b[2:])),
		Payload: b[8:min(n, len(b))],
		Missing: max(0, n-len(b)),
	}, nil
}
