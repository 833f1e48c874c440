package zrtp

import (
	"io"
	"maps"
	"reflect"
	"slices"
	"time"
	"unsafe"

	"sotto/internal/secret"
)

// region is memory that a Session could reach at some time. Keeping it here
// keeps it from being reused, so that it can be looked at again when the
// Session has let go of it.
type region struct {
	at   unsafe.Pointer
	size uintptr
}

func (r region) bytes() []byte { return unsafe.Slice((*byte)(r.at), r.size) }

// memory is all that could be reached from the Sessions shown to it, by
// whatever way: unexported fields, slices up to their capacity, maps, and what
// stands behind interfaces. It knows nothing of what a Session is made of.
// What it can't see into are the variables of closures.
type memory struct {
	regions map[region]reflect.Type
	secrets map[*secret.Bytes]bool
	foreign map[unsafe.Pointer]bool // what belongs to others, and is not entered
	seen    map[reach]bool          // in the present walk
}

type reach struct {
	at unsafe.Pointer
	t  reflect.Type
	n  int
}

func newMemory() *memory {
	return &memory{regions: map[region]reflect.Type{}, secrets: map[*secret.Bytes]bool{}, foreign: map[unsafe.Pointer]bool{}}
}

// visit adds what s can reach now. What its Config points to is the caller's.
func (m *memory) visit(s *Session) {
	for _, v := range []reflect.Value{reflect.ValueOf(s.cfg.Rand), reflect.ValueOf(s.cfg.Store), reflect.ValueOf(s.cfg.AuxSecret)} {
		if v.Kind() == reflect.Pointer {
			m.foreign[v.UnsafePointer()] = true
		}
	}
	if s.call != nil {
		m.foreign[unsafe.Pointer(s.call.first)] = true
	}
	m.seen = map[reach]bool{}
	m.walk(reflect.ValueOf(&s).Elem())
}

// add takes a region in and says whether this walk has been there before.
func (m *memory) add(at unsafe.Pointer, t reflect.Type, n int) (again bool) {
	if size := t.Size() * uintptr(n); size > 0 {
		m.regions[region{at, size}] = t
	}
	r := reach{at, t, n}
	again = m.seen[r]
	m.seen[r] = true
	return again
}

// walk follows v, which is addressable and not read through an unexported
// field: at makes it so.
func (m *memory) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if s, ok := v.Interface().(*secret.Bytes); ok && s.Len() > 0 {
			m.secrets[s] = true
		}
		if p := v.UnsafePointer(); p == nil || m.foreign[p] || v.Type() == reflect.TypeFor[*time.Location]() || m.add(p, v.Type().Elem(), 1) {
			return
		}
		m.walk(v.Elem())
	case reflect.Slice:
		if v.IsNil() || m.add(v.UnsafePointer(), v.Type().Elem(), v.Cap()) || !pointers(v.Type().Elem()) {
			return
		}
		all := v.Slice(0, v.Cap())
		for i := range all.Len() {
			m.walk(all.Index(i))
		}
	case reflect.String:
		m.add(unsafe.Pointer(unsafe.StringData(v.String())), reflect.TypeFor[byte](), v.Len())
	case reflect.Interface:
		if !v.IsNil() {
			m.walk(inside(v))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			m.walk(at(f.Type(), f.Addr().UnsafePointer()))
		}
	case reflect.Array:
		for i := range v.Len() {
			if pointers(v.Type().Elem()) {
				m.walk(v.Index(i))
			}
		}
	case reflect.Map:
		for pairs := v.MapRange(); pairs.Next(); {
			for _, part := range []reflect.Value{pairs.Key(), pairs.Value()} {
				copied := reflect.New(part.Type())
				copied.Elem().Set(part)
				m.walk(copied)
			}
		}
	}
}

func at(t reflect.Type, p unsafe.Pointer) reflect.Value { return reflect.NewAt(t, p).Elem() }

// inside is what an interface holds, where it holds it: the second of its two
// words is a pointer to it, or is itself the value if that is one pointer.
func inside(v reflect.Value) reflect.Value {
	words := (*[2]unsafe.Pointer)(v.Addr().UnsafePointer())
	t := v.Elem().Type()
	if onePointer(t) {
		return at(t, unsafe.Pointer(&words[1]))
	}
	return reflect.NewAt(t, words[1])
}

func onePointer(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return true
	case reflect.Struct:
		return t.NumField() == 1 && onePointer(t.Field(0).Type)
	case reflect.Array:
		return t.Len() == 1 && onePointer(t.Elem())
	}
	return false
}

// pointers says whether values of type t lead anywhere.
func pointers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return pointers(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if pointers(t.Field(i).Type) {
				return true
			}
		}
		return false
	case reflect.Pointer, reflect.Slice, reflect.String, reflect.Interface, reflect.Map:
		return true
	}
	return false
}

// window is a piece of a secret: finding one is finding the secret.
type window [12]byte

// windows are the pieces of secrets, and what they are pieces of.
type windows map[window]string

// add takes in every fourth piece of b, and of b backwards, as numbers stand
// in memory.
func (w windows) add(what string, b []byte) {
	backwards := slices.Clone(b)
	slices.Reverse(backwards)
	for _, b := range [][]byte{b, backwards} {
		for i := 0; i+len(window{}) <= len(b); i += 4 {
			if piece := window(b[i:]); piece != (window{}) {
				w[piece] = what
			}
		}
	}
}

// removePublic takes out what stands in b.
func (w windows) removePublic(b []byte) {
	for i := 0; i+len(window{}) <= len(b); i++ {
		delete(w, window(b[i:]))
	}
}

// found names the secrets that stand in memory, in order, and where.
func (w windows) found(m *memory) []string {
	names := map[string]bool{}
	for r, t := range m.regions {
		b := r.bytes()
		for i := 0; i+len(window{}) <= len(b); i++ {
			if what, ok := w[window(b[i:])]; ok {
				names[what+" in "+t.String()] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// recordingRand remembers what it gives.
type recordingRand struct {
	io.Reader
	given [][]byte
}

func (r *recordingRand) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.given = append(r.given, slices.Clone(b[:n]))
	return n, err
}
