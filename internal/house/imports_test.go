package house

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "sotto/"

// anyTest is the row of the table for what test files may import besides
// their package's row; a package's name before it makes a row for its tests.
const anyTest = "*_test.go"

// wall is one row of the table in ARCHITECTURE.md.
type wall struct {
	may  []string // packages of ours; "x/..." is x and all below it
	owns []string // modules of others that no other package imports
}

var quoted = regexp.MustCompile("`([^`]+)`")

// parseWalls reads the rows "| `package` | `may` `import` | `modules` |" of a
// Markdown text.
func parseWalls(markdown string) (map[string]wall, error) {
	walls := map[string]wall{}
	owner := map[string]string{}
	for line := range strings.Lines(markdown) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 5 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		pkg := words(cells[1])[0]
		if _, twice := walls[pkg]; twice {
			return nil, fmt.Errorf("two rows for %s", pkg)
		}
		w := wall{may: words(cells[2]), owns: words(cells[3])}
		for _, m := range w.owns {
			if other, twice := owner[m]; twice && m != "C" { // which is no module
				return nil, fmt.Errorf("%s belongs to both %s and %s", m, other, pkg)
			}
			owner[m] = pkg
		}
		walls[pkg] = w
	}
	return walls, nil
}

// words returns what stands between backquotes in s.
func words(s string) []string {
	var found []string
	for _, m := range quoted.FindAllStringSubmatch(s, -1) {
		found = append(found, m[1])
	}
	return found
}

// allows reports whether the package at p may be imported.
func (w wall) allows(p string) bool {
	return slices.ContainsFunc(w.may, func(m string) bool {
		tree, ok := strings.CutSuffix(m, "...")
		return m == p || ok && (strings.HasPrefix(p, tree) || p+"/" == tree)
	})
}

// owned returns the module of w that holds the package imp, or "".
func (w wall) owned(imp string) string {
	for _, m := range w.owns {
		if imp == m || strings.HasPrefix(imp, m+"/") {
			return m
		}
	}
	return ""
}

// crossing says in words why a file of pkg may not import imp, or returns "".
func crossing(walls map[string]wall, pkg, imp string, test bool) string {
	w, ok := walls[pkg]
	if !ok {
		return "package " + pkg + " has no row in the table of ARCHITECTURE.md"
	}
	if own, ok := strings.CutPrefix(imp, module); ok {
		if own == pkg || w.allows(own) || test && (walls[anyTest].allows(own) || walls[pkg+"/"+anyTest].allows(own)) {
			return ""
		}
		return pkg + " may not import " + own
	}
	first, _, _ := strings.Cut(imp, "/")
	standard := !strings.Contains(first, ".") && imp != "C"
	if standard || w.owned(imp) != "" {
		return ""
	}
	return pkg + " may not import " + imp + ": see the table of ARCHITECTURE.md for the one package that may"
}

// TestImports holds every import of every file, tests included, against the
// table in ARCHITECTURE.md, and the table against the tree: a row without a
// package, or a module that its owner does not import, is stale.
func TestImports(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	walls, err := parseWalls(string(text))
	if err != nil {
		t.Fatal("ARCHITECTURE.md:", err)
	}
	used := map[string]bool{anyTest: true}
	for _, f := range goFiles(t) {
		used[f.pkg()] = true
		used[f.pkg()+"/"+anyTest] = true
		for _, spec := range f.syntax.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if why := crossing(walls, f.pkg(), imp, f.isTest()); why != "" {
				t.Errorf("%s: %s", f.line(spec.Pos()), why)
			}
			used[walls[f.pkg()].owned(imp)] = true
		}
	}
	for pkg, w := range walls {
		for _, name := range append(w.owns, pkg) {
			if !used[name] {
				t.Errorf("ARCHITECTURE.md: the row of %s is stale: there is no %s", pkg, name)
			}
		}
	}
}

func TestImportsRefuses(t *testing.T) {
	walls, err := parseWalls("| package | may import | owns |\n|---|---|---|\n" +
		"| `engine` | `sip` `media/...` | – |\n" +
		"| `sip` | – | `github.com/emiago/sipgo` |\n" +
		"| `sip/*_test.go` | `codecs` | – |\n" +
		"| `*_test.go` | `internal/kat` | – |\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		pkg, imp string
		test     bool
		ok       bool
	}{
		{"engine", "sotto/sip", false, true},
		{"engine", "sotto/media", false, true},
		{"engine", "sotto/media/jitter", false, true},
		{"engine", "sotto/mediaplus", false, false},
		{"engine", "sotto/sip/sdp", false, false},
		{"engine", "sotto/engine", true, true},
		{"engine", "sotto/internal/kat", false, false},
		{"engine", "sotto/internal/kat", true, true},
		{"engine", "net/http", false, true},
		{"engine", "C", false, false},
		{"engine", "github.com/emiago/sipgo", false, false},
		{"sip", "github.com/emiago/sipgo/sip", false, true},
		{"sip", "github.com/emiago/sipgo2", false, false},
		{"sip", "sotto/engine", false, false},
		{"sip", "sotto/codecs", false, false},
		{"sip", "sotto/codecs", true, true},
		{"engine", "sotto/codecs", true, false},
		{"nowhere", "fmt", false, false},
	} {
		if why := crossing(walls, c.pkg, c.imp, c.test); (why == "") != c.ok {
			t.Errorf("%s imports %s (test %t): got %q", c.pkg, c.imp, c.test, why)
		}
	}
	for _, bad := range []string{
		"| `a` | – | – |\n| `a` | – | – |\n",
		"| `a` | – | `x.org/m` |\n| `b` | – | `x.org/m` |\n",
	} {
		if _, err := parseWalls(bad); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
	if _, err := parseWalls("| `a` | – | `C` |\n| `b` | – | `C` |\n"); err != nil {
		t.Errorf("two packages have C: %v", err)
	}
}
