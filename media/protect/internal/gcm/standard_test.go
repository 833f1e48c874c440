package gcm

import (
	"reflect"
	"testing"
)

// Wipe leaves nothing of the key, neither here nor in what the standard library
// made of it.
func TestWipe(t *testing.T) {
	eachTier(t, func(t *testing.T, p *pair) {
		k := p.Keys
		if k == (Keys{}) {
			t.Fatal("no key to wipe")
		}
		data := make([]byte, 80)
		k.Seal(new([12]byte), nil, data)
		k.Open(new([12]byte), nil, data)
		var behind []reflect.Value
		if k.std.aead != nil {
			behind = []reflect.Value{reflect.ValueOf(k.std.aead).Elem()}
		}
		for i, v := range behind {
			if v.IsZero() {
				t.Errorf("part %d is not there", i)
			}
		}
		k.Wipe()
		for i, v := range append(behind, reflect.ValueOf(k)) {
			if !v.IsZero() {
				t.Errorf("part %d was not wiped: %v", i, v)
			}
		}
		k.Wipe() // once more does no harm
		defer func() {
			if recover() == nil {
				t.Error("sealed without a key")
			}
		}()
		k.Seal(new([12]byte), nil, data)
	})
}
