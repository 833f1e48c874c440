package kex

import (
	"reflect"
	"runtime"
)

// wipeMemory clears what key points to, a private key of a package that offers
// no way to wipe it: every array and every slice of bytes that key holds by
// value or by pointer. It goes through no interface: behind those stands what
// keys share.
func wipeMemory(key reflect.Value) {
	switch key.Kind() {
	case reflect.Pointer:
		if !key.IsNil() {
			wipeMemory(key.Elem())
		}
	case reflect.Struct:
		for i := range key.NumField() {
			wipeMemory(key.Field(i))
		}
	case reflect.Slice:
		if key.Type().Elem().Kind() == reflect.Uint8 {
			clear(key.Bytes())
		}
	case reflect.Array:
		reflect.NewAt(key.Type(), key.Addr().UnsafePointer()).Elem().SetZero()
	}
	runtime.KeepAlive(key)
}
