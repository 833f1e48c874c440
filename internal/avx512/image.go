package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// archive writes the format that the kernel unpacks into its first file
// system: cpio's "newc", in the kernel's
// Documentation/driver-api/early-userspace/buffer-format.rst.
type archive struct {
	w       io.Writer
	written int64
	inode   int
	made    map[string]bool // directories
	err     error
}

// add writes one file or, with a nil content, directory, after those that it
// lies in.
func (a *archive) add(name string, mode uint32, content []byte) {
	name = strings.Trim(filepath.ToSlash(name), "/")
	if a.made == nil {
		a.made = map[string]bool{".": true}
	}
	if parent := filepath.Dir(name); !a.made[parent] {
		a.add(parent, 0o040755, nil)
	}
	if content == nil {
		a.made[name] = true
	}
	a.entry(name, mode, content)
}

func (a *archive) entry(name string, mode uint32, content []byte) {
	a.inode++
	a.print("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		a.inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name)+1, 0, name)
	a.pad()
	a.print("%s", content)
	a.pad()
}

func (a *archive) print(format string, args ...any) {
	if a.err == nil {
		var n int
		n, a.err = fmt.Fprintf(a.w, format, args...)
		a.written += int64(n)
	}
}

func (a *archive) pad() { a.print("%s", "\x00\x00\x00"[:-a.written&3]) }

// close ends the archive and returns the first error.
func (a *archive) close() error {
	a.entry("TRAILER!!!", 0, nil)
	return a.err
}

// pack writes the guest's file system: the guest as its first program, what it
// has to do, and the suites with their testdata.
func (o options) pack(w io.Writer, guest string, suites []suite) error {
	a := &archive{w: w}
	init, err := os.ReadFile(guest)
	if err != nil {
		return err
	}
	a.add("init", 0o100755, init)
	var plan strings.Builder
	for _, dir := range []string{"proc", "tmp", "dev"} {
		a.add(dir, 0o041777, nil)
	}
	for _, s := range suites {
		fmt.Fprintf(&plan, "%s\t%s\n", s.pkg, strings.Join(o.arguments(), "\t"))
		binary, err := os.ReadFile(s.binary)
		if err != nil {
			return err
		}
		a.add(s.pkg+"/package.test", 0o100755, binary)
		if err := a.addTree(s.pkg, s.dir, "testdata"); err != nil {
			return err
		}
	}
	a.add("plan", 0o100644, []byte(plan.String()))
	return a.close()
}

// addTree adds the files under dir/tree, if it exists, as under/tree.
func (a *archive) addTree(under, dir, tree string) error {
	root := os.DirFS(dir)
	if _, err := fs.Stat(root, tree); err != nil {
		return nil //nolint:nilerr // most packages have none
	}
	return fs.WalkDir(root, tree, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		a.add(under+"/"+path, 0o100644, content)
		return nil
	})
}
