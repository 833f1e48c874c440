package g711

// The encoding tables are indexed by the sample's upper bits, as many as the
// law looks at: 14 for µ-law, 12 for A-law plus sign (ITU-T G.711, tables 1
// and 2). An arithmetic shift is the one's complement split into sign and
// magnitude that the recommendation asks for.
var (
	muEncode = makeTable(1<<14, compressMu)
	aEncode  = makeTable(1<<12, compressA)
	muDecode = makeExpansion(expandMu)
	aDecode  = makeExpansion(expandA)
)

func makeTable(size int, compress func(int) byte) []byte {
	t := make([]byte, size)
	for i := range t {
		s := i
		if s >= size/2 {
			s -= size // upper half: negative samples
		}
		t[i] = compress(s)
	}
	return t
}

func makeExpansion(expand func(byte) int16) *[256]int16 {
	var t [256]int16
	for i := range t {
		t[i] = expand(byte(i))
	}
	return &t
}

// compressMu encodes a 14-bit sample. All bits of a µ-law byte are inverted on
// the line.
func compressMu(s int) byte {
	sign := byte(0)
	if s < 0 {
		s, sign = ^s, 0x80
	}
	s = min(s+33, 0x1fff) // 33 is the bias that makes every segment a power of two
	segment := byte(0)
	for s>>(segment+6) > 0 {
		segment++
	}
	step := byte(s>>(segment+1)) & 0xf
	return ^(sign | segment<<4 | step)
}

func expandMu(b byte) int16 {
	b = ^b
	segment := b >> 4 & 7
	v := (int16(b&0xf)<<1+33)<<segment - 33
	if b&0x80 != 0 {
		v = -v
	}
	return v << 2
}

// compressA encodes a 12-bit sample. Even bits of an A-law byte are inverted
// on the line, and the sign bit is set for positive samples.
func compressA(s int) byte {
	sign := byte(0x80)
	if s < 0 {
		s, sign = ^s, 0
	}
	segment := byte(0)
	for s>>(segment+4) > 0 {
		segment++
	}
	shift := max(segment, 1) - 1 // segments 0 and 1 have steps of one size
	step := byte(s>>shift) & 0xf
	return (sign | segment<<4 | step) ^ 0x55
}

func expandA(b byte) int16 {
	b ^= 0x55
	segment := b >> 4 & 7
	v := int16(b&0xf)<<4 + 8 // the middle of the step
	if segment > 0 {
		v = (v + 0x100) << (segment - 1)
	}
	if b&0x80 == 0 {
		v = -v
	}
	return v
}
