package kex

import (
	"bytes"
	"crypto/rand"
	"errors"
	"reflect"
	"testing"
	"unsafe"
)

var (
	ownPackage = reflect.TypeFor[Key]().PkgPath()
	groupType  = reflect.TypeFor[group]()
)

// memory collects the memory of every array and slice that hangs on v through
// pointers, structs and interfaces of this package. It stops at what all keys
// share: groups, and curves behind interfaces of the standard library.
func memory(v reflect.Value) (found [][]byte) {
	if v.Type().Implements(groupType) {
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return memory(v.Elem())
		}
	case reflect.Interface:
		if !v.IsNil() && v.Type().PkgPath() == ownPackage {
			return memory(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			found = append(found, memory(v.Field(i))...)
		}
	case reflect.Slice:
		return [][]byte{unsafe.Slice((*byte)(v.UnsafePointer()), v.Len()*int(v.Type().Elem().Size()))}
	case reflect.Array:
		return [][]byte{unsafe.Slice((*byte)(v.Addr().UnsafePointer()), v.Type().Size())}
	}
	return found
}

// checkWiped keeps hold of all memory that hangs on key, wipes it, and looks
// at that memory again: a part with another layout would be noticed here. Only
// what is part of the public value may be left.
func checkWiped(t *testing.T, key any, scalar, public []byte, wipe func()) {
	t.Helper()
	held := memory(reflect.ValueOf(key))
	holds := false
	for _, m := range held {
		holds = holds || bytes.Contains(m, scalar)
	}
	if !holds {
		t.Fatal("the secret was not found even before the wipe")
	}
	wipe()
	for _, m := range held {
		if !bytes.Equal(m, make([]byte, len(m))) && !bytes.Contains(public, m) {
			t.Errorf("%d bytes outlive Wipe: %x", len(m), m)
		}
	}
}

func TestWipe(t *testing.T) {
	for _, a := range table {
		t.Run(a.Name.String(), func(t *testing.T) {
			random := make([]byte, a.SecretLen(128))
			rand.Read(random)
			scalar := bytes.Clone(random)
			if c, ok := a.group.(*curve); ok {
				scalar = scalar[:c.scalarLen]
			}
			key := generate(t, &a, random)
			peer := freshKey(t, &a, 128).Public()
			if _, err := key.Shared(peer); err != nil {
				t.Fatal(err)
			}
			pv := key.Public()
			checkWiped(t, key, scalar, pv, func() { key.Wipe(); key.Wipe() })
			if _, err := key.Shared(peer); !errors.Is(err, ErrWiped) {
				t.Errorf("a wiped key computed: %v", err)
			}
			if !bytes.Equal(key.Public(), pv) {
				t.Error("the public value did not outlive Wipe")
			}
			// The wipe must not have reached what all keys share.
			if _, err := freshKey(t, &a, 128).Shared(peer); err != nil {
				t.Errorf("after a wipe the next key fails: %v", err)
			}
		})
	}
	(*Key)(nil).Wipe()
}
