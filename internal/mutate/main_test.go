package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Each mutant's snippet stands where the table says, once, so that the table
// follows the code. Whether a test notices is for make mutate.
func TestSnippets(t *testing.T) {
	all := slices.Concat(zrtpMutants(), messageMutants(), engineMutants(), mediaMutants(), opusMutants(), protectMutants(), routeMutants(), sipMutants())
	if len(all) < 60 {
		t.Errorf("only %d mutants", len(all))
	}
	for _, m := range all {
		text, err := os.ReadFile(filepath.Join("../..", m.file))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), m.was); n != 1 || m.becomes == m.was || m.tests == "" {
			t.Errorf("%s: found %d times", m, n)
		}
	}
}

func TestOff(t *testing.T) {
	for cond, want := range map[string]string{
		"a || b":                 "if false && (a || b) {",
		"err := f(); err != nil": "if err := f(); false && (err != nil) {",
	} {
		if m := off("f.go", cond, "T"); m.was != "if "+cond+" {" || m.becomes != want {
			t.Errorf("%q becomes %q", m.was, m.becomes)
		}
	}
}
