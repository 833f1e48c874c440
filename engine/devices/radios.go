package devices

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"

	"sotto/media/route"
	"sotto/media/route/bluez"
)

// radios are those of this machine, for all calls of this process.
var radios bluez.Radios

// radiosFile is where it is written which radios have to be powered up again,
// should this program not live to do it. There is one for each user, as there is
// one set of radios.
func radiosFile() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "sotto", "radios.json"), nil
}

// RecoverRadios powers up what a program that has crashed has left powered down
// for [route.Policy.AdapterOff].
func RecoverRadios(ctx context.Context) error {
	file, err := radiosFile()
	if err != nil { // then nothing was ever written
		return nil
	}
	return bluez.Recover(ctx, file)
}

// powerDown powers the radios down, if the policy wants it. What undoes it is nil
// otherwise.
func powerDown(ctx context.Context, policy route.Policy) (restore func(context.Context) error, err error) {
	if !policy.AdapterOff {
		return nil, nil
	}
	file, err := radiosFile()
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o700)
	}
	if err == nil {
		err = radios.PowerDown(ctx, file)
	}
	if err != nil {
		return nil, err
	}
	var restored atomic.Bool // for one call they are powered up once
	return func(ctx context.Context) error {
		if restored.Swap(true) {
			return nil
		}
		return radios.Restore(ctx)
	}, nil
}

// darkness is a watch at whose end the radios are powered up again, unless another
// call wants them down.
type darkness struct {
	route.Watch
	restore func(context.Context) error
}

func (d darkness) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return errors.Join(d.Watch.Close(), d.restore(ctx))
}
