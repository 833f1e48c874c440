package capture

import (
	"encoding/binary"
	"fmt"
	"time"
)

// pcapng reads the newer format: blocks, each between two copies of its length,
// in sections of one byte order, with the interfaces described before the
// frames that came over them.
type pcapng struct {
	in         *input
	pending    bool // the type of the first section's head has been read
	order      binary.ByteOrder
	interfaces []netInterface
}

// netInterface is what an interface description block says that matters here.
type netInterface struct {
	link       uint32
	resolution uint8 // of time stamps: 10^-n seconds, or 2^-n with the top bit set
	offset     int64 // seconds to be added to time stamps
	snapLen    uint32
}

const (
	blockSection   = 0x0a0d0d0a // the same in both byte orders
	blockInterface = 1
	blockObsolete  = 2 // a packet as early files have it
	blockSimple    = 3
	blockPacket    = 6

	sectionMagic = 0x1a2b3c4d

	optionResolution = 9
	optionOffset     = 14

	maxInterfaces = 4096
)

func (p *pcapng) next() (frame, error) {
	for {
		kind, body, err := p.block()
		if err != nil {
			return frame{}, err
		}
		switch kind {
		case blockInterface:
			err = p.describe(body)
		case blockPacket:
			return p.packet(body, p.order)
		case blockObsolete:
			// Its interface has two bytes, a count of drops the two after.
			if len(body) >= 4 {
				binary.LittleEndian.PutUint32(body, uint32(p.order.Uint16(body)))
			}
			return p.packet(body, binary.LittleEndian)
		case blockSimple:
			return p.simple(body)
		}
		if err != nil {
			return frame{}, err
		}
	}
}

// block reads one block and returns its inside, which is empty for a kind that
// is not used here.
func (p *pcapng) block() (kind uint32, body []byte, err error) {
	var head [8]byte
	if p.pending {
		p.pending = false
		binary.BigEndian.PutUint32(head[:], blockSection)
	} else {
		b, err := p.in.take(4)
		if err != nil {
			return 0, nil, err
		}
		copy(head[:], b)
	}
	b, err := p.in.within(4)
	if err != nil {
		return 0, nil, err
	}
	copy(head[4:], b)
	if binary.BigEndian.Uint32(head[:]) == blockSection {
		return blockSection, nil, p.section([4]byte(head[4:]))
	}
	kind = p.order.Uint32(head[:])
	n := p.order.Uint32(head[4:])
	if n < 12 || n%4 != 0 {
		return 0, nil, fmt.Errorf("%w: a block of %d bytes", ErrFormat, n)
	}
	switch kind {
	case blockInterface, blockObsolete, blockSimple, blockPacket:
	default:
		return kind, nil, p.in.skip(int64(n) - 8)
	}
	if n > 2*maxFrameLen {
		return 0, nil, fmt.Errorf("%w: a block of %d bytes", ErrFormat, n)
	}
	body, err = p.in.within(int(n) - 8)
	if err != nil {
		return 0, nil, err
	}
	end := len(body) - 4
	if again := p.order.Uint32(body[end:]); again != n {
		return 0, nil, fmt.Errorf("%w: a block of %d bytes that ends as one of %d", ErrFormat, n, again)
	}
	return kind, body[:end], nil
}

// section begins a new section: byte order and interfaces start afresh.
func (p *pcapng) section(length [4]byte) error {
	b, err := p.in.within(4)
	if err != nil {
		return err
	}
	switch uint32(sectionMagic) {
	case binary.BigEndian.Uint32(b):
		p.order = binary.BigEndian
	case binary.LittleEndian.Uint32(b):
		p.order = binary.LittleEndian
	default:
		return fmt.Errorf("%w: a section without byte order", ErrFormat)
	}
	n := p.order.Uint32(length[:])
	if n < 28 || n%4 != 0 {
		return fmt.Errorf("%w: a section's head of %d bytes", ErrFormat, n)
	}
	p.interfaces = nil
	return p.in.skip(int64(n) - 12)
}

// describe remembers an interface. Options that can't be read are left out:
// they say when a frame was seen, not what it holds.
func (p *pcapng) describe(body []byte) error {
	if len(body) < 8 || len(p.interfaces) == maxInterfaces {
		return fmt.Errorf("%w: interface %d", ErrFormat, len(p.interfaces))
	}
	i := netInterface{link: uint32(p.order.Uint16(body)), resolution: 6, snapLen: p.order.Uint32(body[4:])}
	for options := body[8:]; len(options) >= 4; {
		code, n := p.order.Uint16(options), int(p.order.Uint16(options[2:]))
		padded := 4 + (n+3)&^3
		if code == 0 || padded > len(options) {
			break
		}
		switch value := options[4 : 4+n]; {
		case code == optionResolution && n == 1:
			i.resolution = value[0]
		case code == optionOffset && n == 8:
			i.offset = int64(p.order.Uint64(value))
		}
		options = options[padded:]
	}
	p.interfaces = append(p.interfaces, i)
	return nil
}

// packet takes a frame out of its block; number is the byte order of the
// interface's number.
func (p *pcapng) packet(body []byte, number binary.ByteOrder) (frame, error) {
	if len(body) < 20 {
		return frame{}, fmt.Errorf("%w: a packet block without head", ErrFormat)
	}
	index, n := number.Uint32(body), p.order.Uint32(body[12:])
	if uint64(index) >= uint64(len(p.interfaces)) || uint64(n) > uint64(len(body)-20) || n > maxFrameLen {
		return frame{}, fmt.Errorf("%w: a packet of %d bytes on interface %d", ErrFormat, n, index)
	}
	i := p.interfaces[index]
	stamp := uint64(p.order.Uint32(body[4:]))<<32 | uint64(p.order.Uint32(body[8:]))
	return frame{i.time(stamp), i.link, body[20 : 20+n]}, nil
}

// simple takes a frame out of a block that has neither interface nor time.
func (p *pcapng) simple(body []byte) (frame, error) {
	if len(body) < 4 || len(p.interfaces) == 0 {
		return frame{}, fmt.Errorf("%w: a simple packet block without interface", ErrFormat)
	}
	i := p.interfaces[0]
	n := p.order.Uint32(body)
	if i.snapLen != 0 {
		n = min(n, i.snapLen)
	}
	if uint64(n) > uint64(len(body)-4) || n > maxFrameLen {
		return frame{}, fmt.Errorf("%w: a packet of %d bytes", ErrFormat, n)
	}
	return frame{time.Time{}, i.link, body[4 : 4+n]}, nil
}

// time is a time stamp in the interface's unit since 1970.
func (i netInterface) time(stamp uint64) time.Time {
	const base2 = 0x80
	power := i.resolution &^ base2
	if i.resolution&base2 != 0 {
		if power > 32 {
			return time.Time{}
		}
		rest := stamp & (1<<power - 1)
		return time.Unix(int64(stamp>>power)+i.offset, int64(rest*1e9>>power))
	}
	if power > 18 {
		return time.Time{}
	}
	unit := uint64(1)
	for range power {
		unit *= 10
	}
	nanos := float64(stamp%unit) / float64(unit) * 1e9
	if unit <= 1e9 {
		nanos = float64(stamp % unit * (1e9 / unit))
	}
	return time.Unix(int64(stamp/unit)+i.offset, int64(nanos))
}
