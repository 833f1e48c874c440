package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// members reads a newc archive to its trailer.
func members(t *testing.T, b []byte) map[string]string {
	t.Helper()
	found := map[string]string{}
	for pos := 0; ; {
		var size, length int
		if n, err := fmt.Sscanf(string(b[pos+54:pos+62])+" "+string(b[pos+94:pos+102]), "%x %x", &size, &length); n != 2 {
			t.Fatalf("at %d: %v", pos, err)
		}
		if magic := string(b[pos : pos+6]); magic != "070701" {
			t.Fatalf("at %d: magic %q", pos, magic)
		}
		name := string(b[pos+110 : pos+110+length-1])
		pos = (pos + 110 + length + 3) &^ 3
		if name == "TRAILER!!!" {
			if pos != len(b) {
				t.Errorf("%d bytes behind the trailer", len(b)-pos)
			}
			return found
		}
		if _, twice := found[name]; twice {
			t.Errorf("%s is there twice", name)
		}
		found[name] = string(b[pos : pos+size])
		pos = (pos + size + 3) &^ 3
	}
}

func TestPack(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"guest": "g", "0.test": "binary", "p/testdata/fuzz/FuzzX/seed": "12345", "q/q.go": "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	binary := filepath.Join(dir, "0.test")
	suites := []suite{{"sotto/p", filepath.Join(dir, "p"), binary}, {"sotto/q", filepath.Join(dir, "q"), binary}}
	if err := (options{run: "X"}).pack(&b, filepath.Join(dir, "guest"), suites); err != nil {
		t.Fatal(err)
	}
	found := members(t, b.Bytes())
	for name, want := range map[string]string{
		"init":                             "g",
		"sotto/p/package.test":             "binary",
		"sotto/q/package.test":             "binary",
		"sotto/p/testdata/fuzz/FuzzX/seed": "12345",
		"plan": "sotto/p\t-test.v\t-test.short\t-test.run=X\t-test.skip=\n" +
			"sotto/q\t-test.v\t-test.short\t-test.run=X\t-test.skip=\n",
	} {
		if found[name] != want {
			t.Errorf("%s holds %q, want %q", name, found[name], want)
		}
	}
	for name := range found {
		if parent := filepath.Dir(name); parent != "." {
			if _, ok := found[parent]; !ok {
				t.Errorf("%s has no directory", name)
			}
		}
	}
	if _, ok := found["sotto/q/q.go"]; ok {
		t.Error("more than testdata is there")
	}
}

// A file that cannot be read is an error, not a package with less to test.
func TestPackMissing(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	if err := (options{}).pack(&bytes.Buffer{}, missing, nil); err == nil {
		t.Error("packed without a guest")
	}
}
