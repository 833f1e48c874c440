package capture

import (
	"encoding/binary"
	"fmt"
	"time"
)

// pcap reads the older format: a head of 24 bytes, and 16 before each frame.
type pcap struct {
	in    *input
	order binary.ByteOrder
	tick  time.Duration // of the second half of a time stamp
	link  uint32
}

// The first four bytes of a file, as big-endian and little-endian machines
// write them.
const (
	magicMicro        = 0xa1b2c3d4
	magicNano         = 0xa1b23c4d
	magicMicroSwapped = 0xd4c3b2a1
	magicNanoSwapped  = 0x4d3cb2a1
)

func newPcap(in *input, magic [4]byte) (*pcap, error) {
	p := &pcap{in: in, order: binary.BigEndian, tick: time.Microsecond}
	switch binary.BigEndian.Uint32(magic[:]) {
	case magicMicro:
	case magicNano:
		p.tick = time.Nanosecond
	case magicMicroSwapped:
		p.order = binary.LittleEndian
	case magicNanoSwapped:
		p.order, p.tick = binary.LittleEndian, time.Nanosecond
	default:
		return nil, fmt.Errorf("%w: it starts with %x", ErrFormat, magic)
	}
	head, err := in.within(20)
	if err != nil {
		return nil, err
	}
	if major := p.order.Uint16(head); major != 2 {
		return nil, fmt.Errorf("%w: version %d of pcap", ErrFormat, major)
	}
	p.link = p.order.Uint32(head[16:]) & 0xffff // above it is the length of checksums
	return p, nil
}

func (p *pcap) next() (frame, error) {
	head, err := p.in.take(16)
	if err != nil {
		return frame{}, err
	}
	seconds, ticks := p.order.Uint32(head), p.order.Uint32(head[4:])
	n := p.order.Uint32(head[8:])
	if n > maxFrameLen {
		return frame{}, fmt.Errorf("%w: a frame of %d bytes", ErrFormat, n)
	}
	data, err := p.in.within(int(n))
	if err != nil {
		return frame{}, err
	}
	return frame{time.Unix(int64(seconds), int64(ticks)*int64(p.tick)), p.link, data}, nil
}
