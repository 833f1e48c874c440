// Command processor writes the assembly of internal/processor: the one leaf of
// CPUID whose bits golang.org/x/sys/cpu keeps to itself.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!purego")
	TEXT("features7", NOSPLIT, "func() (ebx, ecx uint32)")
	Doc("features7 is leaf 7 of CPUID, or nothing where there is no such leaf.")
	ebx, ecx := GP32(), GP32()
	XORL(ebx, ebx)
	XORL(ecx, ecx)
	XORL(reg.EAX, reg.EAX)
	XORL(reg.ECX, reg.ECX)
	CPUID() // the highest leaf
	CMPL(reg.EAX, U8(7))
	JB(LabelRef("done"))
	MOVL(U32(7), reg.EAX)
	XORL(reg.ECX, reg.ECX)
	CPUID()
	MOVL(reg.EBX, ebx)
	MOVL(reg.ECX, ecx)
	Label("done")
	Store(ebx, ReturnIndex(0))
	Store(ecx, ReturnIndex(1))
	RET()
	Generate()
}
