package g722

// The numbers of ITU-T G.722 §6.2.

// levels are the decision levels of the lower band's 60 steps, without sign
// and for a step size of 1<<12 (Q6). Beyond the last begins the outermost step.
var levels = [29]int{
	35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714,
	786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
}

// outputs are what these steps decode to, for a step size of 1<<15 (QM6).
var outputs = [30]int{
	136, 432, 728, 1040, 1360, 1688, 2032, 2400, 2776, 3168, 3576, 4008, 4464, 4944, 5456,
	6000, 6576, 7192, 7856, 8576, 9360, 10232, 11192, 12280, 13512, 14984, 16704, 19008, 21904, 24808,
}

// highLevel is the higher band's one decision level, for a step size of 1<<12.
const highLevel = 564

// What codes decode to, for a step size of 1<<15: those of the lower band with
// all bits and with four, and those of the higher band.
var (
	inverse6 = makeInverse()
	inverse4 = [16]int{
		0, -20456, -12896, -8968, -6288, -4240, -2584, -1200,
		20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
	}
	inverse2 = [4]int{-7408, -1616, 7408, 1616}
)

// How codes change the logarithm of the step size (WL and WH).
var (
	logStep4 = [16]int{
		-60, 3042, 1198, 538, 334, 172, 58, -30,
		3042, 1198, 538, 334, 172, 58, -30, -60,
	}
	logStep2 = [4]int{798, -214, 798, -214}
)

// antilog is 1<<11 times the powers of two from 2^0 to 2^(31/32) (ILB).
var antilog = [32]int{
	2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
	2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
}

// lowCode is the code of a step, counted from 0 (ILP and ILN). The four codes
// below 4 are never sent, but a decoder has an output for them.
func lowCode(step int, negative bool) int {
	switch {
	case !negative:
		return 61 - step
	case step < 2:
		return 63 - step
	default:
		return 33 - step
	}
}

func makeInverse() (t [64]int) {
	for code := range 4 {
		t[code] = -outputs[0]
	}
	for step, v := range outputs {
		t[lowCode(step, false)], t[lowCode(step, true)] = v, -v
	}
	return t
}

// quantizeLow is the code of a difference in the lower band (block QUANTL).
func quantizeLow(diff, det int) int {
	size, negative := diff, diff < 0
	if negative {
		size = ^diff
	}
	step := 0
	for step < len(levels) && size >= levels[step]*det>>12 {
		step++
	}
	return lowCode(step, negative)
}

// quantizeHigh is the code of a difference in the higher band (block QUANTH).
func quantizeHigh(diff, det int) int {
	size, code := diff, 3
	if diff < 0 {
		size, code = ^diff, 1
	}
	if size >= highLevel*det>>12 {
		code--
	}
	return code
}
