//go:build !purego

package protect

const purego = false
