package zidcache

import (
	"bytes"

	"sotto/internal/secret"
)

// memory is a table that lives as long as the program, in the same encoding
// as on disk so that both fail alike.
type memory map[string][]byte

func (m memory) get(key []byte) ([]byte, error) { return bytes.Clone(m[string(key)]), nil }

func (m memory) replace(key, old, value []byte) error {
	secret.Wipe(m[string(key)])
	m[string(key)] = bytes.Clone(value)
	return nil
}

func (m memory) close() error {
	for _, value := range m {
		secret.Wipe(value)
	}
	clear(m)
	return nil
}
