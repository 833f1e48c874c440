package house

import (
	"bytes"
	"path"
	"strings"
	"testing"
)

// portion is a part of the repository that somebody reads as a whole, so it may
// not grow.
type portion struct {
	name    string
	has     func(p string) bool // whether the file at p, which is not a test, is of it
	atLeast int                 // lines; fewer mean that the portion has moved
	below   int
}

// portions are what somebody reads who wants to know whether the protocol is
// right, and whether the assembly is: what writes it, and what it is held against.
var portions = []portion{
	{"key agreement", in(".go .s", "zrtp", "zrtp/wire", "zrtp/internal/kex"), 1000, 5000},
	{"generators of SRTP's assembly", in(".go", "media/protect/_asm", "media/protect/_asm/cm", "media/protect/_asm/gcm"), 500, 1500},
	{"their twins", twin, 200, 600},
}

// in has the files of folders whose extension is among those named.
func in(extensions string, folders ...string) func(p string) bool {
	return func(p string) bool {
		for _, folder := range folders {
			if path.Dir(p) == folder {
				return path.Ext(p) != "" && strings.Contains(extensions+" ", path.Ext(p)+" ")
			}
		}
		return false
	}
}

// twin has what the build tag purego leaves of cm, gcm and tier.
func twin(p string) bool {
	return in(".go", "media/protect/internal/cm", "media/protect/internal/gcm", "media/protect/internal/tier")(p) &&
		!strings.HasSuffix(p, "_amd64.go")
}

func (part portion) lines(files []textFile) (n int) {
	for _, f := range files {
		if part.has(f.path) && !strings.HasSuffix(f.path, "_test.go") {
			n += bytes.Count(f.text, []byte("\n"))
		}
	}
	return n
}

func TestPortions(t *testing.T) {
	files := textFiles(t)
	for _, part := range portions {
		n := part.lines(files)
		t.Logf("%s: %d lines", part.name, n)
		if n < part.atLeast || n >= part.below {
			t.Errorf("%s: %d lines, want %d at least, and fewer than %d", part.name, n, part.atLeast, part.below)
		}
	}
}

func TestPortionsCount(t *testing.T) {
	three := []byte("a\nb\nc\n")
	var files []textFile
	for _, p := range []string{
		"zrtp/a.go", "zrtp/a_test.go", "zrtp/wire/b.go", "zrtp/audit/c.go", "zrtp/internal/kex/d.s", "zrtp/README",
		"media/protect/_asm/cm/main.go", "media/protect/_asm/go.mod", "media/protect/_asm/gcm/main.go",
		"media/protect/internal/cm/keys.go", "media/protect/internal/cm/keys_amd64.go", "media/protect/internal/cm/keys_amd64.s",
		"media/protect/internal/gcm/keys.go", "media/protect/internal/tier/tier.go", "media/protect/keys.go",
	} {
		files = append(files, textFile{p, three})
	}
	for i, want := range []int{9, 6, 9} {
		if n := portions[i].lines(files); n != want {
			t.Errorf("%s: %d lines, want %d", portions[i].name, n, want)
		}
	}
}
