// Package tier says which instructions the packages beside it use. That is
// settled once, when the program starts.
package tier

import "os"

// Tier is a set of instructions. Each one includes those before it.
type Tier uint8

const (
	// Go is the standard library alone: the only tier under the build tag purego
	// and on processors that are no amd64.
	Go Tier = iota
	// AESNI is AES-NI, PCLMULQDQ and AVX2. SHA-1 of one packet is the standard
	// library's; that of several goes in eight lanes.
	AESNI
	// SHANI adds SHA-NI, and VAES and VPCLMULQDQ where the processor has them.
	SHANI
	// AVX512 adds AVX-512F, BW, DQ and VL: SHA-1 of several packets goes in sixteen
	// lanes.
	AVX512
)

// Variable is the environment variable that names a tier to be used instead of
// the best one. A name that means no tier, or one that this processor cannot
// run, means go: it runs everywhere, and to refuse to start would help nobody.
const Variable = "SOTTO_SRTP_TIER"

var names = [...]string{"go", "aesni", "shani", "avx512"}

// String is the name that Variable knows the tier by.
func (t Tier) String() string { return names[t] }

var best = choose(os.Getenv(Variable))

// Best is the tier of new keys.
func Best() Tier { return best }

// Available lists the tiers that this processor can run, Variable aside.
func Available() []Tier {
	has := []Tier{Go}
	for t := AESNI; t <= AVX512 && t.runs(); t++ {
		has = append(has, t)
	}
	return has
}

func choose(name string) Tier {
	has := Available()
	if name == "" {
		return has[len(has)-1]
	}
	for _, t := range has {
		if t.String() == name {
			return t
		}
	}
	return Go
}
