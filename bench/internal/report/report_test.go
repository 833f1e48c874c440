package report

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	results, page := filepath.Join(dir, "results.json"), filepath.Join(dir, "README.md")
	of := func(text []byte) (map[string][]byte, error) {
		return map[string][]byte{page: append([]byte("page of "), text...)}, nil
	}
	if err := Write(results, of); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "-json >"+results) {
		t.Errorf("without results: %v", err)
	}
	if err := os.WriteFile(results, []byte("them"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("not of a whole run")
	if err := Write(results, func([]byte) (map[string][]byte, error) { return nil, broken }); !errors.Is(err, broken) || !strings.Contains(err.Error(), results) {
		t.Errorf("of a part: %v", err)
	}
	if err := Write(results, of); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(page); string(got) != "page of them" {
		t.Errorf("%q (%v)", got, err)
	}
	if err := Write(results, func([]byte) (map[string][]byte, error) { return map[string][]byte{dir: nil}, nil }); err == nil {
		t.Error("a page that can't be written is no error")
	}
}

func TestPage(t *testing.T) {
	if got, err := Page("{{.What}} takes {{.Took}}", map[string]any{"What": "a frame", "Took": 3}); string(got) != "a frame takes 3" {
		t.Errorf("%q (%v)", got, err)
	}
	for _, text := range []string{"{{.What", "{{.Other}}"} {
		if page, err := Page(text, map[string]any{"What": 1}); err == nil {
			t.Errorf("%s: %q", text, page)
		}
	}
}
