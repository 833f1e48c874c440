// Package routes holds no code of Sotto: its tests watch the audio of a machine
// that has none. They are run by `make interop` (build tag interop).
//
// Each world has a bus of its own with a Bluetooth service on it (_fakebluez),
// and the real PulseAudio, or the real PipeWire with WirePlumber and
// pipewire-pulse. Its built-in speaker and microphone are null devices, which
// the tests say to trust ([route.TrustNull]); nobody else can. What a headset
// would have been sent over the air is counted.
package routes
