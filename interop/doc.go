// Package interop holds no code of Sotto: its tests make Sotto call software
// that others wrote, and are run by `make interop` (build tag interop).
//
//   - linphonec and linphone-daemon, Debian's Linphones without a screen, with
//     real SIP, real ZRTP and real audio files, against the sotto command; the
//     daemon also against zrtp.Session, where Linphone is the initiator. The
//     digits A to D of DTMF come from the daemon: linphonec's console has none.
//   - baresip, in the clear, against the sotto command: each codec, tone and
//     speech, DTMF and RTCP, both ways.
//   - bzrtp_peer, a ZRTP endpoint on Debian's libbzrtp built from bzrtp/ by
//     the tests, against zrtp.Session.
//   - libsrtp, Debian's, in a program built from internal/libsrtp: random SRTP
//     and SRTCP packets through media/protect and through it, same bytes, same
//     verdicts; a million of them with SOTTO_LONG=1.
//   - PulseAudio and PipeWire, Debian's, with a Bluetooth headset that is not
//     real: see the folder routes.
//   - tshark, Wireshark's decoder, beside sotto zrtp on a captured call.
//
// Each peer first proves itself against its own kind, so that a failure
// against Sotto points at Sotto. A peer that isn't installed fails the run.
// Everything stays on 127.0.0.1.
package interop
