// Package secret holds key material: it can be compared in constant time, it
// is wiped on demand, and it never shows itself when printed.
//
// Go gives no promise that the garbage collector or a growing stack leaves no
// copy behind. What this package does promise is that the one copy it owns is
// overwritten by [Bytes.Wipe], and that no print, log or JSON call reveals it.
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"runtime"
)

const redacted = "redacted"

// Wipe overwrites b with zeros.
func Wipe(b []byte) {
	clear(b)
	runtime.KeepAlive(b) // the store must not be dropped as dead
}

// Bytes is one secret. Hold it by pointer: fmt prints an unexported value
// field without asking its Formatter.
type Bytes struct {
	_ [0]func() // not comparable: == would leak by timing
	// b is behind a pointer of its own because fmt follows one level of
	// pointers when a verb does not fit, and prints what it finds.
	b *[]byte
}

// From takes over the secret in b: it copies b and wipes the original.
func From(b []byte) *Bytes {
	s := Copy(b)
	Wipe(b)
	return s
}

// Copy copies the secret in b and leaves b to its owner.
func Copy(b []byte) *Bytes {
	s := &struct { // in one piece
		Bytes
		own []byte
	}{own: append(make([]byte, 0, len(b)), b...)}
	s.b = &s.own
	return &s.Bytes
}

// Len is the length in bytes; a nil or wiped secret has none.
func (s *Bytes) Len() int { return len(s.Reveal()) }

// Reveal returns the secret itself, owned by s and valid until Wipe.
func (s *Bytes) Reveal() []byte {
	if s == nil || s.b == nil {
		return nil
	}
	return *s.b
}

// Equal compares in constant time for secrets of one length. Two absent
// secrets are not equal: there is nothing to agree on.
func (s *Bytes) Equal(t *Bytes) bool {
	if s.Len() == 0 || t.Len() == 0 {
		return false
	}
	return subtle.ConstantTimeCompare(s.Reveal(), t.Reveal()) == 1
}

// Wipe overwrites the secret and forgets it. Wiping twice, or nil, is fine.
func (s *Bytes) Wipe() {
	if s == nil || s.b == nil {
		return
	}
	Wipe(*s.b)
	s.b = nil
}

// Format prints the word "redacted" for every verb.
func (Bytes) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue logs the word "redacted".
func (Bytes) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps the secret out of JSON and every other text encoding.
func (Bytes) MarshalText() ([]byte, error) { return []byte(redacted), nil }
