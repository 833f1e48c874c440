package house

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	sectionPattern = `(?:[A-Z]|\d+)(?:\.\d+)*`
	rfcLists       = "testdata/rfc"
)

var (
	section = regexp.MustCompile(`^` + sectionPattern + `$`)
	// A citation may go on: "RFC 6189 §4.2, §4.3 and §5".
	citation = regexp.MustCompile(`RFC (\d+) (§` + sectionPattern + `(?:(?:, | and |, and | to |–|-)§` + sectionPattern + `)*)`)
	// Other documents are cited the same way: "TS 26.114 §8.2.3".
	otherDocument = regexp.MustCompile(`[\w.-]*\d[\w.-]* §` + sectionPattern)
	malformed     = regexp.MustCompile(`RFC-?\d+|RFC \d+,? (?i:section|sec\.|appendix)\b|\b(?i:sections?|appendix) ` + sectionPattern + ` of RFC`)
)

// sectionLists knows which sections each RFC has.
type sectionLists map[string][]string

// check returns what is wrong with the citations in text, one line each, and
// how many sections are cited in it.
func (lists sectionLists) check(text string) (wrong []string, cited int) {
	text = strings.Join(strings.Fields(text), " ")
	for _, m := range malformed.FindAllString(text, -1) {
		wrong = append(wrong, fmt.Sprintf("%q: write RFC nnnn §x", m))
	}
	for _, m := range citation.FindAllStringSubmatch(text, -1) {
		rfc := m[1]
		list, ok := lists[rfc]
		if !ok {
			wrong = append(wrong, fmt.Sprintf("RFC %s has no section list: make one from its text with scripts/rfc-sections < rfc%s.txt > internal/house/%s/rfc%s.txt", rfc, rfc, rfcLists, rfc))
			continue
		}
		for _, s := range strings.Split(m[2], "§")[1:] {
			s = strings.TrimRight(strings.Fields(s)[0], ",–-")
			cited++
			if !slices.Contains(list, s) {
				wrong = append(wrong, fmt.Sprintf("RFC %s has no §%s", rfc, s))
			}
		}
	}
	rest := otherDocument.ReplaceAllString(citation.ReplaceAllString(text, ""), "")
	if _, after, bare := strings.Cut(rest, "§"); bare {
		wrong = append(wrong, fmt.Sprintf("§%.12s…: say of which RFC", after))
	}
	return wrong, cited
}

// loadSectionLists reads the lists, one file an RFC, one section a line.
func loadSectionLists(t *testing.T) sectionLists {
	t.Helper()
	lists := sectionLists{}
	entries, err := os.ReadDir(rfcLists)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(path.Join(rfcLists, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		list := strings.Fields(string(text))
		if len(list) == 0 {
			t.Errorf("%s: empty", e.Name())
		}
		for _, s := range list {
			if !section.MatchString(s) {
				t.Errorf("%s: %q is no section number", e.Name(), s)
			}
		}
		lists[strings.TrimSuffix(strings.TrimPrefix(e.Name(), "rfc"), ".txt")] = list
	}
	return lists
}

// TestRFCRefs checks that each RFC section named in a comment or a Markdown
// file exists, and that it is cited in the one form that can be checked.
func TestRFCRefs(t *testing.T) {
	lists := loadSectionLists(t)
	total := 0
	report := func(where, text string) {
		wrong, cited := lists.check(text)
		total += cited
		for _, w := range wrong {
			t.Errorf("%s: %s", where, w)
		}
	}
	for _, f := range goFiles(t) {
		for _, group := range f.syntax.Comments {
			report(f.line(group.Pos()), group.Text())
		}
	}
	for _, f := range textFiles(t) {
		if path.Ext(f.path) == ".md" {
			report(f.path, string(f.text))
		}
	}
	if total == 0 {
		t.Error("no citation found at all: the check does not look where the code is")
	}
	t.Logf("%d citations read", total)
}

func TestRFCRefsRefuses(t *testing.T) {
	lists := sectionLists{"6189": {"4", "4.4.1", "5"}, "3550": {"A.8"}}
	for text, want := range map[string]string{
		"as RFC 6189 §4.4.1. And RFC 3550 §A.8": "",
		"RFC 6189\n§4.4.1, §4 and §5; RFC 9999": "",
		"3GPP TS 26.114 §8.2.3 and ITU-T G.711": "",
		"RFC 6189 §4.4.2":                       "RFC 6189 has no §4.4.2",
		"RFC 6189 §4, §6":                       "RFC 6189 has no §6",
		"RFC 1234 §1":                           "RFC 1234 has no section list",
		"see §4.4.1":                            "say of which RFC",
		"RFC6189":                               "write RFC nnnn §x",
		"RFC 6189, Section 4":                   "write RFC nnnn §x",
		"section 4.4.1 of RFC 6189":             "write RFC nnnn §x",
	} {
		wrong, _ := lists.check(text)
		if got := strings.Join(wrong, "; "); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if _, err := fs.Stat(os.DirFS(rfcLists), "rfc6189.txt"); errors.Is(err, fs.ErrNotExist) {
		t.Error("the list of RFC 6189 is missing")
	}
}
