package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sotto/engine/realtime"
	"sotto/internal/secret"
	"sotto/media"
	"sotto/media/audio"
	"sotto/media/route"
	"sotto/sip"
	"sotto/sip/sdp"
	"sotto/zrtp"
	"sotto/zrtp/wire"
)

const limit = time.Minute

// device counts the frames that it is asked for.
type device struct{ frames atomic.Int64 }

func (d *device) ReadFrame([]int16) error  { d.frames.Add(1); return nil }
func (d *device) WriteFrame([]int16) error { d.frames.Add(1); return nil }

// beat is a Sink that beats with each frame for whoever listens.
type beat chan struct{}

func (b beat) WriteFrame([]int16) error {
	select {
	case b <- struct{}{}:
	default:
	}
	return nil
}

// frames waits until n more frames have been played.
func (b beat) frames(t *testing.T, n int) {
	t.Helper()
	timeout := time.After(limit)
	for range n {
		select {
		case <-b:
		case <-timeout:
			t.Fatal("nothing is played")
		}
	}
}

func internal(source audio.Source, sink audio.Sink) Audio {
	return Audio{Source: source, Sink: sink, Routes: []route.Route{{Class: route.Internal}}}
}

// waiting is an answered call without signalling that waits for audio and keys.
func waiting(t *testing.T, cfg Config) *leg {
	t.Helper()
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLeg(e, "sip:bob@test", true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		select {
		case <-l.call.ended: // finished
		default:
			l.abandon()
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	sink, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sink.Close() })
	at := sink.LocalAddr().(*net.UDPAddr).AddrPort()
	l.answered = true
	l.follow(sdp.Agreed{Send: true, Remote: at, RemoteRTCP: at, Codec: sdp.Voice()[0], Arriving: sdp.Voice()})
	return l
}

// playing is such a call whose audio is there.
func playing(t *testing.T, cfg Config) *leg {
	t.Helper()
	l := waiting(t, cfg)
	l.onAudio(opened{audio: internal(audio.Silence{}, audio.Discard{})})
	if l.voice.flow.Load() == nil {
		t.Fatalf("no audio: %+v", l.reason)
	}
	return l
}

func newKeys(seed byte) *zrtp.SRTPKeys {
	return &zrtp.SRTPKeys{
		Cipher: wire.A("AES1"), AuthTag: wire.A("HS80"),
		Key: secret.Copy(bytes.Repeat([]byte{seed}, 16)), Salt: secret.Copy(bytes.Repeat([]byte{seed}, 14)),
	}
}

// Each pair that ZRTP can agree on has a profile, with room for just the key and
// the salt that come with it; no other pair gets voice.
func TestProfiles(t *testing.T) {
	for _, c := range []struct {
		cipher, tag, want string
		key, salt         int
	}{
		{"AES1", "HS80", "AES_CM_128_HMAC_SHA1_80", 16, 14},
		{"AES1", "HS32", "AES_CM_128_HMAC_SHA1_32", 16, 14},
		{"AES1", "GCM", "AEAD_AES_128_GCM", 16, 12},
		{"AES3", "HS80", "AES_256_CM_HMAC_SHA1_80", 32, 14},
		{"AES3", "HS32", "AES_256_CM_HMAC_SHA1_32", 32, 14},
		{"AES3", "GCM", "AEAD_AES_256_GCM", 32, 12},
		{"AES3", "SK64", "none", 0, 0}, {"2FS1", "HS80", "none", 0, 0}, {"", "", "none", 0, 0},
	} {
		p := profileOf(&zrtp.SRTPKeys{Cipher: wire.A(c.cipher), AuthTag: wire.A(c.tag)})
		if p.String() != c.want || p.KeyLen() != c.key || p.SaltLen() != c.salt {
			t.Errorf("%s with %s: %v", c.cipher, c.tag, p)
		}
	}
	l := playing(t, Config{})
	send, receive := newKeys(1), newKeys(2)
	send.AuthTag, receive.AuthTag = wire.A("SK64"), wire.A("SK64")
	l.onKeys(zrtp.KeysReady{Send: send, Receive: receive})
	if l.reason == nil || l.reason.Kind != NotSecure || len(l.voice.protectors) != 0 {
		t.Errorf("an unknown auth tag: %+v", l.reason)
	}
}

func wiped(keys ...*zrtp.SRTPKeys) bool {
	return !slices.ContainsFunc(keys, func(k *zrtp.SRTPKeys) bool { return k.Key.Len()+k.Salt.Len() != 0 })
}

// unread takes the events that wait.
func unread(t *testing.T, c *Call) (list []Event) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for {
		e, err := c.Next(ctx)
		if err != nil {
			return list
		}
		list = append(list, e)
	}
}

// A peer that may pass the keys on gets no voice in secure mode, not even for
// one tick; without it the user is told.
func TestAdversary_E7_DisclosureIsJudgedFirst(t *testing.T) {
	flags := zrtp.Flags{Disclosure: true}
	for name, events := range map[string][]zrtp.KeysReady{
		"initiator": {{Receive: newKeys(1), PeerFlags: flags}, {Send: newKeys(2), PeerFlags: flags}},
		"responder": {{Send: newKeys(2), Receive: newKeys(1), PeerFlags: flags}},
	} {
		t.Run(name, func(t *testing.T) {
			l := playing(t, Config{})
			for _, k := range events {
				l.onKeys(k)
				if k.Send != nil && !wiped(k.Send) || k.Receive != nil && !wiped(k.Receive) {
					t.Error("keys are kept")
				}
			}
			l.onKeys(zrtp.Secured{PeerFlags: flags})
			if l.reason == nil || l.reason.Kind != NotSecure || l.call.Level() != LevelNone {
				t.Errorf("ended with %+v, %s", l.reason, l.call.Level())
			}
			if len(l.voice.protectors) != 0 {
				t.Error("the media got keys")
			}
		})
	}
	for name, cfg := range map[string]Config{"no secure mode": {AllowInsecure: true}, "allowed": {AllowDisclosure: true}} {
		l := playing(t, cfg)
		l.onKeys(zrtp.KeysReady{Send: newKeys(1), Receive: newKeys(2), PeerFlags: flags})
		l.onKeys(zrtp.Secured{PeerFlags: flags})
		events := unread(t, l.call)
		if len(events) != 2 {
			t.Fatalf("%s: %+v", name, events)
		}
		if s := events[1].(Security); s.Level != LevelEncrypted || !slices.Equal(s.Notices, []Notice{NoticeDisclosure}) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// Keys wait for the audio, are ours until both directions have them, and are
// wiped then or when the call ends before.
func TestKeysAreWiped(t *testing.T) {
	send, receive := newKeys(1), newKeys(2)
	l := waiting(t, Config{})
	l.onKeys(zrtp.KeysReady{Receive: receive})
	l.onKeys(zrtp.KeysReady{Send: send})
	l.onKeys(zrtp.Secured{SAS: "sas"})
	if len(l.voice.protectors) != 0 || l.call.Level() != LevelNone {
		t.Fatal("the keys did not wait for the audio")
	}
	l.onAudio(opened{audio: internal(audio.Silence{}, audio.Discard{})})
	if len(l.voice.protectors) != 4 || !wiped(send, receive) || l.call.Level() != LevelEncrypted {
		t.Errorf("%d protectors, wiped %v, %s", len(l.voice.protectors), wiped(send, receive), l.call.Level())
	}
	for name, l := range map[string]*leg{"half way": playing(t, Config{}), "before the audio": waiting(t, Config{})} {
		receive := newKeys(2)
		l.onKeys(zrtp.KeysReady{Receive: receive})
		if wiped(receive) {
			t.Errorf("%s: wiped too early for the reports", name)
		}
		l.gone = true
		l.end(Reason{})
		l.finish()
		if !wiped(receive) {
			t.Errorf("%s: keys outlive the call", name)
		}
	}
}

// A refused route takes the keys' way out, whether they were there before.
func TestRouteIsVerifiedBeforeKeys(t *testing.T) {
	l := waiting(t, Config{})
	send, receive := newKeys(1), newKeys(2)
	l.onKeys(zrtp.KeysReady{Send: send, Receive: receive})
	l.onKeys(zrtp.Secured{})
	mic := &device{}
	l.onAudio(opened{audio: Audio{Source: mic, Sink: mic, Routes: []route.Route{{Class: route.BluetoothSCO}}}})
	if l.reason == nil || l.reason.Kind != NoRoute || l.call.Level() != LevelNone {
		t.Errorf("ended with %+v, %s", l.reason, l.call.Level())
	}
	if l.voice.flow.Load() != nil || mic.frames.Load() != 0 {
		t.Error("the audio runs")
	}
}

// In secure mode none of the three parts of the media can be opened in the
// clear or with a route that was not verified, whatever the leg does.
func TestAdversary_F3_SecureMediaHasNoClearWay(t *testing.T) {
	l := playing(t, Config{})
	f := l.voice.flow.Load()
	for part, release := range map[string]func() error{
		"sender": f.sender.ReleaseClear, "receiver": f.receiver.ReleaseClear, "reports": f.reports.ReleaseClear,
	} {
		if err := release(); !errors.Is(err, media.ErrNoClear) {
			t.Errorf("%s flows in the clear: %v", part, err)
		}
	}
	k := srtpKeysOf(newKeys(1))
	if err := l.voice.releaseSend(route.Verified{}, k); !errors.Is(err, media.ErrRoute) {
		t.Errorf("sender: %v", err)
	}
	if err := l.voice.releaseReceive(route.Verified{}, k); !errors.Is(err, media.ErrRoute) {
		t.Errorf("receiver: %v", err)
	}
	if err := l.voice.releaseReports(route.Verified{}, k, k); !errors.Is(err, media.ErrRoute) {
		t.Errorf("reports: %v", err)
	}
}

// Without secure mode: what failed twice is clear once, what had keys is never
// clear again, and keys that come late end clear voice.
func TestInsecureModeNeverGoesBack(t *testing.T) {
	t.Run("fails twice", func(t *testing.T) {
		l := playing(t, Config{AllowInsecure: true})
		l.onKeys(zrtp.NoPeer{})
		l.onKeys(zrtp.Failed{Code: wire.ErrorTimeout})
		warnings := slices.DeleteFunc(unread(t, l.call), func(e Event) bool { _, ok := e.(Warning); return !ok })
		if l.reason != nil || len(warnings) != 2 || l.call.Level() != LevelClear {
			t.Errorf("ended with %+v", l.reason)
		}
	})
	t.Run("fails with half the keys", func(t *testing.T) {
		for _, l := range []*leg{playing(t, Config{AllowInsecure: true}), waiting(t, Config{AllowInsecure: true})} {
			l.onKeys(zrtp.KeysReady{Receive: newKeys(1)})
			l.onKeys(zrtp.Failed{Code: wire.ErrorTimeout})
			if l.reason == nil || l.reason.Kind != NotSecure {
				t.Errorf("ended with %+v", l.reason)
			}
		}
	})
	t.Run("fails with all the keys", func(t *testing.T) {
		l := playing(t, Config{AllowInsecure: true})
		l.onKeys(zrtp.KeysReady{Send: newKeys(1), Receive: newKeys(2)})
		l.onKeys(zrtp.Secured{})
		l.onKeys(zrtp.Failed{Code: wire.ErrorHelloMismatch})
		if l.reason == nil || l.reason.Kind != NotSecure || l.call.Level() == LevelClear {
			t.Errorf("ended with %+v, %s", l.reason, l.call.Level())
		}
	})
	t.Run("keys come late", func(t *testing.T) {
		for _, l := range []*leg{playing(t, Config{AllowInsecure: true}), waiting(t, Config{AllowInsecure: true})} {
			l.onKeys(zrtp.NoPeer{})
			l.onKeys(zrtp.KeysReady{Send: newKeys(1), Receive: newKeys(2)})
			if l.voice.flow.Load() == nil {
				l.onAudio(opened{audio: internal(audio.Silence{}, audio.Discard{})})
			}
			if l.reason != nil || len(l.voice.protectors) != 4 {
				t.Errorf("ended with %+v, %d protectors", l.reason, len(l.voice.protectors))
			}
			if err := l.voice.flow.Load().sender.ReleaseClear(); !errors.Is(err, media.ErrNoClear) {
				t.Errorf("clear again: %v", err)
			}
		}
	})
}

// 0.0.0.0 is nobody's address (RFC 3264 §8.4), though Linux would deliver.
func TestNothingIsSentToNowhere(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	here := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	nowhere := netip.AddrPortFrom(netip.IPv4Unspecified(), here.Port())
	for _, to := range []*netip.AddrPort{nil, {}, &nowhere, &here} {
		if err := realtime.Write(conn, to, fmt.Appendf(nil, "to %v", to)); err != nil {
			t.Fatal(err)
		}
	}
	var buf [64]byte
	n, _, err := conn.ReadFromUDPAddrPort(buf[:])
	if want := fmt.Sprintf("to %v", &here); err != nil || string(buf[:n]) != want {
		t.Errorf("%q arrived, %v, want %q", buf[:n], err, want)
	}
}

// The peer decides how often it changes the call, not how much we remember.
func TestEventsAreBounded(t *testing.T) {
	q := newQueue()
	q.put(Secured{})
	q.put(Security{Level: LevelSuspect})
	for range 1000 {
		q.put(Held{Remote: true})
		q.put(Refused{})
		q.put(Resumed{Remote: true})
		q.put(Quality{Remote: true})
	}
	q.put(Ended{})
	q.put(Held{}) // too late
	if n := len(q.events); n > maxUnread {
		t.Errorf("%d events wait", n)
	}
	first, last := q.events[:2], q.events[len(q.events)-2:]
	if first[0] != (Secured{}) || first[1].(Security).Level != LevelSuspect || last[0] != (Quality{Remote: true}) || last[1] != (Ended{}) {
		t.Errorf("events wait: %+v", q.events)
	}
}

// A call that nobody takes gives its place up.
func TestRingingEnds(t *testing.T) {
	a, b := newEngine(t, Config{}), newEngine(t, Config{})
	caller, callee := ring(t, a, b)
	if err := callee.do(func(l *leg) error {
		if rest := l.wait(); rest > ringTimeout || rest < ringTimeout-limit {
			t.Errorf("rings for %v more", rest)
		}
		l.ringsUntil = time.Now()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if e := ended(t, callee); e.Reason.Kind != NoAnswer || e.Reason.Remote {
		t.Errorf("ended with %+v", e.Reason)
	}
	if e := ended(t, caller); e.Reason.Kind != NoAnswer || e.Reason.Code != 480 {
		t.Errorf("the caller ended with %+v", e.Reason)
	}
	if n := b.ringing.Load(); n != 0 {
		t.Errorf("%d calls ring", n)
	}
}

// What the peer says while our own offer is out waits for its answer, because
// it builds on that.
func TestOfferWaitsForOurs(t *testing.T) {
	heard := make(beat)
	a := newEngine(t, Config{OpenAudio: func(context.Context) (Audio, error) { return internal(audio.Silence{}, heard), nil }})
	b := newEngine(t, Config{})
	caller, callee := ring(t, a, b)
	if err := callee.Answer(); err != nil {
		t.Fatal(err)
	}
	until[Secured](t, caller)
	until[Secured](t, callee)
	if err := caller.do(func(l *leg) error { _, err := l.reoffer(sdp.SendOnly); return err }); err != nil {
		t.Fatal(err)
	}
	if err := caller.Hold(t.Context()); err == nil {
		t.Error("two offers at a time")
	}
	held := make(chan error, 1)
	go func() {
		err := callee.Hold(t.Context())
		for errors.As(err, &sip.Reason{}) { // the ACK of its answer is under way
			err = callee.Hold(t.Context())
		}
		held <- err
	}()
	heard.frames(t, 20)
	if len(held) != 0 {
		t.Fatal("the peer's offer was answered before ours")
	}
	refused := errors.New("refused")
	if err := caller.do(func(l *leg) error { return l.reanswered(nil, refused) }); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	if err := <-held; err != nil {
		t.Fatal(err)
	}
	until[Held](t, caller)
}

type fullMemory struct{ memory }

func (m fullMemory) Store(own, peer string) zrtp.Store { return fullStore{m.memory.Store(own, peer)} }

type fullStore struct{ zrtp.Store }

func (fullStore) Update(wire.ZID, func(*zrtp.Record) error) error {
	return errors.New("zidcache: no space left on device")
}

// The user has found somebody in the middle. That ends the call, whatever the
// disk says.
func TestAdversary_E5_SASMismatchOnFullDisk(t *testing.T) {
	a, b := newEngine(t, Config{}), newEngine(t, Config{})
	a.memory = fullMemory{a.memory}
	caller, callee := ring(t, a, b)
	if err := callee.Answer(); err != nil {
		t.Fatal(err)
	}
	if w := until[Warning](t, caller); !strings.Contains(w.Text, ": no space left") {
		t.Errorf("warned with %q", w.Text)
	}
	until[Secured](t, caller)
	if err := caller.SetVerified(true); err == nil || caller.Level().Verified() {
		t.Errorf("verified, and not stored: %v", err)
	}
	if err := caller.SetVerified(false); err == nil {
		t.Error("the user is not told that the record stays")
	}
	until[Refused](t, caller)
	if e := ended(t, caller); e.Reason.Kind != NotSecure || e.Level != LevelAttacked {
		t.Errorf("ended with %+v, %s", e.Reason, e.Level)
	}
}

// What Ended and Stats say after the end is what was counted before.
func TestFinalStats(t *testing.T) {
	l := playing(t, Config{AllowInsecure: true})
	l.onKeys(zrtp.NoPeer{})
	f := l.voice.flow.Load()
	for i := range byte(20) {
		pkt := append([]byte{0x80, 0, 0, i, 0, 0, 0, 160 * (i % 2), 0, 0, 0, 9}, bytes.Repeat([]byte{0xff}, 160)...)
		f.receiver.HandleRTP(time.Now().Add(time.Duration(i)*7*time.Millisecond), pkt)
	}
	before := l.voice.stats()
	if before.Jitter == 0 || before.PacketsReceived != 20 {
		t.Fatalf("%+v", before)
	}
	l.gone = true
	l.end(Reason{})
	l.finish()
	if got := l.call.Stats(); got.Jitter != before.Jitter || got.PacketsReceived != 20 || got != l.call.final {
		t.Errorf("%+v, before %+v", got, before)
	}
}

func TestInWords(t *testing.T) {
	for text, want := range map[string]string{
		"sdp: no codec in common":             "no codec in common",
		"media: audio: header: odd":           "header: odd",
		"open /a: permission denied":          "open /a: permission denied",
		"alsa: device is busy":                "alsa: device is busy",
		"zrtp: Confirm MAC mismatch: keys: x": "Confirm MAC mismatch: keys: x",
	} {
		if got := InWords(errors.New(text)); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	for err, want := range map[error]string{
		context.DeadlineExceeded: "there was no answer in time",
		os.ErrDeadlineExceeded:   "there was no answer in time",
		context.Canceled:         "it was given up",
		net.ErrClosed:            "the connection was closed",
		os.ErrClosed:             "it was closed meanwhile",
		io.ErrUnexpectedEOF:      "it ended too early",
		io.EOF:                   "it ended too early",
	} {
		if got := InWords(fmt.Errorf("device: %q: %w", "mic", err)); got != `"mic": `+want {
			t.Errorf("%q is told as %q", err, got)
		}
	}
	timeout := zrtp.Failed{Code: wire.ErrorTimeout, Err: errors.New("zrtp: no answer in state CommitSent")}
	if got := whyFailed(timeout); got != wire.ErrorTimeout.String() {
		t.Errorf("a timeout is told as %q", got)
	}
	if got := whyFailed(zrtp.Failed{Err: errors.New("zrtp: the keys differ")}); got != "the keys differ" {
		t.Errorf("an error is told as %q", got)
	}
}

func newEngine(t *testing.T, cfg Config) *Engine {
	t.Helper()
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// ring makes a call from a to b.
func ring(t *testing.T, a, b *Engine) (caller, callee *Call) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	caller, err := a.Dial(t.Context(), "sip:bob@"+b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if callee, err = b.Accept(ctx); err != nil {
		t.Fatal(err)
	}
	return caller, callee
}

// until skips events until one of the wanted type.
func until[E Event](t *testing.T, c *Call) E {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		e, err := c.Next(ctx)
		if err != nil {
			var want E
			t.Fatalf("waiting for %T: %v", want, err)
		}
		if want, ok := e.(E); ok {
			return want
		}
	}
}

func ended(t *testing.T, c *Call) Ended {
	t.Helper()
	return until[Ended](t, c)
}

// Audio that is opened need not be opened again when that was due.
func TestOpensOnce(t *testing.T) {
	l := waiting(t, Config{})
	l.path.reopenAt = time.Now()
	l.openAudio(Audio{})
	if !l.path.reopenAt.IsZero() {
		t.Error("it is opened again")
	}
	l.onAudio(<-l.opening)
}
