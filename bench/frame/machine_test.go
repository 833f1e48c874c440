package main

import (
	"testing"
	"time"

	"sotto/engine/realtime"
)

// What keeps the processors awake is no cost of the legs.
func TestProcessTime(t *testing.T) {
	awake, err := realtime.StayAwake()
	if err != nil {
		t.Skip(err)
	}
	defer func() {
		if err := awake.Close(); err != nil {
			t.Error(err)
		}
	}()
	began, before, idle := time.Now(), processTime(), idleTime()
	for time.Since(began) < 100*time.Millisecond && idleTime() < idle+50*time.Millisecond {
		time.Sleep(5 * time.Millisecond)
	}
	if used := processTime() - before; used > 25*time.Millisecond {
		t.Errorf("%v while nothing is done, and %v by who stays awake", used, idleTime()-idle)
	}
}
