package zidcache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"

	"sotto/internal/secret"
)

// bbolt maps its file into memory and follows the numbers in it unchecked: a
// damaged file can make it read anywhere, loop for ever, crash the process
// from a goroutine of its own, or take a page in use for a free one. So the
// file is first read the careful way here, all of it, against the layout that
// bbolt 1.x (file version 2) writes: two meta pages, of which the newer valid
// one leads to a tree of pages and to the list of free pages. Every page must
// be found exactly once, and every element exactly where bbolt puts it.
//
//	page     id (8) | type (2) | count (2) | further pages (4) | elements | data
//	meta     magic (4) | version (4) | page size (4) | flags (4) | root bucket (16) |
//	         free list page (8) | number of pages (8) | transaction (8) | FNV-1a (8)
//	branch   an element is: position (4) | key size (4) | child page (8)
//	leaf     an element is: flags (4) | position (4) | key size (4) | value size (4)
//	bucket   root page, 0 when the page follows inline (8) | sequence (8)
//
// Positions count from their element. Numbers are in the machine's order.
const (
	pageHeaderLen = 16
	elementLen    = 16
	bucketLen     = 16
	metaLen       = 64

	boltMagic   = 0xed0cdaed
	boltVersion = 2

	pageBranch   = 0x01
	pageLeaf     = 0x02
	pageFreelist = 0x10

	elementRecord = 0
	elementBucket = 1

	minPageSize = 1 << 10
	maxPageSize = 1 << 16
)

var native = binary.NativeEndian

// meta is what leads to everything else.
type meta struct {
	pageSize                      uint64
	root, freelist, pages, latest uint64 // page, page, number, transaction
}

// checkFile reads the file f of the given size and says what is wrong.
func checkFile(f io.ReaderAt, size int64) error {
	m, err := readMeta(f)
	if err != nil {
		return err
	}
	if m.pages < 4 || m.pages > uint64(size)/m.pageSize {
		return fmt.Errorf("%d bytes are too few for %d pages", size, m.pages)
	}
	data := make([]byte, m.pages*m.pageSize)
	defer secret.Wipe(data)
	if _, err := f.ReadAt(data, 0); err != nil {
		return err
	}
	c := &checker{data: data, pageSize: m.pageSize, found: make([]bool, m.pages)}
	c.found[0], c.found[1] = true, true // the meta pages
	if err := c.freelist(m.freelist); err != nil {
		return err
	}
	if err := c.tree(m.root, span{}); err != nil {
		return err
	}
	for id, found := range c.found {
		if !found {
			return fmt.Errorf("page %d is neither used nor free", id)
		}
	}
	return nil
}

// readMeta finds the newer of the valid meta pages. The second one lies at
// its own page size, which only it can tell when the first is not valid.
func readMeta(f io.ReaderAt) (meta, error) {
	best, ok, err := metaAt(f, 0)
	if err != nil {
		return meta{}, err
	}
	sizes := []uint64{best.pageSize}
	if !ok {
		sizes = sizes[:0]
		for s := uint64(minPageSize); s <= maxPageSize; s *= 2 {
			sizes = append(sizes, s)
		}
	}
	for _, s := range sizes {
		m, valid, err := metaAt(f, s)
		if err != nil {
			return meta{}, err
		}
		if valid && m.pageSize == s && (!ok || m.latest > best.latest) {
			best, ok = m, true
		}
	}
	if !ok {
		return meta{}, errors.New("not a ZID cache, or its beginning is destroyed")
	}
	return best, nil
}

// metaAt reads the meta page at offset, if there is a valid one.
func metaAt(f io.ReaderAt, offset uint64) (m meta, ok bool, err error) {
	var b [metaLen]byte
	if _, err := f.ReadAt(b[:], int64(offset)+pageHeaderLen); err != nil {
		if errors.Is(err, io.EOF) {
			err = nil // there is none
		}
		return meta{}, false, err
	}
	h := fnv.New64a()
	_, _ = h.Write(b[:metaLen-8])
	m = meta{
		pageSize: uint64(native.Uint32(b[8:])),
		root:     native.Uint64(b[16:]),
		freelist: native.Uint64(b[32:]),
		pages:    native.Uint64(b[40:]),
		latest:   native.Uint64(b[48:]),
	}
	ok = native.Uint32(b[0:]) == boltMagic && native.Uint32(b[4:]) == boltVersion &&
		native.Uint64(b[56:]) == h.Sum64() &&
		m.pageSize >= minPageSize && m.pageSize <= maxPageSize
	return m, ok, nil
}

// checker walks through the pages.
type checker struct {
	data     []byte
	pageSize uint64
	found    []bool // by page: whether it has been met
}

// claim notes that page id was found; twice is once too often.
func (c *checker) claim(id uint64) error {
	if id >= uint64(len(c.found)) || c.found[id] {
		return fmt.Errorf("page %d is referred to wrongly", id)
	}
	c.found[id] = true
	return nil
}

// page reads page id, to which something refers.
func (c *checker) page(id uint64) (page, error) {
	if err := c.claim(id); err != nil {
		return page{}, err
	}
	p, more := header(c.data[id*c.pageSize : (id+1)*c.pageSize])
	if native.Uint64(p.all) != id {
		return page{}, fmt.Errorf("page %d says that it is another", id)
	}
	for i := range more {
		if err := c.claim(id + 1 + i); err != nil {
			return page{}, err
		}
	}
	p.all = c.data[id*c.pageSize : (id+1+more)*c.pageSize]
	return p, nil
}

// freelist checks the list of free pages in page id.
func (c *checker) freelist(id uint64) error {
	p, err := c.page(id)
	if err != nil {
		return err
	}
	if p.kind != pageFreelist {
		return fmt.Errorf("page %d is no free list", id)
	}
	ids, n := p.all[pageHeaderLen:], uint64(p.count)
	if n == 0xffff { // does not fit: it comes first
		n, ids = native.Uint64(ids), ids[8:]
	}
	if n > uint64(len(ids)/8) {
		return fmt.Errorf("free list of %d pages does not fit page %d", n, id)
	}
	for i := range n {
		if err := c.claim(native.Uint64(ids[8*i:])); err != nil {
			return err
		}
	}
	return nil
}

// tree checks page id and everything below it.
func (c *checker) tree(id uint64, keys span) error {
	p, err := c.page(id)
	if err != nil {
		return err
	}
	switch {
	case p.count == 0:
		err = errElement // a cache always holds its ZID
	case p.kind == pageLeaf:
		_, err = c.leaf(p, keys)
	case p.kind == pageBranch:
		err = c.branch(p, keys)
	default:
		err = fmt.Errorf("unknown type %#x", p.kind)
	}
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// branch checks a branch page and its children.
func (c *checker) branch(p page, keys span) error {
	high := keys.high
	at, ok := p.dataAt()
	if !ok {
		return errElement
	}
	all := make([][]byte, p.count)
	for i := range all {
		e := p.element(i)
		key, ok := p.data(i, at, native.Uint32(e), native.Uint32(e[4:]))
		if !ok || !keys.next(key) {
			return errElement
		}
		all[i] = key
		at += len(key)
	}
	for i, key := range all {
		below := span{low: key, high: high}
		if i+1 < len(all) {
			below.high = all[i+1]
		}
		if err := c.tree(native.Uint64(p.element(i)[8:]), below); err != nil {
			return err
		}
	}
	return nil
}

// leaf checks a leaf page and the buckets in it, and says where its data end.
func (c *checker) leaf(p page, keys span) (end int, err error) {
	at, ok := p.dataAt()
	if !ok {
		return 0, errElement
	}
	for i := range p.count {
		e := p.element(i)
		key, ok := p.data(i, at, native.Uint32(e[4:]), native.Uint32(e[8:]))
		if !ok || !keys.next(key) {
			return 0, errElement
		}
		value := p.all[at+len(key):]
		size := native.Uint32(e[12:])
		if uint64(size) > uint64(len(value)) {
			return 0, errElement
		}
		at += len(key) + int(size)
		switch value = value[:size]; native.Uint32(e) {
		case elementRecord:
		case elementBucket:
			if err := c.bucket(value); err != nil {
				return 0, err
			}
		default:
			return 0, errElement
		}
	}
	return at, nil
}

// bucket checks a bucket by the value that stands for it: it has a root page,
// or, as long as it is small, is a leaf page itself.
func (c *checker) bucket(value []byte) error {
	if len(value) < bucketLen {
		return errElement
	}
	inline := value[bucketLen:]
	if root := native.Uint64(value); root != 0 {
		if len(inline) != 0 {
			return errElement
		}
		return c.tree(root, span{})
	}
	if len(inline) < pageHeaderLen {
		return errElement
	}
	p, more := header(inline)
	if p.kind != pageLeaf || more != 0 || native.Uint64(p.all) != 0 {
		return errElement
	}
	if end, err := c.leaf(p, span{}); err != nil || end != len(inline) {
		return errElement
	}
	return nil
}

var errElement = errors.New("an element is not where it belongs")

// page is one page, with those that continue it.
type page struct {
	kind  uint16
	count int
	all   []byte // header included
}

// header reads the header of a page, and how many pages continue it.
func header(b []byte) (page, uint64) {
	return page{native.Uint16(b[8:]), int(native.Uint16(b[10:])), b}, uint64(native.Uint32(b[12:]))
}

func (p page) element(i int) []byte {
	return p.all[pageHeaderLen+elementLen*i:][:elementLen]
}

// dataAt is where the elements end and their data begin, if they fit.
func (p page) dataAt() (int, bool) {
	at := pageHeaderLen + elementLen*p.count
	return at, at <= len(p.all)
}

// data gives the size bytes at the offset at, which is where the position
// told by element i must point.
func (p page) data(i, at int, position, size uint32) ([]byte, bool) {
	if int64(position) != int64(at-pageHeaderLen-elementLen*i) || int64(size) > int64(len(p.all)-at) {
		return nil, false
	}
	return p.all[at:][:size], true
}

// span is the keys that may come next: from low on, or after it when it has
// been used, and below high, when there is one.
type span struct {
	low, high []byte
	used      bool
}

// next says whether key may come next, and uses it.
func (s *span) next(key []byte) bool {
	above := bytes.Compare(key, s.low)
	if len(key) == 0 || above < 0 || above == 0 && s.used || s.high != nil && bytes.Compare(key, s.high) >= 0 {
		return false
	}
	s.low, s.used = key, true
	return true
}
