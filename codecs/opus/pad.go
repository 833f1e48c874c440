package opus

import "errors"

var errMalformed = errors.New("malformed packet")

const (
	// maxFrameBytes is how long a frame may be (RFC 6716 §3.2.1).
	maxFrameBytes = 1275

	// What a frame count byte is made of (RFC 6716 §3.2.5).
	flagVaries = 0x80 // frames have lengths of their own
	flagPadded = 0x40
	countMask  = 0x3f
)

// framing is what lies where in a packet, as a packet of code 3 would have it
// (RFC 6716 §3.2.5).
type framing struct {
	count byte   // of frames, and flagVaries
	body  []byte // the lengths of all frames but the last, if they vary, and the frames
	first []byte // the first frame
}

// pad makes the packet that is the first n bytes of pkt as long as pkt, in place,
// with padding of zeros, which decoders leave out (RFC 6716 §3.2.5). Padding that
// is there already is written anew. On an error pkt is what it was.
func pad(pkt []byte, n int) error {
	f, err := parse(pkt[:n])
	if err != nil || n == len(pkt) {
		return err
	}
	const header = 2 // TOC and frame count
	room := len(pkt) - header - len(f.body)
	if room == 0 {
		copy(pkt[header:], f.body)
		pkt[0], pkt[1] = pkt[0]|3, f.count
		return nil
	}
	// Each byte 255 of the length stands for 254 of padding and another byte of
	// length; all of them count as room.
	more := (room - 1) / 255
	start := header + more + 1
	end := start + copy(pkt[start:], f.body)
	pkt[0], pkt[1] = pkt[0]|3, f.count|flagPadded
	for i := range more {
		pkt[header+i] = 255
	}
	pkt[start-1] = byte(room - 1 - 255*more)
	clear(pkt[end:])
	return nil
}

// parse finds what is in a packet, if it is one by RFC 6716 §3.4.
func parse(pkt []byte) (f framing, err error) {
	if len(pkt) == 0 {
		return f, errMalformed
	}
	rest := pkt[1:]
	switch code := pkt[0] & 3; code {
	case 0, 1:
		f.count = code + 1
	case 2:
		f.count = 2 | flagVaries
	default:
		if f.count, rest, err = skipPadding(rest); err != nil {
			return f, err
		}
	}
	count := int(f.count & countMask)
	if count == 0 || count*samplesPerFrame(pkt[0]) > maxPacketSamples {
		return f, errMalformed
	}
	f.body = rest
	if f.count&flagVaries != 0 {
		f.first, err = firstVarying(rest, count)
		return f, err
	}
	if len(rest)%count != 0 || len(rest)/count > maxFrameBytes {
		return f, errMalformed
	}
	f.first = rest[:len(rest)/count]
	return f, nil
}

// firstVarying is the first of count frames in a body that begins with the
// lengths of all but the last.
func firstVarying(body []byte, count int) ([]byte, error) {
	sum, first := 0, -1
	for range count - 1 {
		n, used := frameLength(body)
		if used == 0 {
			return nil, errMalformed
		}
		body = body[used:]
		if sum += n; first < 0 {
			first = n
		}
	}
	last := len(body) - sum
	if last < 0 || last > maxFrameBytes {
		return nil, errMalformed
	}
	if first < 0 {
		first = last
	}
	return body[:first], nil
}

// skipPadding takes the frame count byte and the padding off what follows the TOC
// of a packet of code 3.
func skipPadding(b []byte) (count byte, rest []byte, err error) {
	if len(b) == 0 {
		return 0, nil, errMalformed
	}
	count, rest = b[0]&^flagPadded, b[1:]
	if b[0]&flagPadded == 0 {
		return count, rest, nil
	}
	for more := true; more; {
		if len(rest) == 0 {
			return 0, nil, errMalformed
		}
		n := int(rest[0])
		rest = rest[1:]
		if more = n == 255; more {
			n = 254
		}
		if n > len(rest) {
			return 0, nil, errMalformed
		}
		rest = rest[:len(rest)-n]
	}
	return count, rest, nil
}

// frameLength is the length of a frame that b begins with, and how many bytes say
// it (RFC 6716 §3.2.1); none if b is too short.
func frameLength(b []byte) (n, used int) {
	switch {
	case len(b) >= 1 && b[0] < 252:
		return int(b[0]), 1
	case len(b) >= 2:
		return int(b[0]) + 4*int(b[1]), 2
	}
	return 0, 0
}

// samplesPerFrame is how long the frames of a packet with this TOC are (RFC 6716
// §3.1).
func samplesPerFrame(toc byte) int {
	const ms = SampleRate / 1000
	switch config := toc >> 3; {
	case config >= 16: // CELT
		return concealStep << (config & 3)
	case config >= 12: // hybrid
		return 10 * ms << (config & 1)
	case config&3 == 3: // SILK
		return 60 * ms
	default:
		return 10 * ms << (config & 3)
	}
}
