//go:build !purego

package curve448

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"testing"

	"sotto/internal/processor"
)

// TestAssembly holds the assembly against its twin in Go, limb by limb, on
// tight and loose operands.
func TestAssembly(t *testing.T) {
	if !processor.HasADX {
		t.Skip("this processor lacks ADX or BMI2: the assembly is not run here")
	}
	for range 20_000 {
		x, y := randomElement(looseLimb), randomElement(looseLimb)
		var want, got element
		mulGo(&want, &x, &y)
		if mulADX(&got, &x, &y); got != want {
			t.Fatalf("%x · %x\nassembly %x\nGo       %x", x, y, got, want)
		}
		mulGo(&want, &x, &x)
		if sqrADX(&got, &x); got != want {
			t.Fatalf("%x squared\nassembly %x\nGo       %x", x, got, want)
		}
		got = x
		if sqrADX(&got, &got); got != want {
			t.Fatalf("%x squared in place is %x, want %x", x, got, want)
		}
	}
}

// TestRegisters: the generator's register allocation knows of 32 vector
// registers, of which the upper half needs AVX-512.
func TestRegisters(t *testing.T) {
	source, err := os.ReadFile("field_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(source, []byte("VPMULDQ")) {
		t.Error("there is no AVX2 at all")
	}
	if found := regexp.MustCompile(`\b([XY](1[6-9]|2\d|3[01])|[ZK]\d+)\b`).Find(source); found != nil {
		t.Errorf("%s needs AVX-512", found)
	}
}

// tightQuad is the largest limb that AVX2 takes and returns.
const tightQuad = 1<<(radix/2) + 1<<10

// randomQuad has limbs up to most; often a lane is all 0 or all most.
func randomQuad(most uint64) (q quad) {
	for lane := range lanes {
		kind := rand.IntN(4)
		for i := range q {
			q[i][lane] = [4]uint64{0, most, rand.Uint64N(2) * most, rand.Uint64N(most + 1)}[kind]
		}
	}
	return q
}

// extremeQuad has the lanes that are set in largest all at the largest limbs, and
// nothing in the others. Among all of these are the sums and differences that lead
// to the largest columns there can be, and to those farthest below 0.
func extremeQuad(largest int) (q quad) {
	for i := range q {
		for lane := range lanes {
			q[i][lane] = uint64(largest>>lane&1) * tightQuad
		}
	}
	return q
}

// checkQuad holds lanes against elements modulo p, and their limbs.
func checkQuad(t *testing.T, q *quad, want ...*element) {
	t.Helper()
	for i := range q {
		if slices.Max(q[i][:]) > tightQuad {
			t.Fatalf("limb %d is too large: %x", i, q[i])
		}
	}
	var got [lanes]element
	split(q, &got[0], &got[1], &got[2], &got[3])
	for lane := range got {
		if g, w := toBytes(&got[lane]), toBytes(want[lane]); g != w {
			t.Fatalf("lane %d is %x, want %x", lane, g, w)
		}
	}
}

func TestLadderAssembly(t *testing.T) {
	if !processor.HasAVX2 {
		t.Skip("this processor lacks AVX2: the assembly is not run here")
	}
	for i := range 500 {
		state, x1 := randomQuad(tightQuad), randomQuad(mask>>(radix/2))
		if i < 1<<lanes {
			state = extremeQuad(i)
		}
		var want ladder
		split(&state, &want.x2, &want.z2, &want.x3, &want.z3)
		split(&x1, &want.x1)
		scalar := [8 * Size / 64]uint64{rand.Uint64() &^ 1, rand.Uint64(), rand.Uint64(), 6: rand.Uint64()}
		var k [Size]byte
		for i, word := range scalar {
			binary.LittleEndian.PutUint64(k[8*i:], word)
		}
		want.climbGo(&k)
		prepared := oneProduct(&want.x1)
		ladderAVX2(&state, &prepared, &scalar)
		checkQuad(t, &state, &want.x2, &want.z2, &want.x3, &want.z3)
	}
}

func TestCombAssembly(t *testing.T) {
	if !processor.HasAVX2 {
		t.Skip("this processor lacks AVX2: the assembly is not run here")
	}
	for i := range 200 {
		q := randomQuad(tightQuad)
		if i < 1<<lanes {
			q = extremeQuad(i)
		}
		var want point
		split(&q, &want.x, &want.t, &want.z, &want.y)
		var table combTable
		var d digits
		for b := range table {
			for i := range table[b] {
				var parts [lanes]element
				random := randomQuad(mask >> (radix / 2))
				split(&random, &parts[0], &parts[1], &parts[2], &parts[3])
				join(&table[b][i], &parts[0], &parts[1], &element{}, &parts[3])
			}
			for round := range d {
				d[round][b] = rand.Uint32N(1<<(teeth-1)) | rand.Uint32N(2)<<31
			}
		}
		want.combGo(&table, &d)
		combAVX2(&q, &table, &d)
		checkQuad(t, &q, &want.x, &want.t, &want.z, &want.y)
	}
}

// TestPick: every sum of the comb is found.
func TestPick(t *testing.T) {
	for index := range uint32(1 << (teeth - 1)) {
		if pick(&comb[2], index) != comb[2][index] {
			t.Errorf("%d is not found", index)
		}
	}
}
