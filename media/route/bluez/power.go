package bluez

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/godbus/dbus/v5"
)

// errInCall says that another running program has powered the radios down
// already.
var errInCall = errors.New("the Bluetooth radios are powered down for a call of another program")

// Radios powers the radios of this machine down for as long as one call of this
// program wants it. The zero value has powered none down. Its methods may be
// called from any goroutine; one waits while BlueZ is asked by another.
type Radios struct {
	mu    sync.Mutex // guards what follows
	calls int        // that want them down
	down  *list      // nil: none
}

// PowerDown powers every radio down. Which ones is written to the file at path
// before, so that [Recover] can power them up at the next start if this program
// does not live to do it. Each PowerDown without an error takes a [Radios.Restore]
// to undo it, and what comes up in between goes down with the next PowerDown.
func (r *Radios) PowerDown(ctx context.Context, path string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.powerDown(ctx, path); err != nil {
		if r.calls == 0 {
			err = errors.Join(err, r.powerUp(context.WithoutCancel(ctx))) // each call to BlueZ has its own patience
		}
		return fmt.Errorf("bluez: %w", err)
	}
	r.calls++
	return nil
}

func (r *Radios) powerDown(ctx context.Context, path string) error {
	s, powered, err := adapters(ctx, true)
	if failed := new(dbus.Error); errors.As(err, failed) && failed.Name == bus+".Error.ServiceUnknown" {
		return nil // without BlueZ no radio carries audio
	}
	if err != nil {
		return err
	}
	defer s.conn.Close()
	before := r.down
	if before == nil {
		if before, err = open(path); err != nil { // by a program that has crashed
			return err
		}
	}
	addresses := slices.Clone(before.addresses)
	for _, a := range powered {
		addresses = append(addresses, a.address)
	}
	slices.Sort(addresses)
	down, err := write(before.path, slices.Compact(addresses))
	if err != nil {
		if before != r.down {
			err = errors.Join(err, before.close())
		}
		return err
	}
	r.down = down
	if err := before.close(); err != nil {
		return err
	}
	for _, a := range powered {
		if err := s.power(ctx, a, false); err != nil {
			return err
		}
	}
	return nil
}

// Restore powers up what was powered down, if no other call wants it down. If that
// fails, the next [Recover] tries again.
func (r *Radios) Restore(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls--; r.calls > 0 {
		return nil
	}
	if err := r.powerUp(ctx); err != nil {
		return fmt.Errorf("bluez: %w", err)
	}
	return nil
}

func (r *Radios) powerUp(ctx context.Context) error {
	if r.down == nil {
		return nil
	}
	down := r.down
	r.down = nil
	return down.powerUp(ctx)
}

// list is which radios were powered down and are to be powered up again.
type list struct {
	path      string
	file      *os.File // the addresses; locked until they are powered up. nil: there is none
	addresses []string
}

// powerUp powers up what is listed, and forgets it.
func (l *list) powerUp(ctx context.Context) error {
	if l.file == nil {
		return nil
	}
	defer l.close()
	s, down, err := adapters(ctx, false)
	if err != nil {
		return err
	}
	defer s.conn.Close()
	for _, a := range down {
		if slices.Contains(l.addresses, a.address) {
			err = errors.Join(err, s.power(ctx, a, true))
		}
	}
	if err != nil {
		return err
	}
	return os.Remove(l.path)
}

// Recover restores what the file at path says, if the program that wrote it is
// no more. If there is no file there is nothing to restore.
func Recover(ctx context.Context, path string) error {
	l, err := open(path)
	if errors.Is(err, errInCall) {
		return nil
	}
	if err == nil {
		err = l.powerUp(ctx)
	}
	if err != nil {
		return fmt.Errorf("bluez: %w", err)
	}
	return nil
}

// open reads and locks what a program has left at path, which may be nothing.
func open(path string) (*list, error) {
	l := &list{path: path}
	f, err := openLocked(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	l.file = f
	if err := json.NewDecoder(f).Decode(&l.addresses); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is damaged; power the Bluetooth radio up by hand and remove the file: %w", path, err), l.close())
	}
	return l, nil
}

// openLocked opens and locks the file that is at path. Who had the lock before may
// have removed or replaced it in between: a lock on what is not there any more
// keeps nobody out.
func openLocked(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		if err := lock(f); err != nil {
			return nil, errors.Join(errInCall, f.Close())
		}
		there, err := isAt(f, path)
		if there && err == nil {
			return f, nil
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	}
}

// isAt reports whether path still leads to f.
func isAt(f *os.File, path string) (bool, error) {
	opened, err := f.Stat()
	if err != nil {
		return false, err
	}
	now, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(opened, now), err
}

// close gives the lock back.
func (l *list) close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// write writes the addresses to a file that appears whole, and locked, or not
// at all.
func write(path string, addresses []string) (*list, error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	err = errors.Join(json.NewEncoder(f).Encode(addresses), f.Sync(), lock(f))
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return &list{path: path, file: f, addresses: addresses}, nil
}

// adapter is a radio.
type adapter struct {
	path    dbus.ObjectPath
	address string
}

// adapters connects and returns the radios that are powered, or those that are
// not.
func adapters(ctx context.Context, powered bool) (*session, []adapter, error) {
	conn, err := connect(context.WithoutCancel(ctx), &inbox{})
	if err != nil {
		return nil, nil, err
	}
	s := &session{conn: conn, patience: patience}
	listed, err := managed(s.call(ctx, s.conn.Object(service, "/"), manager+".GetManagedObjects"))
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	var found []adapter
	for path, object := range listed {
		v := values(object[adapterName])
		if address := get[string](v, "Address"); address != "" && get[bool](v, "Powered") == powered {
			found = append(found, adapter{path, address})
		}
	}
	return s, found, nil
}

// power powers a radio up or down.
func (s *session) power(ctx context.Context, a adapter, on bool) error {
	err := s.call(ctx, s.conn.Object(service, a.path), properties+".Set", adapterName, "Powered", dbus.MakeVariant(on)).Err
	if err != nil {
		return fmt.Errorf("the radio %s cannot be powered up or down: %w", a.address, err)
	}
	return nil
}
