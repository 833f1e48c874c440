package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// The page and the plot that are committed are those of the results beside them.
func TestReportIsOfTheResults(t *testing.T) {
	text, err := os.ReadFile("results.json")
	if err != nil {
		t.Fatal(err)
	}
	r, err := parseResults(text)
	if err != nil {
		t.Fatal(err)
	}
	page, err := r.page()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]byte{"README.md": page, "srtp.svg": r.plot()} {
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs from what go run ./bench/srtp -report makes of results.json (%v)", name, err)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{[]float64{5}, 5}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5}, {[]float64{7, 7, 1, 9, 100, 2, 7}, 7}} {
		before := slices.Clone(c.of)
		if got := median(c.of); got != c.want || !slices.Equal(before, c.of) {
			t.Errorf("median of %v: %v, which leaves %v", before, got, c.of)
		}
	}
	ns, allocs := medianOf([]sample{{30, 0.5}, {31, 3}, {50, 3}, {11, 2}, {10, 2}, {90, 2}, {99, 1}, {98, 1}, {20, 1}})
	if ns != 20 || allocs != 0.5 {
		t.Errorf("%v ns, %v allocations", ns, allocs)
	}
}

// A ratio is of times of one round, even where half of the rounds are slow; slow
// turns of a round are nothing.
func TestRatio(t *testing.T) {
	var ours, theirs []sample
	for _, round := range [][2]float64{{10, 30}, {20, 60}, {10, 60}, {10, 30}} {
		for turn := range turns {
			slow := float64(1 + turn)
			ours, theirs = append(ours, sample{NS: round[0] * slow}), append(theirs, sample{NS: round[1]})
		}
	}
	if got := ratioOf(theirs, ours); got != 3 {
		t.Error(got)
	}
}

func at(f float64) *float64 { return &f }

// fakeBench has everybody but the clock; take says what each measurement gives.
func fakeBench(rounds int, take func(subject string, c cell, mode string) float64) *bench {
	b := &bench{rounds: rounds, progress: io.Discard, machine: machine{Tiers: []string{"go", "best"}}, taken: map[series][]sample{}}
	for _, name := range []string{"go", "best", pionName, libsrtpName, limitName} {
		s := subject{name: name, modes: []string{single}, close: func() error { return nil }}
		if name != pionName && name != libsrtpName {
			s.modes = []string{single, batch}
		}
		s.has = func(profile string) bool { return name != pionName || !strings.Contains(profile, "192") }
		s.take = func(c cell, mode string) (sample, error) { return sample{NS: take(name, c, mode)}, nil }
		b.subjects = append(b.subjects, s)
	}
	return b
}

func TestRows(t *testing.T) {
	const name = "AES_CM_128_HMAC_SHA1_80"
	n := map[string]int{}
	b := fakeBench(7, func(subject string, c cell, mode string) float64 {
		key := fmt.Sprint(subject, mode, c)
		turn := n[key]
		n[key]++
		noise := float64(turn / turns) // 0 to 6 in the round's fastest turn, median 3
		slower := 1.0
		if turn%turns != 1 {
			slower = 2
		}
		return slower * (map[string]float64{"go": 300, "best": 97, pionName: 401, libsrtpName: 1997, limitName: 47}[subject] + noise)
	})
	rows, err := b.measure([]string{name, "AES_192_CM_HMAC_SHA1_80"})
	if err != nil {
		t.Fatal(err)
	}
	if want := 2 * len(contexts) * len(sizes) * len(ops) * 2 * 2; len(rows) != want {
		t.Fatalf("%d rows, want %d", len(rows), want)
	}
	want := row{Profile: name, Size: 40, Op: protectOp, Mode: batch, Contexts: 1, Tier: "best",
		OursNS: 100, PionNS: at(404), LibsrtpNS: at(2000), LimitNS: at(50), RatioPion: at(4.04)}
	if got, want := asJSON(t, rows[3]), asJSON(t, want); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	for _, r := range rows[len(rows)/2:] {
		if r.PionNS != nil || r.RatioPion != nil || r.LibsrtpNS == nil {
			t.Fatalf("pion can't do %s", asJSON(t, r))
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// In each turn everybody is measured in a cell before anybody is in the next, and
// nobody twice in a row; each turn begins with another. All cells of few contexts
// have had a turn before any has the next, and all profiles a round.
func TestTurnsInterleave(t *testing.T) {
	const other = "AES_CM_128_HMAC_SHA1_32"
	var order []string
	var others []int // how many of the first profile were before each of the other
	b := fakeBench(3, func(subject string, c cell, mode string) float64 {
		if c.profile == other {
			others = append(others, len(order))
			return 1
		}
		order = append(order, fmt.Sprint(subject, c.size, c.op, mode))
		return 1
	})
	if _, err := b.measure([]string{"AES_CM_128_HMAC_SHA1_80", other}); err != nil {
		t.Fatal(err)
	}
	const perCell = 2 + 2 + 1 + 1 + 2
	perContexts := perCell * len(sizes) * len(ops)
	perTurn := 2 * perContexts // of few contexts
	if len(order) != 3*turns*perContexts*len(contexts) {
		t.Fatalf("%d measurements", len(order))
	}
	for i, before := range others {
		few, many := 3*turns*perTurn, turns*perContexts
		want := (i/(turns*perTurn) + 1) * turns * perTurn
		if i >= few {
			want = few + ((i-few)/many+1)*many
		}
		if before != want {
			t.Fatalf("%d of the first profile came before measurement %d of the other, want %d", before, i, want)
		}
	}
	for i := 0; i < len(order); i += perCell {
		once := slices.Compact(slices.Sorted(slices.Values(order[i : i+perCell])))
		if len(once) != perCell || !strings.Contains(once[0], fmt.Sprint(sizes[i%perContexts/(perCell*2)])) {
			t.Fatalf("%q", order[i:i+perCell])
		}
	}
	for i, name := range []string{"go", "best", pionName, libsrtpName} {
		if !strings.HasPrefix(order[i*perTurn], name) {
			t.Errorf("turn %d begins with %s", i, order[i*perTurn])
		}
	}
	for i := range order[1:] {
		if who := strings.FieldsFunc(order[i], unicode.IsDigit)[0]; strings.HasPrefix(order[i+1], who) {
			t.Fatalf("%s and %s in a row", order[i], order[i+1])
		}
	}
}

func TestErrorsNameTheCell(t *testing.T) {
	b := fakeBench(1, nil)
	b.subjects[1].take = func(cell, string) (sample, error) { return sample{}, errors.New("broken") }
	b.subjects[0].take = func(cell, string) (sample, error) { return sample{}, nil }
	_, err := b.measure(profiles[:1])
	if err == nil || !strings.Contains(err.Error(), "best: AES_CM_128_HMAC_SHA1_80, protect, 40 bytes") {
		t.Error(err)
	}
}

func TestTargets(t *testing.T) {
	ratios := target{"x", 2, func(r row) bool { return r.Size == 80 }}
	none := target{"y", 0, func(row) bool { return true }}
	rows := []row{
		{Profile: "A", Size: 80, Op: protectOp, RatioPion: at(2.5)},
		{Profile: "B", Size: 80, Op: protectOp, RatioPion: at(2)},
		{Profile: "C", Size: 80}, // pion has it not
		{Profile: "D", Size: 40, RatioPion: at(0.1)},
	}
	if o := ratios.against(rows); o.Worst != "2.00" || o.Best != "2.50" || o.Reached != "yes" || !strings.HasPrefix(o.Where, "B, 80 bytes") {
		t.Errorf("%+v", o)
	}
	*rows[1].RatioPion = 1.99
	if o := ratios.against(rows); o.Reached != "no" || o.Worst != "1.99" {
		t.Errorf("%+v", o)
	}
	if o := ratios.against(rows[2:]); o.Reached != "not measured" {
		t.Errorf("%+v", o)
	}
	if o := none.against(rows); o.Reached != "yes" || o.Worst != "0" {
		t.Errorf("%+v", o)
	}
	rows[3].Allocs = 0.5
	if o := none.against(rows); o.Reached != "no" || o.Worst != "0.5" || !strings.HasPrefix(o.Where, "D") {
		t.Errorf("%+v", o)
	}
}

// Each target is about some rows of a whole run.
func TestTargetsAreAboutSomething(t *testing.T) {
	for _, o := range wholeRun(t).outcomes() {
		if o.Reached == "not measured" {
			t.Errorf("%+v", o)
		}
	}
}

// wholeRun has a row for everything.
func wholeRun(t *testing.T) results {
	t.Helper()
	b := fakeBench(1, func(subject string, c cell, _ string) float64 {
		return float64(c.size) + map[string]float64{"go": 300, "best": 100, pionName: 400, libsrtpName: 2000, limitName: 50}[subject]
	})
	rows, err := b.measure(profiles)
	if err != nil {
		t.Fatal(err)
	}
	return results{Machine: b.machine, Rows: rows}
}

func TestParseResults(t *testing.T) {
	r := wholeRun(t)
	if _, err := parseResults([]byte(asJSON(t, r))); err != nil {
		t.Fatal(err)
	}
	r.Rows = slices.Delete(r.Rows, 100, 101)
	if _, err := parseResults([]byte(asJSON(t, r))); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a row is missing: %v", err)
	}
	if _, err := parseResults([]byte(`{"rows": [`)); err == nil {
		t.Error("half a file is read")
	}
	if _, err := parseResults([]byte(`{}`)); err == nil {
		t.Error("nothing is read")
	}
}

func TestPage(t *testing.T) {
	r := wholeRun(t)
	r.Machine.Processor = "Abacus <2>"
	page, err := r.page()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| processor | Abacus <2>", "no AVX-512", "no libsrtp",
		"| AES_CM_128_HMAC_SHA1_80 | 80 | 180 / 180 | 180 / 180 | 480 / 480 | 2080 / 2080 | 2.67 / 2.67 | 2.67 / 2.67 |",
		"| AES_192_CM_HMAC_SHA1_32 | 40 | 140 / 140 | 140 / 140 | – | 2040 / 2040 | – | – |",
		"| AEAD_AES_256_GCM | 160 | go | 460 / 460 | 460 / 460 | 1.22 / 1.22 | 1.22 / 1.22 |",
		"| the same, batch | at least 4 times | 1.71 | 3.14 | AES_CM_128_HMAC_SHA1_80, 320 bytes, protect, contexts 2000, batch | no |",
	} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page lacks %q", want)
		}
	}
	r.Machine.Tiers = []string{"go", "avx512"}
	if page, err = r.page(); err != nil || bytes.Contains(page, []byte("no AVX-512")) {
		t.Errorf("AVX-512 is there: %v", err)
	}
}

func TestPlot(t *testing.T) {
	r := wholeRun(t)
	r.Machine.Processor = "a<b>&c"
	plot := r.plot()
	var curves, circles int
	for d := xml.NewDecoder(bytes.NewReader(plot)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			if e.Name.Local == "circle" {
				circles++
			}
			if e.Name.Local == "path" && strings.HasPrefix(e.Attr[0].Value, "M") && strings.Contains(e.Attr[0].Value, "L") {
				curves++
			}
		}
	}
	if want := len(panels) * 5; curves != want || circles != want*len(sizes) {
		t.Errorf("%d curves with %d points, want %d and %d", curves, circles, want, want*len(sizes))
	}
	if low, high := r.decades(); low != 1 || high != 4 {
		t.Errorf("from 10^%d to 10^%d for 90 to 2320 ns", low, high)
	}
	s := scale{1, 4}
	if s.y(10) != panelHeight || s.y(10000) != 0 || s.y(100) <= s.y(1000) {
		t.Errorf("10 at %v, 10000 at %v", s.y(10), s.y(10000))
	}
	if bytes.Contains(plot, []byte("NaN")) || bytes.Contains(plot, []byte("Inf")) {
		t.Error("the plot has points that are nowhere")
	}
}

func TestTable(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := wholeRun(t)
	if err := errors.Join(r.table(f), r.write(f)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	table, document, _ := bytes.Cut(text, []byte("{\"machine\""))
	if again, err := parseResults(append([]byte("{\"machine\""), document...)); err != nil || len(again.Rows) != len(r.Rows) {
		t.Errorf("%d rows, %v", len(again.Rows), err)
	}
	want := "AES_192_CM_HMAC_SHA1_80 2000 320 unprotect 620 620 420 420 – 2320 370 370 – –"
	if !slices.ContainsFunc(strings.Split(string(table), "\n"), func(line string) bool { return strings.Join(strings.Fields(line), " ") == want }) {
		t.Errorf("no line %q in\n%s", want, table)
	}
}

func TestRefusals(t *testing.T) {
	for want, o := range map[string]options{
		"fewer than 7":  {rounds: 6, profiles: profiles[0]},
		`no "AES_1"`:    {rounds: 7, profiles: "AES_1"},
		`-worker "them`: {worker: "them"},
	} {
		if err := o.run(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// The ceiling is pion's time with many contexts by ours with few, where that is
// least, and only of the best tier's batches.
func TestCeiling(t *testing.T) {
	r := results{Machine: machine{Tiers: []string{"go", "best"}}}
	if got := r.ceiling(); got != "–" {
		t.Errorf("of nothing: %s", got)
	}
	const p = "AEAD_AES_128_GCM"
	for _, c := range []struct {
		size, contexts int
		mode, tier     string
		ours           float64
		pion           *float64
	}{
		{40, 32, batch, "best", 50, nil}, {40, 2000, batch, "best", 90, at(300)},
		{80, 32, batch, "best", 60, nil}, {80, 2000, batch, "best", 70, at(270)},
		{80, 32, batch, "go", 600, nil}, {80, 2000, batch, "go", 900, at(270)},
		{80, 32, single, "best", 200, nil}, {80, 2000, single, "best", 200, at(270)},
		{160, 32, batch, "best", 500, nil}, {160, 2000, batch, "best", 500, nil},
	} {
		r.Rows = append(r.Rows, row{Profile: p, Size: c.size, Op: protectOp, Mode: c.mode, Contexts: c.contexts, Tier: c.tier, OursNS: c.ours, PionNS: c.pion})
	}
	if got := r.ceiling(); got != "4.50" {
		t.Errorf("%s, want 270 by 60", got)
	}
}
