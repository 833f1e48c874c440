package g722

// taps are every second coefficient of the filter that splits and joins the
// bands, 24 long and symmetric; the others are the same backwards
// (ITU-T G.722 §5). They add up to 1<<12.
var taps = [12]int{3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11}

// qmf is the memory of one quadrature mirror filter, newest values last.
type qmf [24]int

// filter takes two values in and returns the sums over the even and over the
// odd places, each of which a band's samples are made from.
func (q *qmf) filter(x0, x1 int) (even, odd int) {
	copy(q[:], q[2:])
	q[22], q[23] = x0, x1
	for i, c := range taps {
		even += c * q[2*i]
		odd += taps[11-i] * q[2*i+1]
	}
	return even, odd
}

// split makes a sample of each band of two samples.
func (q *qmf) split(x0, x1 int) (low, high int) {
	even, odd := q.filter(x0, x1)
	return limit((odd + even) >> 14), limit((odd - even) >> 14)
}

// join makes two samples of one of each band.
func (q *qmf) join(low, high int) (x0, x1 int) {
	even, odd := q.filter(low+high, low-high)
	return saturate(odd >> 11), saturate(even >> 11)
}
