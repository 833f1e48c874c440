package processor

import (
	"os"
	"path/filepath"
	"testing"
)

func TestName(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cpuinfo")
	if err := os.WriteFile(file, []byte("processor\t: 0\nmodel\t\t: 7\nmodel name\t: Abacus 2\nmodel name\t: other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := Name(file); got != "Abacus 2" {
		t.Errorf("%q", got)
	}
	if got := Name(file + "x"); got != "unknown" {
		t.Errorf("%q", got)
	}
}
