package opus

// maxPause is the length of the packets that a sender with DTX leaves out, or
// sends as a sign of life: no more than a byte beside the TOC.
const maxPause = 2

// Inspect tells of a packet whether it carries the frame before it for
// [Decoder.DecodeFEC], and whether its sender may pause after it (DTX). Of what
// is no packet it tells neither.
func Inspect(pkt []byte) (redundant, quiet bool) {
	if len(pkt) == 0 {
		return false, false
	}
	if len(pkt) <= maxPause {
		return false, true
	}
	toc := pkt[0]
	config := toc >> 3
	if config >= 16 {
		return false, false // CELT carries nothing of other frames
	}
	frame := firstFrame(pkt)
	if len(frame) == 0 {
		return false, false
	}
	// The SILK layer begins with flags (RFC 6716 §4.2.3): for each channel one
	// for the voice in each of its frames of up to 20 ms, then one for the
	// redundancy.
	frames := 1
	if config < 12 && config%4 > 1 { // 40 or 60 ms
		frames = int(config % 4)
	}
	redundant = frame[0]>>(7-frames)&1 == 1
	if stereo := toc>>2&1 == 1; stereo && frame[0]>>(6-2*frames)&1 == 1 {
		redundant = true
	}
	return redundant, false
}

// firstFrame is pkt from its first frame on (RFC 6716 §3.2), nil if there is
// none.
func firstFrame(pkt []byte) []byte {
	switch code, rest := pkt[0]&3, pkt[1:]; code {
	case 0, 1: // one, or two of one length
		return rest
	case 2: // two, with the first one's length
		return skipLength(rest)
	default: // any number
		count := rest[0]
		rest = rest[1:]
		for more := count&0x40 != 0; more && len(rest) > 0; rest = rest[1:] {
			more = rest[0] == 255 // length of the padding goes on
		}
		if vbr := count&0x80 != 0; vbr {
			for range int(count&0x3f) - 1 {
				rest = skipLength(rest)
			}
		}
		return rest
	}
}

// skipLength is what follows a frame's length (RFC 6716 §3.2.1).
func skipLength(b []byte) []byte {
	n := 1
	if len(b) > 0 && b[0] >= 252 {
		n = 2
	}
	return b[min(n, len(b)):]
}
