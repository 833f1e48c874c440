package tier

import (
	"slices"
	"testing"
)

func TestChoose(t *testing.T) {
	has := Available()
	if has[0] != Go || !slices.IsSorted(has) {
		t.Fatalf("available: %v", has)
	}
	for name, want := range map[string]Tier{"": has[len(has)-1], "go": Go, "none": Go} {
		if got := choose(name); got != want {
			t.Errorf("%q chooses %v, want %v", name, got, want)
		}
	}
	for tier := Go; tier <= AVX512; tier++ {
		want := Go
		if slices.Contains(has, tier) {
			want = tier
		}
		if got := choose(tier.String()); got != want {
			t.Errorf("%v chooses %v, want %v", tier, got, want)
		}
	}
}
