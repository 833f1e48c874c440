// Package zidcache remembers peers between calls: their retained secrets, and
// whether the user compared the SAS with them (RFC 6189 §4.9). It implements
// [zrtp.Store], in a file ([Open]) or in memory only ([NewMemory]).
//
// The file is a bbolt database. An update is one transaction that is on the
// disk when Update returns: after a crash or a loss of power the file holds
// the record as it was before or as it is after, never a mixture, and no
// other record is touched. Every record carries a checksum over itself and
// its key. The whole file is checked before it is used; what is damaged is
// refused and never replaced, because a cache that starts anew in silence
// would make every known peer look like a stranger.
//
// Two limits. When the one page that makes the latest transaction valid is
// damaged, the file looks as if that transaction had never finished, and the
// state before it is used; retained secrets allow for this, as a peer keeps
// two (RFC 6189 §4.3). And freed pages are reused, not overwritten: an old
// secret may stay in the file until its page is needed. The file is as
// confidential as a private key.
package zidcache

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"os"
	"sync"

	"sotto/internal/secret"
	"sotto/zrtp"
	"sotto/zrtp/wire"
)

var (
	// ErrInUse says that another process, or another Cache of this one, has
	// the file open.
	ErrInUse = errors.New("zidcache: in use by another process")
	// ErrDamaged says that the file is not as it was written.
	ErrDamaged = errors.New("zidcache: damaged file")
)

// table is where values are kept; Cache never calls it from two goroutines.
type table interface {
	// get returns a copy of the value of key, nil when there is none. The
	// caller wipes it.
	get(key []byte) ([]byte, error)
	// replace puts value in the place of old, and returns when that will
	// survive a crash. After an error, old is still there or the table
	// refuses to work. It does not keep value.
	replace(key, old, value []byte) error
	close() error
}

// Cache keeps the records of one endpoint. Its methods, and those of the
// Stores it gives, may be called from several goroutines.
type Cache struct {
	zid wire.ZID

	// mu is held over every use of the table, reading too: a fault in one
	// may leave bbolt's own locks held for ever, and the next one must find
	// that out from the table, not by waiting for them.
	mu    sync.Mutex
	table table // nil once closed
}

// Open opens the cache in the file path, and first makes it, with a new ZID,
// when there is none: mode 0600, in a directory of mode 0700. It waits up to
// a second for another process to let go of the file.
//
// It fails with ErrInUse, with ErrDamaged, when other users can read or write
// the file, or with the error of the file system. It never changes or
// replaces a file that it can't read.
func Open(path string) (*Cache, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := create(path, newZID()); err != nil {
			return nil, fmt.Errorf("zidcache: can't create %s: %w", path, err)
		}
	}
	d, err := openDisk(path)
	if err != nil {
		return nil, err
	}
	zid, err := d.zid()
	if err != nil {
		_ = d.close() // nothing was written; err says more
		return nil, err
	}
	return &Cache{zid: zid, table: d}, nil
}

// NewMemory makes a cache that forgets everything, its ZID too, when closed.
func NewMemory() *Cache {
	return &Cache{zid: newZID(), table: make(memory)}
}

func newZID() (zid wire.ZID) {
	_, _ = rand.Read(zid[:]) // never fails: it ends the program instead
	return zid
}

// ZID is this endpoint's ZID, made once at random for the life of the cache
// (RFC 6189 §4.9).
func (c *Cache) ZID() wire.ZID { return c.zid }

// Store gives the records that ownIdentity keeps of peerIdentity. Identities
// are compared byte by byte, so the caller brings them to one form; each is
// at most 1024 bytes long.
//
// In Update, secrets that change finds in the record are wiped when it
// returns, wherever it leaves them; secrets that it brings stay its own.
// It must not use the cache.
func (c *Cache) Store(ownIdentity, peerIdentity string) zrtp.Store {
	return &store{cache: c, own: ownIdentity, peer: peerIdentity}
}

// Close waits for a running update, then lets go of the file. Later calls to
// a Store fail with os.ErrClosed; closing twice is fine.
func (c *Cache) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.table == nil {
		return nil
	}
	err := c.table.close()
	c.table = nil
	return err
}

// get reads one value; the caller holds mu.
func (c *Cache) get(key []byte) ([]byte, error) {
	if c.table == nil {
		return nil, fmt.Errorf("zidcache: %w", os.ErrClosed)
	}
	return c.table.get(key)
}

// store is the zrtp.Store of one pair of identities.
type store struct {
	cache     *Cache
	own, peer string
}

// Load implements zrtp.Store.
func (s *store) Load(peer wire.ZID) (zrtp.Record, error) {
	key, err := recordKey(s.own, peer, s.peer)
	if err != nil {
		return zrtp.Record{}, err
	}
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	value, err := s.cache.get(key)
	if err != nil || value == nil {
		return zrtp.Record{}, err
	}
	defer secret.Wipe(value)
	return decodeRecord(key, value)
}

// Update implements zrtp.Store. An update that changes nothing writes nothing.
func (s *store) Update(peer wire.ZID, change func(*zrtp.Record) error) error {
	key, err := recordKey(s.own, peer, s.peer)
	if err != nil {
		return err
	}
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	old, err := s.cache.get(key)
	if err != nil {
		return err
	}
	defer secret.Wipe(old)
	var r zrtp.Record
	if old != nil {
		if r, err = decodeRecord(key, old); err != nil {
			return err
		}
	}
	loaded := r
	defer loaded.Wipe()
	if err := change(&r); err != nil {
		return err
	}
	value, err := encodeRecord(key, &r)
	if err != nil {
		return err
	}
	defer secret.Wipe(value)
	if subtle.ConstantTimeCompare(old, value) == 1 {
		return nil
	}
	return s.cache.table.replace(key, old, value)
}
