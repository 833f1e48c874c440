package main

import (
	"strings"
	"testing"
)

func TestVerdict(t *testing.T) {
	const (
		passed  = "    --- PASS: TestSum/avx512/AES-128 (0.00s)\n"
		other   = "    --- PASS: TestSum/shani/AES-128 (0.00s)\n"
		skipped = "    --- SKIP: TestSum/avx512/AES-128 (0.00s)\n"
		failed  = "    --- FAIL: TestSum/avx512/AES-128 (0.00s)\n"
	)
	for name, c := range map[string]struct{ printed, complaint string }{
		"passes":            {"@avx512 begins a\n" + other + passed + "@avx512 ends a 0\n", ""},
		"of a terminal":     {"@avx512 begins a\r\n" + strings.ReplaceAll(passed, "\n", "\r\n") + "@avx512 ends a 0\r\n", ""},
		"fails":             {"@avx512 begins a\n" + passed + failed + "@avx512 ends a 1\n", "tests failed with exit code 1"},
		"killed":            {"@avx512 begins a\n" + passed + "@avx512 ends a -1\n", "tests failed with exit code -1"},
		"another tier":      {"@avx512 begins a\n" + other + "@avx512 ends a 0\n", "no test of the tier avx512 has run"},
		"skipped":           {"@avx512 begins a\n" + skipped + "@avx512 ends a 0\n", "no test of the tier avx512 has run"},
		"no test":           {"@avx512 begins a\n@avx512 ends a 0\n", "no test of the tier avx512 has run"},
		"in a name":         {"@avx512 begins a\n--- PASS: TestAvx512 (0.00s)\n--- PASS: Test/avx5120 (0.00s)\n@avx512 ends a 0\n", "no test of the tier avx512 has run"},
		"of another":        {"@avx512 begins b\n" + passed + "@avx512 ends b 0\n@avx512 begins a\n@avx512 ends a 0\n", "no test of the tier avx512 has run"},
		"never ends":        {"@avx512 begins a\n" + passed, "have not ended"},
		"never begins":      {"Kernel panic - not syncing: no working init found\n", "have not ended"},
		"an exit code less": {"@avx512 begins a\n" + passed + "@avx512 ends a\n", "tests failed with exit code"},
	} {
		t.Run(name, func(t *testing.T) {
			var shown strings.Builder
			v := &verdict{out: &shown}
			if err := v.read(strings.NewReader(c.printed)); err != nil {
				t.Fatal(err)
			}
			err := v.err([]suite{{pkg: "a"}})
			if c.complaint == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if c.complaint != "" && (err == nil || !strings.Contains(err.Error(), c.complaint)) {
				t.Errorf("%v, not %q", err, c.complaint)
			}
		})
	}
}

// What failed is shown, and of a machine that stopped the last that it said.
func TestVerdictShows(t *testing.T) {
	for _, printed := range []string{
		"@avx512 begins a\nSIGILL: illegal instruction\n@avx512 ends a 2\n",
		"@avx512 begins a\nSIGILL: illegal instruction\n",
		"SIGILL: illegal instruction\n",
	} {
		var shown strings.Builder
		v := &verdict{out: &shown}
		if err := v.read(strings.NewReader(printed)); err != nil {
			t.Fatal(err)
		}
		if err := v.err([]suite{{pkg: "a"}}); err == nil || !strings.Contains(shown.String(), "SIGILL") {
			t.Errorf("%q: %v, and shows %q", printed, err, shown.String())
		}
	}
}
