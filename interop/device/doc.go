// Package device opens sound devices of real servers in folders of their own,
// PulseAudio's and PipeWire's: what is captured and played there, and what
// happens when devices and servers go. It holds only tests, behind the build tag
// interop.
package device
