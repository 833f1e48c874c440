// Command modexp writes the assembly of internal/modexp: what mulRowsGo does,
// for numbers of 32 and of 48 limbs.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!purego")
	mulRows(32)
	mulRows(48)
	Generate()
}

// maxLimbs is how many limbs a modulus has room for. Behind them is m0inv.
const maxLimbs = 48

func limb(x Mem, i int) Mem { return x.Offset(8 * i) }

// mulRows writes the function for numbers of n limbs. The names are those of
// mulRowsGo. Each turn leaves the lowest limb of t behind.
func mulRows(n int) {
	name := fmt.Sprintf("mulRows%d", n)
	TEXT(name, NOSPLIT, "func(t *[96]uint64, x, y *[48]uint64, mod *[49]uint64) (carry uint64)")
	Doc(name + " is mulRowsGo.")
	t, x := Mem{Base: Load(Param("t"), GP64())}, Mem{Base: Load(Param("x"), GP64())}
	y, m := Mem{Base: Load(Param("y"), GP64())}, Mem{Base: Load(Param("mod"), GP64())}
	m0inv := GP64()
	MOVQ(limb(m, maxLimbs), m0inv)
	left, borrowed := GP64(), GP64() // borrowed is -1 if the last sum had a carry
	MOVQ(U32(n), left)
	XORQ(borrowed, borrowed)

	Label("row")
	MOVQ(y, reg.RDX)
	c1 := addMul(t, x, n)
	MOVQ(t, reg.RDX)
	IMULQ(m0inv, reg.RDX)
	c2 := addMul(t, m, n)
	NEGQ(borrowed)
	ADCQ(c1, c2)
	SBBQ(borrowed, borrowed)
	MOVQ(c2, limb(t, n))
	ADDQ(U8(8), t.Base)
	ADDQ(U8(8), y.Base)
	DECQ(left)
	JNZ(LabelRef("row"))

	NEGQ(borrowed)
	Store(borrowed, Return("carry"))
	RET()
}

// addMul adds x·RDX, n limbs of it, to t, and returns the limb beyond. MULX
// leaves the flags alone, so the low limbs of the products are added with the
// carry in CF and what is in t with the carry in OF, all through the row.
func addMul(t, x Mem, n int) (high reg.GPVirtual) {
	high = GP64()
	XORQ(high, high) // and both carries
	for i := range n {
		low, next := GP64(), GP64()
		MULXQ(limb(x, i), low, next)
		ADCXQ(high, low)
		ADOXQ(limb(t, i), low)
		MOVQ(low, limb(t, i))
		high = next
	}
	zero := GP64()
	MOVQ(U32(0), zero)
	ADCXQ(zero, high)
	ADOXQ(zero, high)
	return high
}
