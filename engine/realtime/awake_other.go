//go:build !linux

package realtime

import (
	"errors"
	"io"
)

// StayAwake has no way to do so here; the error is [errors.ErrUnsupported].
func StayAwake() (awake io.Closer, err error) { return nil, errors.ErrUnsupported }
