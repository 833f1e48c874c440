package route_test

import (
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
	"testing"
)

// only finds packages of the standard library and the one that is tried.
type only struct {
	standard types.Importer
	route    *types.Package
}

func (o only) Import(path string) (*types.Package, error) {
	if path == "sotto/media/route" {
		return o.route, nil
	}
	return o.standard.Import(path)
}

// sources are the files of this package as a program gets them: without tests,
// and without what only a build tag adds.
func sources(t *testing.T, fset *token.FileSet) []*ast.File {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if built, err := build.Default.MatchFile(".", name); err != nil || !built || strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// No other package can make a valid Verified, a fact of its own or trust in a
// null device: it does not compile.
func TestAdversary_F3_ForgeriesDoNotCompile(t *testing.T) {
	fset := token.NewFileSet()
	imports := only{standard: importer.ForCompiler(fset, "source", nil)}
	var err error
	if imports.route, err = (&types.Config{Importer: imports}).Check("sotto/media/route", fset, sources(t, fset), nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ code, complaint string }{
		{`var v = route.Verified{}`, ""}, // says nothing, see TestZeroVerifiedIsNotValid
		{`var v, err = route.Policy{}.Verify(route.Route{Class: route.Internal})`, ""},
		{`var v = route.Verified{holds: nil}`, "holds"},
		{`var v = route.Verified{nil}`, "implicit assignment to unexported field"},
		{`var v = route.Verified{true}`, "implicit assignment to unexported field"},
		{`func f(v route.Verified) { v.holds = new(atomic.Bool) }`, "holds"},
		{`var v = route.Verified(struct{ holds *atomic.Bool }{})`, "cannot convert"},
		{`type mine struct{ holds *atomic.Bool }; var v = route.Verified(mine{})`, "cannot convert"},
		{`func (route.Verified) Valid() bool { return true }`, "cannot define new methods"},
		{`type mine struct{ route.Verified }; func (mine) Valid() bool { return true }; var v route.Verified = mine{}`, "cannot use"},
		{`type mine struct{}; func (mine) fact() {}; var f route.Fact = mine{}`, "fact"},
		{`func init() { route.TrustNull("builtin_speaker", route.BuiltinSpeaker) }`, "TrustNull"},
	} {
		file, err := parser.ParseFile(fset, "other.go", "package other\nimport \"sotto/media/route\"\nimport \"sync/atomic\"\nvar _ atomic.Bool\nvar _ route.Class\n"+c.code, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = (&types.Config{Importer: imports}).Check("other", fset, []*ast.File{file}, nil)
		if c.complaint == "" && err != nil || c.complaint != "" && (err == nil || !strings.Contains(err.Error(), c.complaint)) {
			t.Errorf("%s: %v", c.code, err)
		}
	}
}
