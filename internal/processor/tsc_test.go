package processor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Linux and this package see the same bits of CPUID.
func TestLeaves(t *testing.T) {
	if highest, _, _, _ := cpuid(0, 0); highest == 0 {
		t.Skip("no CPUID in this build")
	}
	text, err := os.ReadFile(CPUInfo)
	if err != nil {
		t.Skip(err)
	}
	_, line, _ := strings.Cut(string(text), "\nflags")
	line, _, _ = strings.Cut(line, "\n")
	flags := strings.Fields(line)
	for flag, has := range map[string]bool{"sha_ni": HasSHA, "nonstop_tsc": invariantTSC, "fpu": true} {
		if slices.Contains(flags, flag) != has {
			t.Errorf("%s: %t here, and Linux has %v", flag, has, flags)
		}
	}
	for _, beyond := range []uint32{0x7fffffff, 0xffffffff} {
		if b, c, d := leaf(beyond); b|c|d != 0 {
			t.Errorf("leaf %#x has %#x %#x %#x", beyond, b, c, d)
		}
	}
}

func TestHasTSC(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]bool{"tsc": invariantTSC, "kvm-clock": false, "tsc-early": false, "": false} {
		file := filepath.Join(dir, "source-"+name)
		if err := os.WriteFile(file, []byte(name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := HasTSC(file); got != want {
			t.Errorf("%q: %t, want %t", name, got, want)
		}
	}
	if HasTSC(filepath.Join(dir, "missing")) {
		t.Error("Linux tells the time by nothing")
	}
}

// The counter goes forward, with its upper half, where there is one.
func TestTSC(t *testing.T) {
	if !HasTSC(Clocksource) {
		t.Skip("no time stamp counter that tells the time")
	}
	first := TSC()
	last := first
	for range 1000 {
		next := TSC()
		if next < last {
			t.Fatalf("%#x after %#x", next, last)
		}
		last = next
	}
	if last == first || last>>32 == 0 || last>>32-first>>32 > 1<<8 { // some seconds after the machine began; some minutes
		t.Errorf("from %#x to %#x", first, last)
	}
}
