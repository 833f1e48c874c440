//go:build !linux

package realtime

import "time"

// alarm is coarse here: it wakes when the runtime does.
type alarm struct{}

func newAlarm() (*alarm, error) { return &alarm{}, nil }

func (*alarm) sleep(t time.Time) { time.Sleep(time.Until(t)) }

func (*alarm) close() {}
