package engine

import (
	"context"
	"log/slog"

	"sotto/codecs"
	"sotto/media"
	"sotto/media/audio"
	"sotto/media/route"
)

// Config is what an Engine needs. The zero value is usable: secure mode, any
// free port on the loopback address, silence for audio, nothing remembered.
type Config struct {
	// Bind is host:port for SIP, over UDP and TCP; media ports are taken
	// on the same host. Empty: "127.0.0.1:0".
	Bind string
	// Identity is our SIP address. Empty: sip:anonymous@ and the bound host.
	Identity string
	// StateDir keeps the ZID and the secrets retained from call to call.
	// Empty: they last as long as the Engine.
	StateDir string
	// AllowInsecure switches secure mode off: if keys can't be agreed, voice
	// then flows in the clear. It is off unless somebody asks for it.
	AllowInsecure bool
	// KeyAgreements, AuthTags, SASTypes name what ZRTP may use, best first,
	// by names of at most four characters. Empty: what zrtp.DefaultOffer has.
	KeyAgreements, AuthTags, SASTypes []string
	// PostQuantum allows only key agreements that a quantum computer does
	// not break.
	PostQuantum bool
	// RequireHelloHash ends calls whose signalling does not announce the
	// peer's Hello (RFC 6189 §8.1). Otherwise the user is told.
	RequireHelloHash bool
	// UseSignalledKey mixes the SDES key that a caller's offer of plain RTP
	// carries into ZRTP's keys, where the offer also announces a Hello
	// (RFC 6189 §8.2). It never keys voice by itself. Callers that do not
	// do the same are shown with NoticeAuxMismatch.
	UseSignalledKey bool
	// AllowDisclosure lets secure mode talk to a peer that says that it may
	// pass the keys on (RFC 6189 §11), or that it records the call. The user
	// is told.
	AllowDisclosure bool
	// OpenAudio gives each call its source and sink when it is answered or,
	// because of Tones, when it rings at the other side or is refused. It has a
	// goroutine of its own; keys are agreed meanwhile, and wait. ctx ends
	// with the call: OpenAudio then returns soon, because Call.Close waits
	// for it. In secure mode it is asked again while its error is a
	// *[route.Refusal]. nil: silence is sent, and what is heard is dropped.
	OpenAudio func(ctx context.Context) (Audio, error)
	// Tones are what our user hears of a call that we make before it is answered:
	// that it rings, or for up to four seconds, which Ended waits for, that it
	// has been refused, which Unanswered tells at once. They are those of the
	// country with this code of two letters (ISO 3166, see
	// [audio.NewProgressTone]); empty: as ITU-T E.180 recommends; [NoTones]:
	// none.
	//
	// The Sink that the voice has afterwards plays them, unless all routes are
	// [route.Internal]: a file is to have the call only. In secure mode the
	// route has to be verified as for voice. If it is not, or there is no audio,
	// there is silence, and that is told once the call is answered. The Source
	// is not read.
	Tones string
	// Coding is how voice is coded; the zero value is what bench/quality has
	// found best. The other side's ptime and maxptime in its SDP go before
	// Coding.PacketTime, which is what we ask it for. Coding.ExpectedLoss
	// follows the other side's reports unless it is set. Secure mode refuses
	// VBR and DTX, and packets longer than 20 ms that DTMF cannot be as long as.
	Coding codecs.Options
	// Routes says which audio routes secure mode allows, and for how long a
	// call may be silent because of another one; the zero value allows
	// built-in ones and files only, and never gives up.
	Routes route.Policy
	// Tracer stamps each stage of each frame; nil: none.
	Tracer media.Tracer
	// AuditFile is a file to which every change of a call's level, every
	// refusal, verification and change of route is appended, with start and
	// end, each line with the hash of the one before: see engine/audit. It
	// holds no secret, but who called whom. No call waits for the disk, but for
	// its Ended: then all of the call is in the file, or a Warning has said that
	// it is not. Call.SetVerified returns when the comparison is. Empty: none.
	AuditFile string
	// Logger gets what an operator may want to read: no SAS, no key, no
	// audio. nil: nothing is logged.
	Logger *slog.Logger
}

// Audio is where a call's voice comes from and goes to. When the call ends the
// Engine closes both if they are io.Closers: after the last ReadFrame and
// WriteFrame have returned or, if one of them takes longer than 200 ms, while
// it runs. Close must then make it return, because the Engine waits for it.
type Audio struct {
	Source audio.Source // neither may be nil: the call ends with AudioFailed
	Sink   audio.Sink
	// Watch tells what the devices behind Source and Sink are, now and as long
	// as the call lasts, and is closed after them. Secure mode uses no device
	// without one, because what is the speaker now can be a headset in a
	// moment. When the Watch is lost, or Source or Sink fails, the call is
	// silent and asks Config.OpenAudio for another Audio: this one is closed
	// then, beside a ReadFrame or WriteFrame perhaps.
	Watch route.Watch
	// Routes are what there is instead if no device is involved: all of class
	// [route.Internal]. Without any, the route is unknown, and refused.
	Routes []route.Route
}
