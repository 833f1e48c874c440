package zidcache

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"sotto/internal/secret"
	"sotto/zrtp"
	"sotto/zrtp/wire"
)

func fullRecord() *zrtp.Record {
	return &zrtp.Record{
		RS1:       secret.Copy(bytes.Repeat([]byte{1}, secretLen)),
		RS2:       secret.Copy(bytes.Repeat([]byte{2}, secretLen)),
		PBXSecret: secret.Copy(bytes.Repeat([]byte{3}, secretLen)),
		RS1Expiry: time.Unix(1_800_000_000, 5),
		RS2Expiry: time.Unix(1_700_000_000, 0),
		Verified:  true,
		Name:      "Bob",
	}
}

func encoded(t testing.TB, r *zrtp.Record) (key, value []byte) {
	t.Helper()
	key, err := recordKey("sip:a@x", wire.ZID{1, 2, 3}, "sip:b@y")
	if err != nil {
		t.Fatal(err)
	}
	if value, err = encodeRecord(key, r); err != nil {
		t.Fatal(err)
	}
	return key, value
}

// TestRecordDamaged wants every prefix, every extension and every inverted
// bit of a record refused, and the record under any other key.
func TestRecordDamaged(t *testing.T) {
	key, value := encoded(t, fullRecord())
	if _, err := decodeRecord(key, value); err != nil {
		t.Fatal(err)
	}
	refused := func(what string, at int, key, value []byte) {
		t.Helper()
		r, err := decodeRecord(key, value)
		if !errors.Is(err, ErrDamaged) || r != (zrtp.Record{}) {
			t.Errorf("%s %d: %+v, %v", what, at, r, err)
		}
	}
	for n := range value {
		refused("prefix", n, key, value[:n])
		for bit := range 8 {
			b := bytes.Clone(value)
			b[n] ^= 1 << bit
			refused("byte", n, key, b)
		}
	}
	refused("extension", 1, key, append(bytes.Clone(value), 0))
	for n := range key {
		k := bytes.Clone(key)
		k[n]++
		refused("key", n, k, value)
	}
	refused("key", len(key), append(bytes.Clone(key), value[0]), value[1:])
}

// TestRecordLayout seals what encodeRecord would not write.
func TestRecordLayout(t *testing.T) {
	for name, spoil := range map[string]func(payload []byte) []byte{
		"version":       func(b []byte) []byte { b[0]++; return b },
		"unknown flag":  func(b []byte) []byte { b[1] |= 0x80; return b },
		"absent secret": func(b []byte) []byte { b[1] &^= flagRS2; return b },
		"name length":   func(b []byte) []byte { b[nameLenAt+1]++; return b },
		"nanoseconds":   func(b []byte) []byte { b[rs2Expiry+8] = 0xff; return b },
		"no name":       func(b []byte) []byte { return b[:nameAt-1] },
		"short name":    func(b []byte) []byte { return b[:len(b)-1] },
		"empty":         func(b []byte) []byte { return b[:0] },
	} {
		key, value := encoded(t, fullRecord())
		payload := spoil(value[:len(value)-checksumLen])
		if _, err := decodeRecord(key, seal(key, payload)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestEncodeDoesNotGrow keeps the secrets from being copied by append.
func TestEncodeDoesNotGrow(t *testing.T) {
	if _, value := encoded(t, fullRecord()); len(value) != cap(value) {
		t.Errorf("length %d, capacity %d", len(value), cap(value))
	}
}

func TestSelf(t *testing.T) {
	zid := wire.ZID{9, 8, 7}
	value := encodeZID(zid)
	if got, err := decodeZID(value); got != zid || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	for n := range value {
		if _, err := decodeZID(value[:n]); err == nil {
			t.Errorf("prefix %d: accepted", n)
		}
	}
	if _, err := decodeZID(seal(selfKey(), append([]byte{formatVersion}, make([]byte, 13)...))); err == nil {
		t.Error("accepted a ZID of 13 bytes")
	}
}

// TestForeignFile opens intact files that hold something else.
func TestForeignFile(t *testing.T) {
	newer := seal(selfKey(), append([]byte{formatVersion + 1}, "more than a ZID"...))
	for name, test := range map[string]struct {
		bucket, key, value []byte
		damaged            bool
		says               string
	}{
		"another program": {[]byte("b"), []byte("k"), []byte("v"), true, errNoBucket.Error()},
		"without a ZID":   {bucketName(), []byte("k"), seal([]byte("k"), []byte{formatVersion}), true, errChecksum.Error()},
		"newer":           {bucketName(), selfKey(), newer, false, errNewer.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "zid")
			db := openBolt(t, path, 4096)
			err := db.Update(func(tx *bbolt.Tx) error {
				b, err := tx.CreateBucket(test.bucket)
				if err != nil {
					return err
				}
				return b.Put(test.key, test.value)
			})
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			_, err = Open(path)
			if err == nil || errors.Is(err, ErrDamaged) != test.damaged ||
				!strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// FuzzDecodeRecord: what is accepted comes back byte for byte.
func FuzzDecodeRecord(f *testing.F) {
	key, value := encoded(f, fullRecord())
	f.Add(value[:len(value)-checksumLen])
	_, value = encoded(f, &zrtp.Record{})
	f.Add(value[:len(value)-checksumLen])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, payload []byte) {
		value := seal(key, bytes.Clone(payload))
		r, err := decodeRecord(key, value)
		if err != nil {
			if r != (zrtp.Record{}) {
				t.Error("a record beside an error")
			}
			return
		}
		again, err := encodeRecord(key, &r)
		if err != nil || !bytes.Equal(again, value) {
			t.Errorf("%x came back as %x, %v", value, again, err)
		}
	})
}
