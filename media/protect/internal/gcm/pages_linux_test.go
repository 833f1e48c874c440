package gcm

import (
	"bytes"
	"os"
	"syscall"
	"testing"
	"unsafe"
)

// enclosed is a page between two that nobody may touch.
func enclosed(t *testing.T) []byte {
	page := os.Getpagesize()
	all, err := syscall.Mmap(-1, 0, 3*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(all); err != nil {
			t.Error(err)
		}
	})
	for _, outer := range [][]byte{all[:page], all[2*page:]} {
		if err := syscall.Mprotect(outer, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return all[page : 2*page]
}

// TestPages puts nonce, additional data and data at both ends of a page: to read
// or write beside them is a fault that ends the test.
func TestPages(t *testing.T) {
	eachTier(t, func(t *testing.T, p *pair) {
		noncePage, aadPage, dataPage := enclosed(t), enclosed(t), enclosed(t)
		step := 1
		if testing.Short() {
			step = 7
		}
		check := func(n, aadLen int) {
			for _, end := range []bool{false, true} {
				place := func(page []byte, n int) []byte {
					if end {
						return page[len(page)-n:]
					}
					return page[:n]
				}
				nonce, aad, data := (*[12]byte)(place(noncePage, 12)), place(aadPage, aadLen), place(dataPage, n+TagLen)
				p.random.Read(nonce[:])
				p.random.Read(aad)
				p.random.Read(data)
				plain := bytes.Clone(data[:n])
				want := p.aead.Seal(nil, nonce[:], plain, aad)
				p.Prefetch(unsafe.Pointer(p), unsafe.Pointer(p))
				if p.Seal(nonce, aad, data); !bytes.Equal(data, want) {
					t.Fatalf("%d bytes with %d sealed: %x, want %x", n, aadLen, data, want)
				}
				if !p.Open(nonce, aad, data) || !bytes.Equal(data[:n], plain) {
					t.Fatalf("%d bytes with %d opened: %x, want %x", n, aadLen, data[:n], plain)
				}
				if p.Open(nonce, aad, data) && n > 0 {
					t.Fatalf("%d bytes with %d opened twice", n, aadLen)
				}
			}
		}
		for n := 0; n <= 800; n += step {
			check(n, n%40)
		}
		for n := 0; n <= 300; n += step {
			check(20, n)
		}
	})
}
