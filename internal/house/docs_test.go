package house

import (
	"regexp"
	"strings"
	"testing"
)

var testName = regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z0-9_]*)`")

// TestDocsNameTests: a text that refers to a test refers to one that is there.
func TestDocsNameTests(t *testing.T) {
	known := map[string]bool{}
	for _, f := range goFiles(t) {
		if f.isTest() {
			for name := range functions(f) {
				known[name] = true
			}
		}
	}
	named := 0
	for _, f := range textFiles(t) {
		if !strings.HasPrefix(f.path, "docs/") {
			continue
		}
		for _, m := range testName.FindAllStringSubmatch(string(f.text), -1) {
			if named++; !known[m[1]] {
				t.Errorf("%s: there is no %s", f.path, m[1])
			}
		}
	}
	if named == 0 {
		t.Error("no test is named in docs")
	}
}
