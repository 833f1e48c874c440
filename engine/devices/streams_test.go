package devices

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sotto/media/route"
)

// listener is the watch of a call, which is told of the others.
type listener struct{ others atomic.Pointer[[]string] }

func (l *listener) Others(names []string) { l.others.Store(&names) }

// Each call's watch knows the streams of the others, before they are opened and
// for as long as a sound server may show them; then nobody may have their names.
func TestStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s streams
		var a, b, c listener
		expect := func(when string, l *listener, want ...string) {
			t.Helper()
			if got := l.others.Load(); got == nil || !slices.Equal(*got, want) {
				t.Errorf("%s: %q, want %q", when, got, want)
			}
		}
		s.join("a", &a)
		expect("alone", &a)
		s.join("b", &b)
		expect("two", &a, "b")
		expect("two", &b, "a")
		call := member{route.NewReporter(route.Report{}), func() { s.leave("b") }}
		for range 2 { // the second time changes nothing
			if err := call.Close(); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(lingers / 2)
		s.join("c", &c)
		expect("b has just ended", &a, "b", "c")
		expect("b has just ended", &c, "a", "b")
		time.Sleep(lingers)
		synctest.Wait()
		expect("b is over", &a, "c")
		expect("b is over", &c, "a")
		expect("b is not told", &b, "a")
	})
	if a, b := newName(), newName(); a == b {
		t.Errorf("two calls are %q", a)
	}
}
