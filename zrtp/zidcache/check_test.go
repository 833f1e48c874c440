package zidcache

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

func openBolt(t testing.TB, path string, pageSize int) *bbolt.DB {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{PageSize: pageSize, NoSync: true, NoGrowSync: true})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func check(t testing.TB, path string) error {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return checkFile(f, info.Size())
}

// TestCheckAccepts lets bbolt do all that it can do to a file: trees of
// several levels that grow and shrink, keys and values of every size, large
// ones over several pages, buckets inline and not. The file must be in order
// after every transaction: to refuse a good file is to lose it.
func TestCheckAccepts(t *testing.T) {
	for _, pageSize := range []int{1024, 4096, 16384, 65536} {
		t.Run(fmt.Sprint(pageSize), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "db")
			db := openBolt(t, path, pageSize)
			defer db.Close()
			random := rand.New(rand.NewPCG(uint64(pageSize), 1))
			err := db.Update(func(tx *bbolt.Tx) error {
				_, err := tx.CreateBucket(bucketName()) // stays: no cache is without it
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			for n := range 150 {
				grow := n/40%2 == 0
				if err := db.Update(func(tx *bbolt.Tx) error { return scramble(tx, random, grow) }); err != nil {
					t.Fatal(err)
				}
				if err := check(t, path); err != nil {
					t.Fatalf("after transaction %d: %v", n, err)
				}
			}
		})
	}
}

// scramble changes one of a few buckets at random.
func scramble(tx *bbolt.Tx, random *rand.Rand, grow bool) error {
	name := fmt.Append(nil, "bucket", random.IntN(4))
	b, err := tx.CreateBucketIfNotExists(name)
	if err != nil {
		return err
	}
	if random.IntN(2) == 0 {
		if b, err = b.CreateBucketIfNotExists([]byte("below")); err != nil {
			return err
		}
	}
	if !grow && random.IntN(10) == 0 {
		return tx.DeleteBucket(name)
	}
	for range random.IntN(60) {
		key := []byte(strings.Repeat("k", random.IntN(60)) + fmt.Sprint(random.IntN(400)))
		if grow {
			err = b.Put(key, make([]byte, random.IntN(300)))
		} else {
			err = b.Delete(key)
		}
		if err != nil {
			return err
		}
	}
	if random.IntN(5) == 0 {
		return b.Put([]byte("large"), make([]byte, random.IntN(30000)))
	}
	return nil
}

// TestCheckFallsBack destroys one meta page, then both: the other one is
// enough, whatever the page size.
func TestCheckFallsBack(t *testing.T) {
	for _, pageSize := range []int{1024, 4096, 65536} {
		path := filepath.Join(t.TempDir(), "db")
		db := openBolt(t, path, pageSize)
		for range 5 {
			err := db.Update(func(tx *bbolt.Tx) error {
				_, err := tx.CreateBucketIfNotExists(bucketName())
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		destroy := func(pages ...int) error {
			b := bytes.Clone(good)
			for _, p := range pages {
				clear(b[p*pageSize:][:100])
			}
			return checkFile(bytes.NewReader(b), int64(len(b)))
		}
		if err := destroy(0); err != nil {
			t.Errorf("page size %d, without meta page 0: %v", pageSize, err)
		}
		if err := destroy(1); err != nil {
			t.Errorf("page size %d, without meta page 1: %v", pageSize, err)
		}
		if err := destroy(0, 1); err == nil {
			t.Errorf("page size %d: accepted without any meta page", pageSize)
		}
	}
}

// TestCheckMatchesBolt inverts bits of every page that is in use, and asks
// bbolt's own check about each file that ours accepts.
func TestCheckMatchesBolt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	const pageSize = 1024
	db := openBolt(t, path, pageSize)
	random := rand.New(rand.NewPCG(3, 4))
	for n := range 5 {
		if err := db.Update(func(tx *bbolt.Tx) error { return scramble(tx, random, n < 4) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	accepted, refused := 0, 0
	for page := 2; page < len(good)/pageSize; page++ {
		// All of the count in the header; some of what is around it.
		bits := []int{}
		for bit := 8 * 10; bit < 8*12; bit++ {
			bits = append(bits, bit)
		}
		for range 3 {
			bits = append(bits, random.IntN(8*80))
		}
		for _, bit := range bits {
			b := bytes.Clone(good)
			b[page*pageSize+bit/8] ^= 1 << (bit % 8)
			if checkFile(bytes.NewReader(b), int64(len(b))) != nil {
				refused++
				continue
			}
			accepted++
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			boltAccepts(t, path, pageSize)
		}
	}
	t.Logf("%d accepted, %d refused", accepted, refused)
	if accepted == 0 || refused == 0 {
		t.Error("one of the two was never tried")
	}
}

func boltAccepts(t *testing.T, path string, pageSize int) {
	t.Helper()
	db := openBolt(t, path, pageSize)
	defer db.Close()
	err := db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("bbolt finds what we don't: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// FuzzCheckFile feeds pages of anything below a meta page that is valid.
func FuzzCheckFile(f *testing.F) {
	const pageSize = 1024
	path := filepath.Join(f.TempDir(), "db")
	db := openBolt(f, path, pageSize)
	err := db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket(bucketName())
		for i := 0; i < 20 && err == nil; i++ {
			err = b.Put([]byte{byte(i)}, make([]byte, 200*(i/19)+100))
		}
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	if err := db.Close(); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	m, err := readMeta(bytes.NewReader(good))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good[2*pageSize:m.pages*pageSize], m.root, m.freelist)
	f.Add([]byte{}, uint64(3), uint64(2))
	f.Add(make([]byte, 4*pageSize), uint64(1<<63), uint64(2))
	f.Fuzz(func(t *testing.T, pages []byte, root, freelist uint64) {
		n := 2 + len(pages)/pageSize
		b := make([]byte, n*pageSize)
		copy(b[2*pageSize:], pages)
		putMeta(b[pageHeaderLen:], meta{pageSize, root, freelist, uint64(n), 9})
		err := checkFile(bytes.NewReader(b), int64(len(b)))
		if m, e := readMeta(bytes.NewReader(b)); e != nil || m.root != root {
			t.Fatalf("the meta page made here is not valid: %v", e)
		}
		if root >= uint64(n) && err == nil {
			t.Error("accepted without a root")
		}
	})
}

// putMeta writes a valid meta page.
func putMeta(b []byte, m meta) {
	native := binary.NativeEndian
	native.PutUint32(b[0:], boltMagic)
	native.PutUint32(b[4:], boltVersion)
	native.PutUint32(b[8:], uint32(m.pageSize))
	native.PutUint64(b[16:], m.root)
	native.PutUint64(b[32:], m.freelist)
	native.PutUint64(b[40:], m.pages)
	native.PutUint64(b[48:], m.latest)
	h := fnv.New64a()
	_, _ = h.Write(b[:metaLen-8])
	native.PutUint64(b[56:], h.Sum64())
}
