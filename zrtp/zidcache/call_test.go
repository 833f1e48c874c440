package zidcache_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"sotto/internal/secret"
	"sotto/zrtp"
	"sotto/zrtp/zidcache"
)

// TestAdversary_E5_KilledInCalls kills a process in which two phones, each
// with a cache in a file, call each other again and again. Whatever is left in
// the two files, the next call continues, and name, enrolment and the user's
// word are still there.
func TestAdversary_E5_KilledInCalls(t *testing.T) {
	dir := t.TempDir()
	ids := [2]string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}
	if err := callsBetween(ids, 1, nil); err != nil {
		t.Fatal(err)
	}
	pbx := bytes.Repeat([]byte{5}, 32)
	for i, path := range ids {
		err := onRecord(ids, i, func(r *zrtp.Record) error {
			r.Name, r.PBXSecret = path, secret.Copy(pbx)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	rounds := lives(60, 1000)
	made, apart := 0, 0
	for range rounds {
		made += start(t, "call", ids[:]...).lastNumber(t, 0)
		var rs1 [2]*secret.Bytes
		for i, path := range ids {
			err := onRecord(ids, i, func(r *zrtp.Record) error {
				if r.Name != path || !bytes.Equal(r.PBXSecret.Reveal(), pbx) || !r.Verified {
					t.Errorf("side %d has lost name %q, enrolment or verification %v", i, r.Name, r.Verified)
				}
				rs1[i] = secret.Copy(r.RS1.Reveal())
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if !rs1[0].Equal(rs1[1]) {
			apart++
		}
	}
	if err := callsBetween(ids, 2, nil); err != nil {
		t.Error(err)
	}
	if made == 0 || apart == 0 { // a busy machine gets through few calls in a life
		t.Errorf("%d calls, %d times apart: nothing was interrupted", made, apart)
	}
	t.Logf("%d killed in %d calls, %d times with one side's record renewed and the other's not", rounds, made, apart)
}

// onRecord changes what side i keeps of the other.
func onRecord(paths [2]string, i int, change func(*zrtp.Record) error) error {
	other, err := zidcache.Open(paths[1-i])
	if err != nil {
		return err
	}
	zid := other.ZID()
	if err := other.Close(); err != nil {
		return err
	}
	c, err := zidcache.Open(paths[i])
	if err != nil {
		return err
	}
	return errors.Join(c.Store(own, peer).Update(zid, change), c.Close())
}

// callChild makes calls and says how many, until it kills itself.
func callChild(args []string) error {
	dieWithin(40 * time.Millisecond)
	return callsBetween([2]string(args), 1_000_000, func(n int) { fmt.Println(n) })
}

// callsBetween makes n calls between the phones with these caches, and both
// users compare the SAS once.
func callsBetween(paths [2]string, n int, done func(int)) error {
	var caches [2]*zidcache.Cache
	for i, path := range paths {
		c, err := zidcache.Open(path)
		if err != nil {
			return err
		}
		defer c.Close()
		caches[i] = c
	}
	for i := range n {
		if err := oneCall(caches, i%2); err != nil {
			return fmt.Errorf("call %d: %w", i, err)
		}
		if done != nil {
			done(i + 1)
		}
	}
	return nil
}

// oneCall runs a handshake in which one side only responds.
func oneCall(caches [2]*zidcache.Cache, responder int) error {
	var s [2]*zrtp.Session
	var known [2]bool
	now := time.Now()
	for i, c := range caches {
		store := c.Store(own, peer)
		r, err := store.Load(caches[1-i].ZID())
		if err != nil {
			return err
		}
		known[i] = r.RS1.Len() > 0
		s[i], err = zrtp.New(zrtp.Config{Rand: rand.Reader, ZID: c.ZID(), SSRC: uint32(i + 1), Passive: i == responder, Store: store})
		if err != nil {
			return err
		}
		s[i].Start(now)
	}
	for said := true; said; {
		said = false
		for i := range s {
			for pkt, ok := s[i].AppendPacket(nil); ok; pkt, ok = s[i].AppendPacket(nil) {
				_ = s[1-i].HandlePacket(now, pkt) // what counts is how it ends
				said = true
			}
		}
	}
	for i := range s {
		if err := ending(s[i], known[i]); err != nil {
			return fmt.Errorf("side %d, cache %v: %w", i, caches[i].ZID(), err)
		}
	}
	return nil
}

// ending says what is wrong with how a call has ended.
func ending(s *zrtp.Session, known bool) error {
	defer s.Close()
	for e := s.NextEvent(); e != nil; e = s.NextEvent() {
		switch e := e.(type) {
		case zrtp.StoreFailed:
			return e.Err
		case zrtp.Secured:
			if e.CacheMismatch || e.Continued != known || known && !e.Verified {
				return fmt.Errorf("known %v, continued %v, verified %v, alarm %v", known, e.Continued, e.Verified, e.CacheMismatch)
			}
			if known {
				return nil
			}
			return s.SetVerified(true)
		}
	}
	return errors.New("not secure, in state " + s.State().String())
}
