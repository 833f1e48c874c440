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
	f, err := parse(pkt)
	if err != nil || len(f.first) == 0 {
		return false, false
	}
	// The SILK layer begins with flags (RFC 6716 §4.2.3): for each channel one
	// for the voice in each of its frames of up to 20 ms, then one for the
	// redundancy.
	frames := 1
	if config < 12 && config%4 > 1 { // 40 or 60 ms
		frames = int(config % 4)
	}
	redundant = f.first[0]>>(7-frames)&1 == 1
	if stereo := toc>>2&1 == 1; stereo && f.first[0]>>(6-2*frames)&1 == 1 {
		redundant = true
	}
	return redundant, false
}
