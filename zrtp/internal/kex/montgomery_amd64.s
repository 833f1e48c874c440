//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// One row of a multiplication by hand, as in mulRowsGo: t += x·DX, where DI
// points to t. MULX leaves the flags alone, so the low limbs of the products
// are added with the carry in CF and what is in t with the carry in OF, all
// through the row. A high limb is kept in R10 or R11 for the next limb.

#define LIMB(i, x, high, nexthigh) \
	MULXQ (i)(x), R12, nexthigh \
	ADCXQ high, R12 \
	ADOXQ (i)(DI), R12 \
	MOVQ  R12, (i)(DI)

#define LIMBS8(i, x) \
	LIMB(i+0, x, R10, R11) \
	LIMB(i+8, x, R11, R10) \
	LIMB(i+16, x, R10, R11) \
	LIMB(i+24, x, R11, R10) \
	LIMB(i+32, x, R10, R11) \
	LIMB(i+40, x, R11, R10) \
	LIMB(i+48, x, R10, R11) \
	LIMB(i+56, x, R11, R10)

#define LIMBS32(x) LIMBS8(0, x) LIMBS8(64, x) LIMBS8(128, x) LIMBS8(192, x)
#define LIMBS48(x) LIMBS32(x) LIMBS8(256, x) LIMBS8(320, x)

// ROW leaves the limb beyond the row in R10. XORQ clears both carries.
#define ROW(LIMBS, x) \
	XORQ  R10, R10 \
	LIMBS(x) \
	MOVQ  $0, R11 \
	ADCXQ R11, R10 \
	ADOXQ R11, R10

// SI, BX and R8 point to x, to a limb of y, and to m; AX is m0inv; CX counts
// the limbs of y, and R9 is -1 if there was a carry beyond the last sum.
#define MULROWS(n, LIMBS) \
	MOVQ  t+0(FP), DI \
	MOVQ  x+8(FP), SI \
	MOVQ  y+16(FP), BX \
	MOVQ  mod+24(FP), R8 \
	MOVQ  modulus_m0inv(R8), AX \
	LEAQ  modulus_m(R8), R8 \
	MOVQ  $n, CX \
	XORQ  R9, R9 \
rows: \
	MOVQ  (BX), DX \
	ROW(LIMBS, SI) \
	MOVQ  R10, R13 \
	MOVQ  (DI), DX \
	IMULQ AX, DX \
	ROW(LIMBS, R8) \
	NEGQ  R9 \
	ADCQ  R13, R10 \
	SBBQ  R9, R9 \
	MOVQ  R10, (8*n)(DI) \
	ADDQ  $8, DI \
	ADDQ  $8, BX \
	DECQ  CX \
	JNZ   rows \
	NEGQ  R9 \
	MOVQ  R9, carry+32(FP) \
	RET

// func mulRows32(t *[2 * maxLimbs]uint64, x, y *number, mod *modulus) (carry uint64)
TEXT ·mulRows32(SB), NOSPLIT, $0-40
	MULROWS(32, LIMBS32)

// func mulRows48(t *[2 * maxLimbs]uint64, x, y *number, mod *modulus) (carry uint64)
TEXT ·mulRows48(SB), NOSPLIT, $0-40
	MULROWS(48, LIMBS48)
