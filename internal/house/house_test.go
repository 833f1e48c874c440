package house

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the module's folder as seen from this package's.
const root = "../.."

// generated are folders at the root that hold what the Makefile's targets made.
var generated = []string{".git", "bin", "out"}

// textFile is one file of the repository that is not binary.
type textFile struct {
	path string // below the root, with slashes
	text []byte
}

// textFiles returns every text file of the repository.
func textFiles(t *testing.T) []textFile {
	t.Helper()
	var files []textFile
	err := fs.WalkDir(os.DirFS(root), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch skip := slices.Contains(generated, p); {
		case skip && d.IsDir():
			return fs.SkipDir
		case skip, !d.Type().IsRegular(): // .git is a file in a linked worktree
			return nil
		}
		text, err := os.ReadFile(filepath.Join(root, p))
		if err == nil && bytes.IndexByte(text, 0) < 0 {
			files = append(files, textFile{p, text})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// goFile is one parsed Go file of the module.
type goFile struct {
	textFile
	fset   *token.FileSet
	syntax *ast.File
}

func (f goFile) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// pkg is the folder of the file below the root, which is its import path
// below the module's.
func (f goFile) pkg() string { return path.Dir(f.path) }

// line is where pos stands, as path:line.
func (f goFile) line(pos token.Pos) string {
	p := f.fset.Position(pos)
	p.Column = 0
	return p.String()
}

// parse reads one Go file with its comments.
func parse(t *testing.T, text textFile) goFile {
	t.Helper()
	fset := token.NewFileSet()
	syntax, err := parser.ParseFile(fset, text.path, text.text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return goFile{text, fset, syntax}
}

// goFiles returns every Go file that the go command would look at under some
// set of build tags.
func goFiles(t *testing.T) []goFile {
	t.Helper()
	var files []goFile
	for _, text := range textFiles(t) {
		if path.Ext(text.path) == ".go" && !ignoredByGo(text.path) {
			files = append(files, parse(t, text))
		}
	}
	if len(files) == 0 {
		t.Fatalf("no Go file found below %s", root)
	}
	return files
}

func ignoredByGo(p string) bool {
	for elem := range strings.SplitSeq(p, "/") {
		if elem == "testdata" || elem[0] == '_' || elem[0] == '.' {
			return true
		}
	}
	return false
}
