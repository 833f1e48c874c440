//go:build !race

package main

// buildFlags has the binary under test built as the tests are.
var buildFlags []string
