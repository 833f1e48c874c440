//go:build !linux || !(amd64 || arm64 || loong64 || riscv64)

package alsa

import "io/fs"

// openControl finds nothing: there is no ALSA, or its structs have another form.
func openControl(string) (control, error) { return nil, fs.ErrNotExist }
