package house

import (
	"go/ast"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pure lists the packages that never read a clock and never start a goroutine:
// time comes in as an argument, and engine or a sound card calls them.
var pure = []string{
	"codecs", "codecs/g711", "codecs/g722", "codecs/opus", "codecs/plc",
	"media", "media/audio", "media/jitter", "media/protect", "media/protect/internal/cm", "media/protect/internal/gcm", "media/route", "media/timescale",
	"sip/sdp",
	"zrtp", "zrtp/audit", "zrtp/internal/kex", "zrtp/wire",
}

// filing lists the pure packages that may open files.
var filing = []string{"media/audio", "media/route"}

var (
	clocks  = []string{"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"}
	outside = []string{"log", "log/slog", "net", "os", "syscall"}
)

// impurities says what in f touches the world outside, one line each.
func impurities(f goFile) []string {
	var found []string
	if !slices.Contains(filing, f.pkg()) {
		for _, spec := range f.syntax.Imports {
			if imp, _ := strconv.Unquote(spec.Path.Value); slices.Contains(outside, imp) {
				found = append(found, f.line(spec.Pos())+": imports "+imp)
			}
		}
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found = append(found, f.line(n.Pos())+": starts a goroutine")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clocks, n.Sel.Name) {
				found = append(found, f.line(n.Pos())+": reads the clock with time."+n.Sel.Name)
			}
		}
		return true
	})
	return found
}

// TestSansIO holds the packages listed in pure to their promise.
func TestSansIO(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.isTest() || !slices.Contains(pure, f.pkg()) {
			continue
		}
		for _, line := range impurities(f) {
			t.Error(line)
		}
	}
}

func TestSansIORefuses(t *testing.T) {
	const src = "package p\nimport \"net\"\nimport \"time\"\nfunc f() time.Time {\n\tgo f()\n\treturn time.Now()\n}\nvar _ net.Addr\n"
	want := []string{
		"zrtp/p.go:2: imports net",
		"zrtp/p.go:5: starts a goroutine",
		"zrtp/p.go:6: reads the clock with time.Now",
	}
	if got := impurities(parse(t, textFile{"zrtp/p.go", []byte(src)})); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
