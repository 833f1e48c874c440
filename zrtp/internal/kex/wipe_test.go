package kex

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"reflect"
	"slices"
	"testing"
	"unsafe"

	circl "github.com/cloudflare/circl/kem"

	"sotto/zrtp/wire"
)

// private keys are behind these interfaces; behind others is what keys share.
var privateTypes = []reflect.Type{reflect.TypeFor[private](), reflect.TypeFor[circl.PrivateKey]()}

// memory collects the memory of every array and slice that hangs on v, except
// for what all keys share.
func memory(v reflect.Value) (found [][]byte) {
	if v.Type() == reflect.TypeFor[wire.Algo]() || v.Type().Implements(reflect.TypeFor[group]()) {
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return memory(v.Elem())
		}
	case reflect.Interface:
		if !v.IsNil() && slices.Contains(privateTypes, v.Type()) {
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

// checkWiped keeps hold of all memory that hangs on key, finds each secret in
// it, wipes it, and looks at that memory again: a part with another layout
// would be noticed here. Only what is part of the public value may be left.
func checkWiped(t *testing.T, key interface{ Wipe() }, public []byte, secrets ...[]byte) {
	t.Helper()
	held := memory(reflect.ValueOf(key))
	for i, s := range secrets {
		if !slices.ContainsFunc(held, func(m []byte) bool { return bytes.Contains(m, s) }) {
			t.Fatalf("secret %d was not found even before the wipe", i)
		}
	}
	key.Wipe()
	key.Wipe()
	for _, m := range held {
		if !bytes.Equal(m, make([]byte, len(m))) && !bytes.Contains(public, bytes.TrimRight(m, "\x00")) {
			t.Errorf("%d bytes outlive Wipe: %x", len(m), m)
		}
	}
}

// What stands behind an interface is what keys share, and stays.
func TestWipeMemoryStopsAtInterfaces(t *testing.T) {
	shared := [2]byte{1, 2}
	key := struct {
		secret []byte
		group  any
	}{[]byte{3, 4}, &shared}
	wipeMemory(reflect.ValueOf(&key))
	if !bytes.Equal(key.secret, []byte{0, 0}) || shared != [2]byte{1, 2} {
		t.Errorf("%v, %v", key, shared)
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
			checkWiped(t, key, pv, scalar)
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

func TestWipeKEM(t *testing.T) {
	before := expansions.Swap(0) // so that keys are kept expanded
	defer func() { expansions.Add(before) }()
	for _, row := range kems {
		t.Run(row.name, func(t *testing.T) {
			m := lookupKEM(t, row.name, sha256.New)
			random := randomBytes(m.SecretLen)
			key := generateKEM(t, m, random)
			public := publicOf(t, key)
			ciphertext, shared := encapsulate(t, m, randomBytes(m.EncapsulateLen), public)
			if _, err := key.Decapsulate(ciphertext); err != nil {
				t.Fatal(err)
			}
			secrets := [][]byte{random[:m.curve.SecretLen(0)]}
			if m.lattice != nil { // d and z of FIPS 203
				secrets = append(secrets, random[len(random)-64:])
			}
			if (key.expanded != nil) != (m.lattice != nil) {
				t.Error("the expanded key is not there to be wiped")
			}
			checkWiped(t, key, public, secrets...)
			if s, err := key.Decapsulate(ciphertext); !errors.Is(err, ErrWiped) || s != nil {
				t.Errorf("a wiped key computed %x, %v", s, err)
			}
			if p, err := key.Public(); !errors.Is(err, ErrWiped) || p != nil {
				t.Errorf("a wiped key is public as %x, %v", p, err)
			}
			// The wipe must not have reached what all keys share.
			got, err := generateKEM(t, m, random).Decapsulate(ciphertext)
			if err != nil || !bytes.Equal(got, shared) {
				t.Errorf("after a wipe the next key fails: %x, %v", got, err)
			}
		})
	}
	(*KEMKey)(nil).Wipe()
}

// expanded is a lattice key as it exists during one computation.
type expanded struct{ key circl.PrivateKey }

func (e expanded) Wipe() { wipeMemory(reflect.ValueOf(e.key)) }

func TestWipeLattice(t *testing.T) {
	for _, row := range kems {
		if row.lattice == nil {
			continue
		}
		seed := randomBytes(row.lattice.SeedSize())
		public, private := row.lattice.DeriveKeyPair(seed)
		encoded, err := public.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		checkWiped(t, expanded{private}, encoded, seed[len(seed)-32:]) // z of FIPS 203
	}
}
