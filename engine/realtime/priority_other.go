//go:build !linux

package realtime

import "errors"

// Prioritize has no way to do so here; the error is [errors.ErrUnsupported].
func Prioritize() error { return errors.ErrUnsupported }
