//go:build purego

package protect

// purego says that the standard library is without its assembly.
const purego = true
