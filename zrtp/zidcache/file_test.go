package zidcache_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sotto/zrtp"
	"sotto/zrtp/wire"
	"sotto/zrtp/zidcache"
)

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "zid")
	const peers = 60 // enough for several pages
	var zid wire.ZID
	for n := range 4 {
		c, err := zidcache.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			zid = c.ZID()
		}
		if c.ZID() != zid {
			t.Fatal("another ZID")
		}
		s := c.Store(own, peer)
		for i := range peers {
			want := zrtp.Record{}
			if n > 0 {
				want = recordOf(i, n-1)
			}
			expect(t, s, zidOf(i), want)
			mustPut(t, s, zidOf(i), recordOf(i, n))
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	other, err := zidcache.Open(path + "2")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if other.ZID() == zid {
		t.Error("two caches, one ZID")
	}
}

func TestModes(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "a", "b", "zid")
	c, err := zidcache.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{
		path:                     0o600,
		filepath.Dir(path):       0o700 | os.ModeDir,
		filepath.Join(root, "a"): 0o700 | os.ModeDir,
	} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", name, info.Mode(), want)
		}
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := zidcache.Open(path); err == nil || !strings.Contains(err.Error(), "chmod 600 ") {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

// TestNotAFile opens what is no cache; each must be refused by its name.
func TestNotAFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), dangling); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, file, filepath.Join(file, "below"), dangling, os.DevNull} {
		c, err := zidcache.Open(path)
		if err == nil {
			_ = c.Close()
			t.Errorf("%s: opened", path)
			continue
		}
		if !strings.Contains(err.Error(), path) || !strings.HasPrefix(err.Error(), "zidcache: ") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if got, err := os.ReadFile(file); string(got) != "hello" || err != nil {
		t.Errorf("changed to %q, %v", got, err)
	}
}

func TestInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "zid")
	child := start(t, "hold", path)
	child.expect(t, "ready")
	_, err := zidcache.Open(path)
	if !errors.Is(err, zidcache.ErrInUse) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	child.kill(t)
	c := open(t, path) // the lock ends with the process
	if _, err := zidcache.Open(path); !errors.Is(err, zidcache.ErrInUse) {
		t.Errorf("opened twice in one process: %v", err)
	}
	mustPut(t, c.Store(own, peer), zidOf(1), recordOf(1, 1))
}

// TestLetGo opens a file that its holder closes while we wait for it.
func TestLetGo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "zid")
	child := start(t, "hold", path)
	child.expect(t, "ready")
	opened := make(chan error)
	go func() {
		c, err := zidcache.Open(path)
		if err == nil {
			err = c.Close()
		}
		opened <- err
	}()
	child.kill(t)
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
}

// TestCreateTogether makes one cache from several goroutines: all must get
// the same ZID, one after the other.
func TestCreateTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "zid")
	const openers = 5
	zids := make([]wire.ZID, openers)
	var wg sync.WaitGroup
	for i := range openers {
		wg.Go(func() {
			c, err := zidcache.Open(path)
			if err != nil {
				t.Error(err)
				return
			}
			zids[i] = c.ZID()
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, z := range zids {
		if z != zids[0] {
			t.Fatalf("ZIDs %v", zids)
		}
	}
}

// TestCutWhileOpen has someone cut or overwrite the file who ignores the
// lock. The mapped memory then faults or lies; that must be an error, the
// process must live, and the lock must be let go.
func TestCutWhileOpen(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"emptied": func(path string) error { return os.Truncate(path, 0) },
		"cut":     func(path string) error { return os.Truncate(path, 2*4096) },
		"zeroed": func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.Write(make([]byte, info.Size()))
			return errors.Join(err, f.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "zid")
			c, err := zidcache.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			s := c.Store(own, peer)
			for i := range 60 {
				mustPut(t, s, zidOf(i), recordOf(i, 1))
			}
			if err := harm(path); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if _, err := s.Load(zidOf(1)); !errors.Is(err, zidcache.ErrDamaged) {
					t.Errorf("load: %v", err)
				}
				if err := put(s, zidOf(1), recordOf(1, 2)); !errors.Is(err, zidcache.ErrDamaged) {
					t.Errorf("update: %v", err)
				}
			}
			if err := c.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			if _, err := zidcache.Open(path); !errors.Is(err, zidcache.ErrDamaged) {
				t.Errorf("open: %v", err)
			}
		})
	}
}
