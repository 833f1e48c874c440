// Package speech holds two short clips of human speech, for demonstrations and
// tests. Their licence is their own: see NOTICE and LICENSE beside this file.
package speech

import _ "embed"

var (
	//go:embed caller.wav
	caller string
	//go:embed callee.wav
	callee string
)

// Caller is a clip of 7.4 s as a WAV file: 8 kHz, mono, 16-bit.
func Caller() []byte { return []byte(caller) }

// Callee is another clip, of 7.8 s, of the same form.
func Callee() []byte { return []byte(callee) }
