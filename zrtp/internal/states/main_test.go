package main

import (
	"bytes"
	"os"
	"testing"

	"sotto/zrtp"
)

// zrtp/STATES.md is what the table says today.
func TestStatesAreWritten(t *testing.T) {
	var want bytes.Buffer
	write(&want, zrtp.Transitions())
	got, err := os.ReadFile("../../STATES.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("zrtp/STATES.md is old: run go generate ./zrtp")
	}
	if n := bytes.Count(got, []byte("\n| ")); n != len(zrtp.Transitions())+2 { // with the head of the table
		t.Errorf("%d rows", n)
	}
}
