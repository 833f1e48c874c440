package zidcache

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"sotto/zrtp/wire"
)

// TestFailedWrite takes the file away from bbolt, so that every write fails.
// When the old value is still there, reading goes on; when something else is,
// as after a commit whose sync failed, nothing does.
func TestFailedWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "zid")
	if err := create(path, wire.ZID{1}); err != nil {
		t.Fatal(err)
	}
	d, err := openDisk(path)
	if err != nil {
		t.Fatal(err)
	}
	key, err := recordKey("a", wire.ZID{2}, "b")
	if err != nil {
		t.Fatal(err)
	}
	// No crash of a process shows whether this is on, only one of the machine.
	if d.db.NoSync || d.db.NoGrowSync || d.db.NoFreelistSync {
		t.Error("updates are not synced")
	}
	old, value := seal(key, []byte{formatVersion, 1}), seal(key, []byte{formatVersion, 2})
	if err := d.replace(key, nil, old); err != nil {
		t.Fatal(err)
	}
	readOnly, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	if err := syscall.Dup3(int(readOnly.Fd()), int(d.file.Fd()), syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	if err := d.replace(key, old, value); err == nil {
		t.Fatal("wrote to a file that is open for reading")
	}
	if got, err := d.get(key); string(got) != string(old) || err != nil {
		t.Fatalf("after a failed write: %x, %v", got, err)
	}
	if err := d.replace(key, value, value); err == nil {
		t.Fatal("wrote to a file that is open for reading")
	}
	if _, err := d.get(key); err == nil {
		t.Error("read what may not be on the disk")
	}
	if err := d.replace(key, old, value); err == nil {
		t.Error("wrote over what may not be on the disk")
	}
	if err := d.close(); err != nil {
		t.Error(err)
	}
}
