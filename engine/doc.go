// Package engine makes and takes secure calls. It is the one package that
// knows signalling, keys and media at once, that starts goroutines and that
// reads the clock.
//
//	e, err := engine.New(engine.Config{Bind: "127.0.0.1:5060"})
//	call, err := e.Dial(ctx, "sip:bob@127.0.0.1:5070")
//	for {
//		event, err := call.Next(ctx) // ordered; Ended is the last
//		...
//	}
//
// # Secure mode
//
// It is on unless Config.AllowInsecure says otherwise. No voice leaves and
// none is played before ZRTP has agreed keys and the audio route has been
// verified; a peer without ZRTP or with the disclosure flag, a failed key
// agreement and a refused route end the call with a reason. Config can ask for
// more, such as a ZRTP hash in the signalling. Nothing that
// happens later brings clear voice back: a re-INVITE that takes the ZRTP hash
// away or changes it is refused, and an answer that does ends the call.
//
// Without secure mode voice waits for the keys all the same. It flows in the
// clear only when it is certain that there will be none, and the user is told.
//
// Audio over devices comes with a [route.Watch]. At its first word that
// something has happened the call is silent, both ways and within a frame; then
// the route is asked for, and either it goes on or a RouteRefused says why not
// and what to do. It recovers by itself: when the Watch reports an acceptable
// route, or when Config.OpenAudio, asked again, finds one.
//
// # What the user knows
//
// A [Security] event says how far the call can be trusted, in order from "the
// SAS differs" to "you have compared the SAS", with a sentence to show, the
// name that the user has given the other phone, and what else there is to know.
// The name has to be shown all the time, because a comparison of the SAS only
// says that the same phone is there as then: whoever is called something else
// is somebody else. [Call.SetName] without a comparison in the same call
// therefore takes the verification away.
//
// # The end
//
// A call that ends is silent at once. Then the peer is told, without the
// reason, which is the user's; then the devices are closed and waited for. If
// the peer has refused the call, Unanswered says so at once, and a tone before
// all that (Config.Tones).
//
// # Goroutines
//
//	name       one per   owner    ends when                    who waits
//	accept     Engine    Engine   the Engine closes            Engine.Close
//	trail      Engine    Engine   the Engine closes            Engine.Close
//	disk       file use  caller   the disk has answered        caller, for 2 s
//	leg        Call      Call     the call has ended           Call.Close, Engine.Close
//	signalling Call      leg      the dialog or the leg ends   leg
//	opening    Call      leg      Config.OpenAudio returns     leg
//	tones      Call      leg      the call is answered or over leg
//	watch      Audio     leg      the Audio is replaced        leg
//	hold       Call      leg      the peer has answered        Engine.Close
//	reader     socket    leg      the socket is closed         leg
//	capture    Call      leg      its context is cancelled     leg
//	playout    Call      leg      its context is cancelled     leg
//
// The leg goroutine owns the ZRTP Session, the dialog and the call's state;
// everything reaches it through channels.
package engine
