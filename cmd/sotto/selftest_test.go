package main

import (
	"errors"
	"strings"
	"testing"
)

func TestSelfTest(t *testing.T) {
	p := start(t, "selftest")
	wantSuccess(t, p)
	lines := strings.Split(strings.TrimSpace(p.stdout.String()), "\n")
	if want := 1 + len(primitiveChecks()) + len(systemChecks()); len(lines) != want || !strings.HasPrefix(lines[0], "machine ") {
		t.Errorf("%d lines, want %d:\n%s", len(lines), want, p.stdout.String())
	}
	for _, line := range lines[1:] {
		if !strings.HasPrefix(line, "ok ") {
			t.Error(line)
		}
	}
}

// A check that fails is told, and does not keep the others from running.
func TestSelfTestFails(t *testing.T) {
	var b strings.Builder
	ran := false
	err := selfTest(&b, []check{
		{"broken", func() error { return errors.New("two\nlines") }},
		{"whole", func() error { ran = true; return nil }},
	})
	var f *failure
	if !errors.As(err, &f) || f.code != exitFailed || !strings.Contains(err.Error(), "broken") || !ran {
		t.Errorf("%v, ran %t", err, ran)
	}
	if !strings.Contains(b.String(), "FAILED   broken: two lines\nok       whole\n") {
		t.Error(b.String())
	}
}

// The comparisons of the self-test can tell right from wrong.
func TestSelfTestCompares(t *testing.T) {
	if expect([]byte{1, 2}, "0102") != nil || expect([]byte{1, 2}, "0103") == nil || expect(nil, "00") == nil {
		t.Error("expect takes wrong answers")
	}
	if err := checkHandshake("X255", "B64"); err == nil {
		t.Error("a handshake without a SAS type succeeds")
	}
}

func TestVersion(t *testing.T) {
	p := start(t, "version")
	wantSuccess(t, p)
	if got := p.stdout.String(); !strings.HasPrefix(got, "sotto ") || strings.Count(got, "\n") != 1 {
		t.Errorf("%q", got)
	}
}
