package house

import (
	"bytes"
	"path"
	"slices"
	"strings"
	"testing"
)

// auditable is what somebody reads who wants to know whether the protocol is
// right, and maxAuditable how many lines that may be without tests.
var auditable = []string{"zrtp", "zrtp/wire", "zrtp/internal/kex"}

const maxAuditable = 5000

// auditableLines counts the lines of auditable among files.
func auditableLines(files []textFile) (n int) {
	for _, f := range files {
		switch ext := path.Ext(f.path); {
		case !slices.Contains(auditable, path.Dir(f.path)), strings.HasSuffix(f.path, "_test.go"):
		case ext == ".go" || ext == ".s":
			n += bytes.Count(f.text, []byte("\n"))
		}
	}
	return n
}

func TestAuditableLines(t *testing.T) {
	n := auditableLines(textFiles(t))
	t.Logf("%d lines in %v", n, auditable)
	if n >= maxAuditable || n < 1000 {
		t.Errorf("%d lines, want some, and fewer than %d", n, maxAuditable)
	}
}

func TestAuditableLinesCounts(t *testing.T) {
	three := []byte("a\nb\nc\n")
	files := []textFile{{"zrtp/a.go", three}, {"zrtp/a_test.go", three}, {"zrtp/wire/b.go", three}, {"zrtp/audit/c.go", three}, {"zrtp/internal/kex/d.s", three}}
	if n := auditableLines(files); n != 9 {
		t.Errorf("%d lines", n)
	}
}
