package cm

import (
	"reflect"
	"testing"

	"sotto/media/protect/internal/tier"
)

// Wipe leaves nothing of the keys, neither here nor in what the standard library
// made of them.
func TestWipe(t *testing.T) {
	eachTier(t, func(t *testing.T, tier tier.Tier, keyLen int) {
		var k Keys
		k.Init(tier, make([]byte, keyLen), make([]byte, 20))
		var tag [TagLen]byte
		k.Sum(&tag, make([]byte, 80), 1)
		k.XOR(new([16]byte), make([]byte, 80))
		std := k.std
		var behind []reflect.Value
		if std != nil {
			behind = []reflect.Value{reflect.ValueOf(std).Elem(), reflect.ValueOf(std.block).Elem(), reflect.ValueOf(std.digest).Elem()}
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
	})
}
