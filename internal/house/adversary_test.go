package house

import (
	"go/ast"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// attacks are those that are run against the real thing. Each has one test or
// more whose name begins with TestAdversary_ and its number.
var attacks = map[string]string{
	"A1": "a public value that was not committed to",
	"A2": "both sides commit",
	"A3": "values used twice",
	"A4": "a KEM's nonce, key or ciphertext exchanged",
	"B1": "degenerate numbers for Diffie-Hellman",
	"B2": "points of low order",
	"B3": "points off the curve",
	"B4": "lattice keys and ciphertexts of wrong length or content",
	"C1": "lengths that lie",
	"C2": "algorithm lists that lie",
	"C3": "signatures and messages too long",
	"C4": "garbage",
	"C5": "fragments that never fit",
	"C6": "a parser that nobody has fuzzed",
	"D1": "messages repeated, reordered, replayed, reflected",
	"D2": "loss, and replies that multiply",
	"D3": "Confirms and hash images forged",
	"D4": "messages injected from off path",
	"D5": "a forged way back to clear",
	"D6": "another Hello than the announced one",
	"D7": "a Commit to what was not offered",
	"D8": "further streams",
	"E1": "a known phone without its secret",
	"E2": "a stranger in the middle",
	"E3": "a friend in the middle",
	"E4": "a verification that only one side has",
	"E5": "a store that breaks",
	"E6": "a relay that nobody has enrolled",
	"E7": "a peer that discloses its keys",
	"F1": "signalling that takes the keys away",
	"F2": "media injected in the clear, or under keys that have been replaced",
	"F3": "voice before keys",
	"F4": "everything that may arrive on one port",
	"F5": "a path that changes",
	"F6": "floods of calls, of Hellos, of devices and routes",
	"G":  "what the end of a call tells",
}

var adversaryName = regexp.MustCompile(`^TestAdversary_([A-Z][0-9]*)_[A-Z]`)

// attackOf is the attack that a test runs, or empty.
func attackOf(test string) string {
	if m := adversaryName.FindStringSubmatch(test); m != nil {
		return m[1]
	}
	return ""
}

// TestAttacks: no attack is without a test, and no test without its attack.
func TestAttacks(t *testing.T) {
	tests := map[string]int{}
	for _, f := range goFiles(t) {
		if !f.isTest() {
			continue
		}
		for name := range functions(f) {
			if !strings.HasPrefix(name, "TestAdversary") {
				continue
			}
			attack := attackOf(name)
			if attacks[attack] == "" {
				t.Errorf("%s: %s is of no known attack", f.path, name)
			}
			tests[attack]++
		}
	}
	for _, attack := range slices.Sorted(maps.Keys(attacks)) {
		t.Logf("%-3s %d tests: %s", attack, tests[attack], attacks[attack])
		if tests[attack] == 0 {
			t.Errorf("%s (%s) has no test", attack, attacks[attack])
		}
	}
}

func TestAttackNames(t *testing.T) {
	for name, want := range map[string]string{
		"TestAdversary_A1_CommitmentBroken": "A1", "TestAdversary_G_ByeTellsNothing": "G", "TestAdversary_E10_X": "E10",
		"TestAdversary_A1": "", "TestAdversary_B_": "", "TestAdversaryA1_X": "", "TestA1_X": "", "TestAdversary_A1_x": "",
	} {
		if got := attackOf(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// functions are the names that a file declares at its top, without methods,
// and what is behind them.
func functions(f goFile) map[string]ast.Node {
	all := map[string]ast.Node{}
	for _, d := range f.syntax.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				all[d.Name.Name] = d
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if v, ok := s.(*ast.ValueSpec); ok {
					for _, name := range v.Names {
						all[name.Name] = v
					}
				}
			}
		}
	}
	return all
}

// parsers are the packages whose exported Parse functions take bytes off the
// network, or what decides about secure mode off a disk.
var parsers = []string{"media/route", "sip/sdp", "zrtp/wire"}

// TestAdversary_C6_EveryParserIsFuzzed: each exported Parse function is reached
// from a fuzz target of its package.
func TestAdversary_C6_EveryParserIsFuzzed(t *testing.T) {
	files := goFiles(t)
	for _, pkg := range parsers {
		var own []goFile
		for _, f := range files {
			if f.pkg() == pkg {
				own = append(own, f)
			}
		}
		reached := fuzzed(own)
		found := 0
		for _, f := range own {
			for name := range functions(f) {
				if f.isTest() || !strings.HasPrefix(name, "Parse") {
					continue
				}
				if found++; !slices.Contains(reached, name) {
					t.Errorf("%s: %s is not fuzzed", f.path, name)
				}
			}
		}
		if found == 0 {
			t.Errorf("%s has no parser", pkg)
		}
	}
}

// fuzzed are the names used by the fuzz targets of these files, and by what
// these use of the same test files.
func fuzzed(files []goFile) (reached []string) {
	declared, todo := map[string]ast.Node{}, []string{}
	for _, f := range files {
		if !f.isTest() {
			continue
		}
		for name, node := range functions(f) {
			declared[name] = node
			if strings.HasPrefix(name, "Fuzz") {
				todo = append(todo, name)
			}
		}
	}
	for len(todo) > 0 {
		name := todo[0]
		if todo = todo[1:]; slices.Contains(reached, name) {
			continue
		}
		reached = append(reached, name)
		if node := declared[name]; node != nil {
			ast.Inspect(node, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && !slices.Contains(reached, id.Name) {
					todo = append(todo, id.Name)
				}
				return true
			})
		}
	}
	return reached
}

func TestFuzzedRefuses(t *testing.T) {
	file := func(name, src string) goFile {
		return parse(t, textFile{path.Join("p", name), []byte("package p\n" + src)})
	}
	files := []goFile{
		file("p.go", "func ParseA() {}; func ParseB() {}; func ParseC() {}"),
		file("p_test.go", "func FuzzA() { helper() }; func helper() { _ = forms }; var forms = []func(){p.ParseA}; func TestB() { ParseB() }"),
	}
	reached := fuzzed(files)
	if !slices.Contains(reached, "ParseA") || slices.Contains(reached, "ParseB") || slices.Contains(reached, "ParseC") {
		t.Errorf("%v", reached)
	}
}
