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
	"syscall"

	"github.com/godbus/dbus/v5"
)

// errInCall says that a running program, this one or another, has powered the
// radios down already.
var errInCall = errors.New("the Bluetooth radios are powered down for another call")

// Radios are those that were powered down and are to be powered up again.
type Radios struct {
	path      string
	file      *os.File // the addresses; locked until they are restored
	addresses []string
}

// PowerDown powers every radio down. Which ones is written to the file at path
// before, so that [Recover] can power them up at the next start if this program
// does not live to do it.
func PowerDown(ctx context.Context, path string) (*Radios, error) {
	r := &Radios{path: path}
	if err := r.powerDown(ctx); err != nil {
		return nil, fmt.Errorf("bluez: %w", err)
	}
	return r, nil
}

func (r *Radios) powerDown(ctx context.Context) error {
	s, powered, err := adapters(ctx, true)
	if failed := new(dbus.Error); errors.As(err, failed) && failed.Name == bus+".Error.ServiceUnknown" {
		return nil // without BlueZ no radio carries audio
	}
	if err != nil {
		return err
	}
	defer s.conn.Close()
	left, err := open(r.path) // by a program that has crashed
	if err != nil {
		return err
	}
	r.addresses = left.addresses
	for _, a := range powered {
		r.addresses = append(r.addresses, a.address)
	}
	slices.Sort(r.addresses)
	r.addresses = slices.Compact(r.addresses)
	if err := errors.Join(r.record(), left.close()); err != nil {
		return err
	}
	for _, a := range powered {
		if err := s.power(ctx, a, false); err != nil {
			return errors.Join(err, r.Restore(context.WithoutCancel(ctx))) // each call has its own patience
		}
	}
	return nil
}

// Restore powers up what [PowerDown] powered down. If that fails, the next
// [Recover] tries again.
func (r *Radios) Restore(ctx context.Context) error {
	if r.file == nil {
		return nil
	}
	defer r.close()
	s, down, err := adapters(ctx, false)
	if err != nil {
		return fmt.Errorf("bluez: %w", err)
	}
	defer s.conn.Close()
	for _, a := range down {
		if slices.Contains(r.addresses, a.address) {
			err = errors.Join(err, s.power(ctx, a, true))
		}
	}
	if err != nil {
		return fmt.Errorf("bluez: %w", err)
	}
	return os.Remove(r.path)
}

// Recover restores what the file at path says, if the program that wrote it is
// no more. If there is no file there is nothing to restore.
func Recover(ctx context.Context, path string) error {
	r, err := open(path)
	switch {
	case errors.Is(err, errInCall):
		return nil
	case err != nil:
		return fmt.Errorf("bluez: %w", err)
	}
	return r.Restore(ctx)
}

// open reads and locks what a program has left at path, which may be nothing.
func open(path string) (*Radios, error) {
	r := &Radios{path: path}
	f, err := openLocked(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	r.file = f
	if err := json.NewDecoder(f).Decode(&r.addresses); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is damaged; power the Bluetooth radio up by hand and remove the file: %w", path, err), r.close())
	}
	return r, nil
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
func (r *Radios) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// record writes the addresses to a file that appears whole, and locked, or not
// at all.
func (r *Radios) record() error {
	f, err := os.CreateTemp(filepath.Dir(r.path), filepath.Base(r.path)+".*")
	if err != nil {
		return err
	}
	r.file = f
	err = errors.Join(json.NewEncoder(f).Encode(r.addresses), f.Sync(), lock(f))
	if err == nil {
		err = os.Rename(f.Name(), r.path)
	}
	if err != nil {
		return errors.Join(err, r.close(), os.Remove(f.Name()))
	}
	return nil
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
	s := &session{conn: conn}
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
