package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// written is a trail of n records, and its path.
func written(t *testing.T, n int) (path string, trail []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "trail")
	appended(t, path, n)
	return path, content(t, path)
}

func appended(t *testing.T, path string, n int) {
	t.Helper()
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	r := l.Recorder("c")
	for i := range n {
		r.Record("level", map[string]string{"to": fmt.Sprint(i), "from": "x"})
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := missed(r); err != nil {
		t.Error(err)
	}
}

// missed is why r has missed something; nil: it has not.
func missed(r *Recorder) error {
	select {
	case err := <-r.Missed():
		return err
	default:
		return nil
	}
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestChainGoesOn(t *testing.T) {
	path, first := written(t, 3)
	appended(t, path, 2)
	trail := content(t, path)
	s, err := Verify(bytes.NewReader(trail))
	if err != nil || s.Records != 5 || s.Torn != 0 || !bytes.HasPrefix(trail, first) {
		t.Errorf("%+v, %v\n%s", s, err, trail)
	}
	if s, err := Verify(strings.NewReader("")); err != nil || s.Records != 0 {
		t.Errorf("an empty trail: %+v, %v", s, err)
	}
}

// Whatever is changed in any line but the last, or in the last so that it is no
// record, is found, and nothing is appended to such a trail.
func TestEveryChangeIsFound(t *testing.T) {
	path, trail := written(t, 5)
	last := bytes.LastIndexByte(trail[:len(trail)-1], '\n') + 1
	lines := bytes.SplitAfter(trail, []byte("\n"))
	changed := map[string][]byte{
		"a line is missing":                   slices.Concat(lines[0], lines[2], lines[3], lines[4]),
		"the first line is missing":           slices.Concat(lines[1], lines[2], lines[3], lines[4]),
		"two lines change places":             slices.Concat(lines[0], lines[2], lines[1], lines[3], lines[4]),
		"a line is there twice":               slices.Concat(lines[0], lines[1], lines[1], lines[2], lines[3], lines[4]),
		"a line is empty":                     slices.Concat(lines[0], []byte("\n"), lines[1], lines[2], lines[3], lines[4]),
		"a line is endless":                   slices.Concat(lines[0], bytes.Repeat([]byte("x"), 2*maxLine), []byte("\n"), lines[1]),
		"it is not said how many are missing": slices.Concat(bytes.Replace(lines[0], []byte(`"event":"level"`), []byte(`"event":"missing"`), 1)),
		"something follows a record":          slices.Concat(lines[0][:len(lines[0])-1], []byte(" {}\n"), lines[1]),
	}
	for i := range trail[:last] {
		b := bytes.Clone(trail)
		b[i] ^= 1
		changed[fmt.Sprintf("byte %d is another", i)] = b
	}
	for name, b := range changed {
		if _, err := Verify(bytes.NewReader(b)); !errors.Is(err, ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if l, err := Open(path); !errors.Is(err, ErrBroken) {
			t.Errorf("%s: opened, %v", name, err)
			l.Close()
		}
	}
}

// A crash may cut the last line anywhere. The chain goes on behind what is left
// of it, which cannot be changed any more either.
func TestTornLine(t *testing.T) {
	path, trail := written(t, 3)
	last := bytes.LastIndexByte(trail[:len(trail)-1], '\n') + 1
	for end := last + 1; end < len(trail)-1; end++ {
		if err := os.WriteFile(path, trail[:end], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(bytes.NewReader(trail[:end])); !errors.Is(err, ErrBroken) {
			t.Errorf("cut at %d: %v", end, err)
		}
		appended(t, path, 1)
		b := content(t, path)
		s, err := Verify(bytes.NewReader(b))
		if err != nil || s.Records != 4 || s.Torn != 1 {
			t.Fatalf("cut at %d: %+v, %v\n%s", end, s, err, b)
		}
		b[last] ^= 1
		if _, err := Verify(bytes.NewReader(b)); !errors.Is(err, ErrBroken) {
			t.Errorf("cut at %d, and then changed: %v", end, err)
		}
	}
	// The crash may come between the end of the line and the record about it.
	if err := os.WriteFile(path, append(trail[:last+9:last+9], '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	appended(t, path, 1)
	if s, err := Verify(bytes.NewReader(content(t, path))); err != nil || s.Torn != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

// A whole last line whose end is missing is a record all the same.
func TestMissingEnd(t *testing.T) {
	path, trail := written(t, 2)
	if err := os.WriteFile(path, trail[:len(trail)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	appended(t, path, 1)
	if s, err := Verify(bytes.NewReader(content(t, path))); err != nil || s.Records != 3 || s.Torn != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// A trail that is cut at its end shows it by the call that does not end there, also
// when it goes on; one that ends with a call does not.
func TestCutTrail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trail")
	call := func(name string) {
		l, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		r := l.Recorder(name)
		for _, event := range []string{Begins, "level", "level", Ended} {
			r.Record(event, nil)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	call("a")
	call("b")
	whole := bytes.SplitAfter(content(t, path), []byte("\n"))
	for n := range len(whole) {
		unended := 0
		if n%4 != 0 {
			unended = 1
		}
		if err := os.WriteFile(path, slices.Concat(whole[:n]...), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Verify(bytes.NewReader(content(t, path))); err != nil || s.Records != uint64(n) || s.Unended != unended {
			t.Errorf("the first %d lines: %+v, %v", n, s, err)
		}
		call("c")
		if s, err := Verify(bytes.NewReader(content(t, path))); err != nil || s.Records != uint64(n)+4 || s.Unended != unended {
			t.Errorf("the first %d lines and another call: %+v, %v", n, s, err)
		}
	}
}

func TestOneProcessAtATime(t *testing.T) {
	path, _ := written(t, 1)
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if second, err := Open(path); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("opened twice: %v", err)
		second.Close()
	}
}

func TestLongDetail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trail")
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	l.Recorder("c").Record("e", map[string]string{"k": strings.Repeat("ä\n", maxLine)})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if b := content(t, path); len(b) > 4*maxDetail || !bytes.Contains(b, []byte("…")) {
		t.Errorf("%d bytes: %s", len(b), b)
	}
	appended(t, path, 1)
}

func FuzzVerify(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"seq":1,"time":"2026-01-01T00:00:00Z","event":"start","prev":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}` + "\n"))
	f.Fuzz(func(t *testing.T, trail []byte) {
		s, err := Verify(bytes.NewReader(trail))
		if err != nil && !errors.Is(err, ErrBroken) {
			t.Fatal(err)
		}
		if err == nil && s.Records > uint64(bytes.Count(trail, []byte("seq"))) {
			t.Fatalf("%d records in %q", s.Records, trail)
		}
	})
}
