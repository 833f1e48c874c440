package zidcache

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

const (
	lockWait  = time.Second
	lockRetry = 20 * time.Millisecond
)

// bucketName is the one bucket, which holds the ZID and every record.
func bucketName() []byte { return []byte("zidcache") }

// disk is a table in a bbolt file.
type disk struct {
	path string
	file *os.File // what db works on; its lock is ours
	db   *bbolt.DB
	// failed, once set, is the answer to everything: the file changed under
	// us, or it is unknown what it holds.
	failed error
}

// openDisk locks the file, checks all of it, and only then lets bbolt see it.
func openDisk(path string) (*disk, error) {
	d := &disk{path: path}
	err := d.guard(func() (err error) {
		d.db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			OpenFile:     d.openFile,
			NoStatistics: true,
		})
		return err
	})
	if err == nil {
		err = d.view(checkValues)
	}
	if err != nil {
		_ = d.close()
		return nil, err
	}
	return d, nil
}

// openFile is called by bbolt to open the file. The lock taken here is the
// one that bbolt then asks for itself: a lock belongs to the open file.
func (d *disk) openFile(path string, _ int, _ os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0) // never creates it
	if err != nil {
		return nil, fmt.Errorf("zidcache: %w", err)
	}
	if err := d.admit(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	d.file = f
	return f, nil
}

// admit says whether bbolt may have f: it is ours alone, and intact.
func (d *disk) admit(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("zidcache: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("zidcache: %s is not a regular file", d.path)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return fmt.Errorf("zidcache: %s is open to other users (mode %#o): it may have been read or changed; chmod 600 it if you trust them", d.path, perm)
	}
	if err := lock(f); err != nil {
		return fmt.Errorf("%w: %s: close it, or choose another state directory", err, d.path)
	}
	if info, err = f.Stat(); err != nil { // again: now nobody else writes
		return fmt.Errorf("zidcache: %w", err)
	}
	if err := checkFile(f, info.Size()); err != nil {
		return d.refuse(err)
	}
	return nil
}

// lock takes the exclusive lock of f, or gives ErrInUse.
func lock(f *os.File) error {
	end := time.Now().Add(lockWait)
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			return fmt.Errorf("zidcache: can't lock: %w", err)
		case time.Now().After(end):
			return ErrInUse
		}
		time.Sleep(lockRetry)
	}
}

// refuse says what is wrong with the file and what a person can do.
func (d *disk) refuse(why error) error {
	if errors.Is(why, errNewer) {
		return fmt.Errorf("zidcache: %s was %w", d.path, why)
	}
	if pathErr := (*fs.PathError)(nil); errors.As(why, &pathErr) {
		return fmt.Errorf("zidcache: %w", why) // can't be read at all
	}
	return fmt.Errorf("%w: %s: %w; restore a backup, or move the file away and verify every peer anew", ErrDamaged, d.path, why)
}

// guard runs do, in which bbolt reads memory that maps the file. Should the
// file be cut or overwritten by someone who ignores the lock, that is a fault
// or a broken invariant, both of which end here as an error, for good.
func (d *disk) guard(do func() error) (err error) {
	if d.failed != nil {
		return d.failed
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			d.failed = d.refuse(fmt.Errorf("reading it failed: %v", p))
			err = d.failed
		}
	}()
	return do()
}

// view runs read over the bucket in one transaction.
func (d *disk) view(read func(*bbolt.Bucket) error) error {
	return d.guard(func() error {
		err := d.db.View(func(tx *bbolt.Tx) error {
			b := tx.Bucket(bucketName())
			if b == nil {
				return errNoBucket
			}
			return read(b)
		})
		if err != nil {
			return d.refuse(err)
		}
		return nil
	})
}

var errNoBucket = errors.New("not a ZID cache")

// checkValues finds values that are not what was stored under their keys.
func checkValues(b *bbolt.Bucket) error {
	return b.ForEach(func(key, value []byte) error {
		_, err := unseal(key, value)
		return err
	})
}

func (d *disk) zid() (zid wire.ZID, err error) {
	err = d.view(func(b *bbolt.Bucket) (err error) {
		zid, err = decodeZID(b.Get(selfKey()))
		return err
	})
	return zid, err
}

func (d *disk) get(key []byte) (value []byte, err error) {
	err = d.view(func(b *bbolt.Bucket) error {
		stored := b.Get(key) // is gone after the view
		if stored == nil {
			return nil
		}
		if _, err := unseal(key, stored); err != nil {
			return err
		}
		value = bytes.Clone(stored)
		return nil
	})
	return value, err
}

func (d *disk) replace(key, old, value []byte) error {
	err := d.guard(func() error {
		return d.db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket(bucketName())
			if b == nil {
				return errNoBucket
			}
			return b.Put(key, value)
		})
	})
	if err == nil || d.failed != nil {
		return err
	}
	// A full disk is no reason to stop: the old record is still there. But
	// when the new one is visible and its sync failed, nobody knows what the
	// disk holds, and going on could overwrite what it needs after a crash.
	now, readErr := d.get(key)
	defer secret.Wipe(now)
	if readErr == nil && !bytes.Equal(now, old) {
		d.failed = fmt.Errorf("zidcache: %s: the disk failed in mid-update; start again to see what it holds: %w", d.path, err)
	}
	return fmt.Errorf("zidcache: can't write %s: %w", d.path, err)
}

// close lets go of the file. After a fault bbolt may hold its own locks, so
// that its Close would wait for ever: then the mapping is left behind.
func (d *disk) close() error {
	if d.failed == nil && d.db != nil {
		return d.db.Close()
	}
	if d.file == nil {
		return nil
	}
	_ = syscall.Flock(int(d.file.Fd()), syscall.LOCK_UN) // the mapping would keep it
	return d.file.Close()
}
