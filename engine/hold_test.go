package engine_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"sotto/engine"
	"sotto/media"
	"sotto/media/audio"
	"sotto/sip"
	"sotto/sip/sdp"
)

func TestHoldAndResume(t *testing.T) {
	a, b := newEngine(t, engine.Config{}), newEngine(t, engine.Config{})
	caller, callee := connect(t, a, b)
	until[engine.Secured](t, caller)
	until[engine.Secured](t, callee)
	for range 2 {
		if err := caller.Hold(t.Context()); err != nil {
			t.Fatal(err)
		}
		if h := next[engine.Held](t, caller); h.Remote {
			t.Error("our own hold is the peer's")
		}
		if h := next[engine.Held](t, callee); !h.Remote {
			t.Error("the peer's hold is our own")
		}
		if err := caller.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		next[engine.Resumed](t, caller)
		next[engine.Resumed](t, callee)
	}
}

// handset is a Source that counts what is read from it and a Sink that beats
// with every frame.
type handset struct {
	reads atomic.Int64
	beat  chan struct{}
}

func newHandset() *handset { return &handset{beat: make(chan struct{})} }

func (h *handset) ReadFrame([]int16) error { h.reads.Add(1); return nil }

func (h *handset) WriteFrame([]int16) error {
	select {
	case h.beat <- struct{}{}:
	default:
	}
	return nil
}

// during is how many frames are read while n are played.
func (h *handset) during(t *testing.T, n int) int64 {
	t.Helper()
	before, timeout := h.reads.Load(), time.After(limit)
	for range n {
		select {
		case <-h.beat:
		case <-timeout:
			t.Fatal("nothing is played")
		}
	}
	return h.reads.Load() - before
}

// wantVoice holds what is sent against what was agreed.
func (h *handset) wantVoice(t *testing.T, flows bool) {
	t.Helper()
	h.during(t, 1) // a frame that had begun
	if n := h.during(t, 20); flows && n < 10 || !flows && n > 1 {
		t.Errorf("%d frames were sent during 20", n)
	}
}

// The peer holds us, and we resume: once both sides agree on voice both ways,
// it flows.
func TestResumeEndsTheirHold(t *testing.T) {
	t.Parallel()
	r, phone := newRogue(t, true), newHandset()
	call, dialog, answer := r.call(withAudio(phone, phone))
	until[engine.Secured](t, call)
	holding := r.local
	holding.Direction = sdp.SendOnly
	if err := r.reinvite(dialog, answer, holding); err != nil {
		t.Fatal(err)
	}
	if h := next[engine.Held](t, call); !h.Remote {
		t.Error("the peer's hold is our own")
	}
	phone.wantVoice(t, false)
	go r.answers(dialog, r.local)
	if err := settled(func() error { return call.Resume(t.Context()) }); err != nil {
		t.Fatal(err)
	}
	if e := next[engine.Resumed](t, call); e.Remote {
		t.Error("our own resuming is the peer's")
	}
	if e := next[engine.Resumed](t, call); !e.Remote {
		t.Error("the peer's resuming is our own")
	}
	phone.wantVoice(t, true)
}

// The peer answers our hold by wanting nothing at all, and our resuming too.
func TestPeerAnswersInactive(t *testing.T) {
	t.Parallel()
	r, phone := newRogue(t, true), newHandset()
	call, dialog, _ := r.call(withAudio(phone, phone))
	until[engine.Secured](t, call)
	local := r.local
	local.Direction = sdp.Inactive
	go r.answers(dialog, local)
	if err := call.Hold(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h := next[engine.Held](t, call); h.Remote {
		t.Error("our own hold is the peer's")
	}
	if h := next[engine.Held](t, call); !h.Remote {
		t.Error("the peer's hold is our own")
	}
	phone.wantVoice(t, false)
	if err := call.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := next[engine.Resumed](t, call); e.Remote {
		t.Error("our own resuming is the peer's")
	}
	phone.wantVoice(t, false)
}

// A peer whose answer to our hold takes the hash away, or names another, can't
// be refused any more: the call ends with an alarm.
func TestAdversary_F1_AnswerWithoutZRTP(t *testing.T) {
	t.Parallel()
	for name, hashes := range map[string][]sdp.ZRTPHash{
		"hash taken away": nil,
		"another hash":    {{Version: "1.10", Hash: make([]byte, 32)}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRogue(t, true)
			call, dialog, _ := r.call(engine.Config{})
			until[engine.Secured](t, call)
			local := r.local
			local.ZRTPHashes, local.Direction = hashes, sdp.Inactive
			go r.answers(dialog, local)
			if err := call.Hold(t.Context()); err == nil {
				t.Error("the answer was accepted")
			}
			next[engine.Refused](t, call)
			if e := next[engine.Ended](t, call); e.Reason.Kind != engine.NotSecure {
				t.Errorf("ended with %+v", e.Reason)
			}
		})
	}
}

// A peer that never answers our hold: the call ends with ctx.
func TestHoldIsNotAnswered(t *testing.T) {
	t.Parallel()
	r := newRogue(t, true)
	call, _, _ := r.call(engine.Config{})
	until[engine.Secured](t, call)
	ctx, cancel := context.WithCancel(t.Context())
	held := make(chan error, 1)
	go func() { held <- call.Hold(ctx) }()
	cancel()
	if err := <-held; err == nil {
		t.Error("held without an answer")
	}
	if e := until[engine.Ended](t, call); e.Reason.Kind != engine.SignalingLost {
		t.Errorf("ended with %+v", e.Reason)
	}
}

// Who hangs up does not wait until a peer has answered our hold, and the hold says that
// the call has ended.
func TestHangUpDuringHold(t *testing.T) {
	t.Parallel()
	r := newRogue(t, true)
	call, dialog, _ := r.call(engine.Config{})
	until[engine.Secured](t, call)
	held := make(chan error, 1)
	go func() { held <- call.Hold(t.Context()) }()
	for offered := false; !offered; {
		e, err := dialog.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, offered = e.(sip.Offer)
	}
	if err := call.Close(); err != nil {
		t.Error(err)
	}
	if err := <-held; !errors.Is(err, engine.ErrEnded) {
		t.Errorf("the hold: %v", err)
	}
	if e := until[engine.Ended](t, call); e.Reason.Kind != engine.HungUp || e.Reason.Remote {
		t.Errorf("ended with %+v", e.Reason)
	}
}

// A peer that is on hold from the start has answered first.
func TestAnsweredOnHold(t *testing.T) {
	t.Parallel()
	r := newRogue(t, true)
	r.local.Direction = sdp.SendOnly
	call, _, _ := r.call(engine.Config{})
	next[engine.Answered](t, call)
	if h := next[engine.Held](t, call); !h.Remote {
		t.Error("the peer's hold is our own")
	}
}

// A whole secure call, with digits and holds of either side: all SRTP packets
// have one length.
func TestCallHasOneLength(t *testing.T) {
	t.Parallel()
	r, phone := newRogue(t, true), newHandset()
	call, dialog, answer := r.call(withAudio(audio.NewTone(440, 0.5), phone))
	until[engine.Secured](t, call)
	var dialled int64 // packets; a machine that is too busy takes longer for them
	digits := func() {
		phone.during(t, 5)
		if err := call.SendDTMF("1#"); err != nil {
			t.Fatal(err)
		}
		dialled += 2 * 7
		arrive(t, &r.events, dialled)
	}
	digits()
	holding := r.local
	holding.Direction = sdp.SendOnly
	if err := r.reinvite(dialog, answer, holding); err != nil {
		t.Fatal(err)
	}
	phone.during(t, 5)
	go r.answers(dialog, r.local)
	for _, change := range []func(context.Context) error{call.Resume, call.Hold, call.Resume} {
		if err := settled(func() error { return change(t.Context()) }); err != nil {
			t.Fatal(err)
		}
		digits()
	}
	if err := call.Close(); err != nil {
		t.Fatal(err)
	}
	sent := int64(until[engine.Ended](t, call).Stats.PacketsSent)
	if sent < 80 {
		t.Errorf("%d packets", sent)
	}
	arrive(t, &r.sizes[12+80+10], sent)
	for length := range r.sizes {
		if n := r.sizes[length].Load(); n > 0 && length != 102 {
			t.Errorf("%d packets of %d bytes", n, length)
		}
	}
	if n := r.events.Load(); n != dialled {
		t.Errorf("%d packets of digits, not %d", n, dialled)
	}
}

// arrive waits until that many packets have come.
func arrive(t *testing.T, n *atomic.Int64, want int64) {
	t.Helper()
	tick := time.NewTicker(media.FrameDuration)
	defer tick.Stop()
	for start := time.Now(); n.Load() < want; <-tick.C {
		if time.Since(start) > limit {
			t.Fatalf("%d packets came, of %d", n.Load(), want)
		}
	}
}
