//go:build !purego

package cm

import (
	"testing"
	"unsafe"
)

// The generator of the assembly has these numbers.
func TestLayout(t *testing.T) {
	var k Keys
	var j Job
	for _, field := range []struct {
		name         string
		offset, want uintptr
	}{
		{"Keys.inner", unsafe.Offsetof(k.kernels) + unsafe.Offsetof(k.inner), 0},
		{"Keys.outer", unsafe.Offsetof(k.outer), 20},
		{"Keys.rounds", unsafe.Offsetof(k.rounds), 40},
		{"Keys.round", unsafe.Offsetof(k.round), 48},
		{"Job.Keys", unsafe.Offsetof(j.Keys), 0},
		{"Job.Message", unsafe.Offsetof(j.Message), 8},
		{"Job.Word", unsafe.Offsetof(j.Word), 32},
		{"Job.Tag", unsafe.Offsetof(j.Tag), 36},
	} {
		if field.offset != field.want {
			t.Errorf("%s is at %d, the assembly looks for it at %d", field.name, field.offset, field.want)
		}
	}
}
