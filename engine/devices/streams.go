package devices

import (
	"crypto/rand"
	"maps"
	"slices"
	"sync"
	"time"

	"sotto/media/route"
)

// lingers is how long after a call its streams may still be shown by a sound
// server. Until then whoever takes their name is not found out.
const lingers = time.Second

// ours are the streams of this process: a sound server shows those of all its
// calls under one process ID.
var ours streams

// streams are the names under which calls have their streams open, so that the
// watch of each knows those of the others from what only says that it is ours. The
// zero value has none. Its methods may be called from any goroutine.
type streams struct {
	mu      sync.Mutex         // guards what follows
	watches map[string]watcher // by name; nil when the call has ended
}

// watcher is a [system.Watch].
type watcher interface{ Others(names []string) }

// newName is one that no other streams have.
func newName() string { return "call " + rand.Text()[:12] }

// join tells every watch of a call whose streams are about to be opened.
func (s *streams) join(name string, w watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watches == nil {
		s.watches = map[string]watcher{}
	}
	s.watches[name] = w
	s.tell()
}

// leave is for a call whose streams are closed.
func (s *streams) leave(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watches[name] = nil
	time.AfterFunc(lingers, func() { s.forget(name) })
}

func (s *streams) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watches, name)
	s.tell()
}

// tell tells each watch the names of the other calls' streams.
func (s *streams) tell() {
	for name, w := range s.watches {
		if w != nil {
			all := slices.Sorted(maps.Keys(s.watches))
			w.Others(slices.DeleteFunc(all, func(other string) bool { return other == name }))
		}
	}
}

// member is the watch of a call among others.
type member struct {
	route.Watch
	leave func()
}

func (m member) Close() error {
	m.leave()
	return m.Watch.Close()
}
