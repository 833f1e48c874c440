package curve448

// lanes is how many elements the vectors of AVX2 work on at a time.
const lanes = 4

// quad are four elements, with limbs of 28 bits, limb by limb.
type quad = [2 * limbs][lanes]uint64

// join puts elements, which are tight, side by side.
func join[T uint32 | uint64](z *[2 * limbs][lanes]T, elements ...*element) {
	for lane, x := range elements {
		for i, limb := range x {
			z[2*i][lane] = T(limb & (1<<(radix/2) - 1))
			z[2*i+1][lane] = T(limb >> (radix / 2))
		}
	}
}

// split is the reverse. Limbs up to 2^28 + 2^10 make a tight element.
func split[T uint32 | uint64](x *[2 * limbs][lanes]T, elements ...*element) {
	for lane, z := range elements {
		for i := range z {
			z[i] = uint64(x[2*i][lane]) + uint64(x[2*i+1][lane])<<(radix/2)
		}
	}
}
