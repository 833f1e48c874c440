package zidcache_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sotto/internal/secret"
	"sotto/zrtp"
	"sotto/zrtp/wire"
	"sotto/zrtp/zidcache"
)

const (
	own  = "sip:alice@example.org"
	peer = "sip:bob@example.org"
)

// zidOf is the ZID of peer number i.
func zidOf(i int) wire.ZID {
	sum := sha256.Sum256(fmt.Append(nil, "zid", i))
	return wire.ZID(sum[:])
}

// recordOf is version n of the record of peer number i; no two agree in
// anything but, sometimes, the flags.
func recordOf(i, n int) zrtp.Record {
	random := func(what string) *secret.Bytes {
		sum := sha256.Sum256(fmt.Append(nil, what, i, n))
		return secret.Copy(sum[:])
	}
	r := zrtp.Record{
		RS1:       random("rs1"),
		RS1Expiry: time.Unix(int64(i), int64(n)),
		Verified:  n%2 == 0,
		Name:      fmt.Sprintf("%d after %d calls%s", i, n, strings.Repeat(".", n%40)),
	}
	if n%3 != 0 {
		r.RS2, r.RS2Expiry = random("rs2"), time.Unix(int64(n), int64(i))
	}
	if n%5 == 0 {
		r.PBXSecret = random("pbx")
	}
	return r
}

// diff says how two records differ; empty when they don't.
func diff(got, want zrtp.Record) string {
	same := func(a, b *secret.Bytes) bool { return a == nil && b == nil || a.Equal(b) }
	switch {
	case !same(got.RS1, want.RS1):
		return "rs1"
	case !same(got.RS2, want.RS2):
		return "rs2"
	case !same(got.PBXSecret, want.PBXSecret):
		return "pbxsecret"
	case !got.RS1Expiry.Equal(want.RS1Expiry) || !got.RS2Expiry.Equal(want.RS2Expiry):
		return "expiry"
	case got.Verified != want.Verified || got.Name != want.Name:
		return fmt.Sprintf("verified %v %q", got.Verified, got.Name)
	}
	return ""
}

func put(s zrtp.Store, zid wire.ZID, r zrtp.Record) error {
	return s.Update(zid, func(stored *zrtp.Record) error {
		*stored = r
		return nil
	})
}

func mustPut(t *testing.T, s zrtp.Store, zid wire.ZID, r zrtp.Record) {
	t.Helper()
	if err := put(s, zid, r); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, s zrtp.Store, zid wire.ZID, want zrtp.Record) {
	t.Helper()
	got, err := s.Load(zid)
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(got, want); d != "" {
		t.Fatalf("%v differs: %s", zid, d)
	}
}

func open(t *testing.T, path string) *zidcache.Cache {
	t.Helper()
	c, err := zidcache.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// TestStore is what every kind of Cache must do.
func TestStore(t *testing.T) {
	kinds := map[string]func(t *testing.T) *zidcache.Cache{
		"file":   func(t *testing.T) *zidcache.Cache { return open(t, filepath.Join(t.TempDir(), "zid")) },
		"memory": func(*testing.T) *zidcache.Cache { return zidcache.NewMemory() },
	}
	tests := map[string]func(t *testing.T, c *zidcache.Cache){
		"new peer":       testNewPeer,
		"round trip":     testRoundTrip,
		"keyed":          testKeyed,
		"update sees":    testUpdateSees,
		"failed change":  testFailedChange,
		"panic":          testPanic,
		"refused values": testRefusedValues,
		"wiped":          testWiped,
		"concurrent":     testConcurrent,
		"closed":         testClosed,
	}
	for kind, make := range kinds {
		for name, test := range tests {
			t.Run(kind+"/"+name, func(t *testing.T) { test(t, make(t)) })
		}
	}
}

func testNewPeer(t *testing.T, c *zidcache.Cache) {
	s := c.Store(own, peer)
	expect(t, s, zidOf(1), zrtp.Record{})
	if got, err := s.Load(zidOf(1)); err != nil || !got.RS1Expiry.IsZero() || got.RS1 != nil {
		t.Errorf("not the zero record: %+v, %v", got, err)
	}
	mustPut(t, s, zidOf(1), zrtp.Record{})
	got, err := s.Load(zidOf(1))
	if err != nil || !got.RS1Expiry.IsZero() || !got.RS2Expiry.IsZero() {
		t.Errorf("times of a stored zero record: %+v, %v", got, err)
	}
	if c.ZID() == (wire.ZID{}) {
		t.Error("no ZID")
	}
}

func testRoundTrip(t *testing.T, c *zidcache.Cache) {
	s := c.Store(own, peer)
	for n := range 40 {
		mustPut(t, s, zidOf(1), recordOf(1, n))
		expect(t, s, zidOf(1), recordOf(1, n))
	}
	long := recordOf(1, 1)
	long.Name = strings.Repeat("ü\x00", 20000)
	long.RS1Expiry = time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)
	long.RS2Expiry = time.Date(-1, 1, 1, 0, 0, 0, 1, time.FixedZone("", 3600))
	mustPut(t, s, zidOf(1), long)
	expect(t, s, zidOf(1), long)
}

// testKeyed stores one record under each of several names that are easily
// confused, and wants each back.
func testKeyed(t *testing.T, c *zidcache.Cache) {
	names := []struct {
		own, peer string
		zid       wire.ZID
	}{
		{own, peer, zidOf(1)},
		{own, peer, zidOf(2)},
		{own, "", zidOf(1)},
		{"", peer, zidOf(1)},
		{"", "", zidOf(1)},
		{"", "", wire.ZID{}},
		{peer, own, zidOf(1)},
		{own + "a", peer, zidOf(1)},
		{own, "a" + peer, zidOf(1)},
		{own, strings.ToUpper(peer), zidOf(1)},
		{"ab", "c", wire.ZID{}}, {"a", "bc", wire.ZID{}}, {"abc", "", wire.ZID{}},
		{"\x00", "", wire.ZID{}}, {"", "\x00", wire.ZID{}},
		{strings.Repeat("x", 1024), strings.Repeat("y", 1024), zidOf(1)},
	}
	for i, n := range names {
		expect(t, c.Store(n.own, n.peer), n.zid, zrtp.Record{})
		mustPut(t, c.Store(n.own, n.peer), n.zid, recordOf(i, 7))
	}
	for i, n := range names {
		expect(t, c.Store(n.own, n.peer), n.zid, recordOf(i, 7))
	}
}

func testUpdateSees(t *testing.T, c *zidcache.Cache) {
	s := c.Store(own, peer)
	for n := range 5 {
		err := s.Update(zidOf(1), func(r *zrtp.Record) error {
			want := zrtp.Record{}
			if n > 0 {
				want = recordOf(1, n-1)
			}
			if d := diff(*r, want); d != "" {
				t.Errorf("update %d saw another record: %s", n, d)
			}
			*r = recordOf(1, n)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// What is moved inside the record survives, as rs1 does when it gets old.
	err := s.Update(zidOf(1), func(r *zrtp.Record) error {
		r.RS2, r.RS1 = r.RS1, recordOf(1, 5).RS1
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := recordOf(1, 4)
	want.RS2, want.RS1 = want.RS1, recordOf(1, 5).RS1
	expect(t, s, zidOf(1), want)
}

func testFailedChange(t *testing.T, c *zidcache.Cache) {
	s := c.Store(own, peer)
	mustPut(t, s, zidOf(1), recordOf(1, 1))
	no := errors.New("no")
	for _, zid := range []wire.ZID{zidOf(1), zidOf(2)} {
		err := s.Update(zid, func(r *zrtp.Record) error {
			*r = recordOf(1, 2)
			return no
		})
		if !errors.Is(err, no) {
			t.Errorf("got %v", err)
		}
	}
	expect(t, s, zidOf(1), recordOf(1, 1))
	expect(t, s, zidOf(2), zrtp.Record{})
}

func testPanic(t *testing.T, c *zidcache.Cache) {
	s := c.Store(own, peer)
	mustPut(t, s, zidOf(1), recordOf(1, 1))
	func() {
		defer func() {
			if recover() != "mine" {
				t.Error("the panic of change was swallowed")
			}
		}()
		_ = s.Update(zidOf(1), func(r *zrtp.Record) error {
			r.Name = "half"
			panic("mine")
		})
	}()
	expect(t, s, zidOf(1), recordOf(1, 1))
	mustPut(t, s, zidOf(1), recordOf(1, 2)) // and nothing is stuck
}

func testRefusedValues(t *testing.T, c *zidcache.Cache) {
	s := c.Store(own, peer)
	mustPut(t, s, zidOf(1), recordOf(1, 1))
	wiped := secret.Copy(make([]byte, 32))
	wiped.Wipe()
	for name, bad := range map[string]zrtp.Record{
		"short":     {RS1: secret.Copy(make([]byte, 31))},
		"long":      {RS2: secret.Copy(make([]byte, 33))},
		"wiped":     {PBXSecret: wiped},
		"long name": {Name: strings.Repeat("n", 1<<16)},
	} {
		if err := put(s, zidOf(1), bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	expect(t, s, zidOf(1), recordOf(1, 1))

	long := strings.Repeat("x", 1025)
	for _, s := range []zrtp.Store{c.Store(long, peer), c.Store(own, long)} {
		if _, err := s.Load(zidOf(1)); err == nil {
			t.Error("loaded for an identity that is too long")
		}
		if err := put(s, zidOf(1), recordOf(1, 1)); err == nil {
			t.Error("stored for an identity that is too long")
		}
	}
}

// testWiped checks who wipes what: the store what it loaded, its caller the
// rest.
func testWiped(t *testing.T, c *zidcache.Cache) {
	s := c.Store(own, peer)
	mustPut(t, s, zidOf(1), recordOf(1, 5)) // all three secrets
	mine := recordOf(1, 10)
	var loaded [][]byte
	err := s.Update(zidOf(1), func(r *zrtp.Record) error {
		for _, b := range []*secret.Bytes{r.RS1, r.RS2, r.PBXSecret} {
			loaded = append(loaded, b.Reveal())
		}
		r.RS2, r.RS1 = r.RS1, mine.RS1
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range loaded {
		if len(b) != 32 || string(b) != string(make([]byte, 32)) {
			t.Errorf("loaded secret %d was not wiped", i)
		}
	}
	if !mine.RS1.Equal(recordOf(1, 10).RS1) {
		t.Error("a secret of the caller was wiped")
	}
	// One Load does not share with the next.
	r, err := s.Load(zidOf(1))
	if err != nil {
		t.Fatal(err)
	}
	r.Wipe()
	want := recordOf(1, 5)
	want.RS2, want.RS1 = want.RS1, mine.RS1
	expect(t, s, zidOf(1), want)
}

func testConcurrent(t *testing.T, c *zidcache.Cache) {
	const workers, rounds = 4, 10
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			s := c.Store(own, peer)
			for range rounds {
				err := s.Update(zidOf(0), func(r *zrtp.Record) error {
					r.Name += "."
					return nil
				})
				if err != nil {
					t.Error(err)
				}
				if err := put(s, zidOf(1+w), recordOf(w, 1)); err != nil {
					t.Error(err)
				}
				if _, err := s.Load(zidOf(0)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	expect(t, c.Store(own, peer), zidOf(0), zrtp.Record{Name: strings.Repeat(".", workers*rounds)})
}

func testClosed(t *testing.T, c *zidcache.Cache) {
	s := c.Store(own, peer)
	mustPut(t, s, zidOf(1), recordOf(1, 1))
	for range 2 {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Load(zidOf(1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("load: %v", err)
	}
	err := s.Update(zidOf(1), func(*zrtp.Record) error {
		t.Error("change was called")
		return nil
	})
	if !errors.Is(err, os.ErrClosed) {
		t.Errorf("update: %v", err)
	}
}
