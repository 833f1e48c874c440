package engine_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"sotto/engine"
	"sotto/media"
	"sotto/sip"
	"sotto/sip/sdp"
	"sotto/zrtp"
	"sotto/zrtp/wire"
)

// rogue is a peer that does with SIP and with its media port what it likes.
type rogue struct {
	t     *testing.T
	agent *sip.Agent
	media *net.UDPConn
	local sdp.Local
	keys  *zrtp.Session // nil: it does not speak ZRTP
	seen  [8]atomic.Int64
	voice atomic.Pointer[int64] // how many ZRTP packets came before the first voice
	heard chan struct{}         // closed when there is voice
	done  chan struct{}
}

func newRogue(t *testing.T, speaksZRTP bool) *rogue {
	t.Helper()
	agent, err := sip.New(sip.Config{Bind: "127.0.0.1:0", Identity: "sip:rogue@test"})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	addr := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	r := &rogue{t: t, agent: agent, media: conn, heard: make(chan struct{}), done: make(chan struct{}),
		local: sdp.Local{ID: 1, Address: addr.Addr(), Port: addr.Port(), Codecs: sdp.Voice()}}
	if speaksZRTP {
		r.keys, err = zrtp.New(zrtp.Config{Rand: rand.Reader, ZID: wire.ZID{0xbe}, SSRC: 0xbad, ClientID: "rogue"})
		if err != nil {
			t.Fatal(err)
		}
		hash := r.keys.HelloHash()
		r.local.ZRTPHashes = []sdp.ZRTPHash{{Version: "1.10", Hash: hash[:]}}
	}
	go r.serve()
	t.Cleanup(func() {
		_ = r.media.Close()
		<-r.done
		if err := r.agent.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// serve counts what arrives by kind and runs ZRTP, if at all.
func (r *rogue) serve() {
	defer close(r.done)
	var buf [2048]byte
	for {
		n, from, err := r.media.ReadFromUDPAddrPort(buf[:])
		if err != nil {
			return
		}
		kind := media.Classify(buf[:n])
		r.seen[kind].Add(1)
		if before := r.seen[media.KindZRTP].Load(); kind == media.KindRTP && r.voice.CompareAndSwap(nil, &before) {
			close(r.heard)
		}
		if r.keys == nil || kind != media.KindZRTP {
			continue
		}
		now := time.Now()
		r.keys.Start(now)
		_ = r.keys.HandlePacket(now, buf[:n])
		r.flush(from)
	}
}

func (r *rogue) flush(to netip.AddrPort) {
	for {
		pkt, ok := r.keys.AppendPacket(nil)
		if !ok {
			return
		}
		_, _ = r.media.WriteToUDPAddrPort(pkt, to)
	}
}

// answer takes the next call with its own description.
func (r *rogue) answer(ctx context.Context) (*sip.Dialog, *sdp.Session) {
	r.t.Helper()
	d, err := r.agent.Accept(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	offer, err := sdp.Parse(d.RemoteOffer())
	if err != nil {
		r.t.Fatal(err)
	}
	answer, err := sdp.Answer(offer, nil, r.local)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := d.Answer(answer.Append(nil)); err != nil {
		r.t.Fatal(err)
	}
	return d, answer
}

func (r *rogue) uri() string { return "sip:rogue@" + r.agent.Addr().String() }

// call makes an engine call the rogue.
func (r *rogue) call(cfg engine.Config) (*engine.Call, *sip.Dialog, *sdp.Session) {
	r.t.Helper()
	call, err := newEngine(r.t, cfg).Dial(r.t.Context(), r.uri())
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), limit)
	defer cancel()
	dialog, answer := r.answer(ctx)
	return call, dialog, answer
}

// A peer without ZRTP hears nothing at all, and the reason says why.
func TestAdversary_F3_NoVoiceBeforeKeys(t *testing.T) {
	t.Parallel()
	r := newRogue(t, false)
	call, _, _ := r.call(engine.Config{})
	refused := until[engine.Refused](t, call)
	if e := next[engine.Ended](t, call); e.Reason.Kind != engine.NotSecure || refused.Text == "" || e.Level != engine.LevelNone {
		t.Errorf("refused with %+v, ended with %+v", refused, e)
	}
	if n := r.seen[media.KindRTP].Load() + r.seen[media.KindRTCP].Load(); n != 0 {
		t.Errorf("%d packets of clear media left", n)
	}
	if r.seen[media.KindZRTP].Load() == 0 {
		t.Error("no key agreement was tried")
	}
}

// With secure mode off the same peer is called in the clear, with a warning and
// not before every Hello has been tried (RFC 6189 §4).
func TestAdversary_F3_InsecureModeWaits(t *testing.T) {
	t.Parallel()
	r := newRogue(t, false)
	call, _, _ := r.call(engine.Config{AllowInsecure: true})
	if w := until[engine.Warning](t, call); w.Text == "" {
		t.Error("an empty warning")
	}
	if call.Level() != engine.LevelNone {
		t.Errorf("a clear call is %s", call.Level())
	}
	select {
	case <-r.heard:
	case <-time.After(limit):
		t.Fatal("no voice left")
	}
	if hellos := *r.voice.Load(); hellos < 20 {
		t.Errorf("clear voice left after %d Hellos", hellos)
	}
}

// Another Hello than the announced one is no key agreement.
func TestAdversary_A6_OtherHello(t *testing.T) {
	t.Parallel()
	r := newRogue(t, true)
	r.local.ZRTPHashes[0].Hash = bytes.Repeat([]byte{1}, 32)
	call, _, _ := r.call(engine.Config{})
	until[engine.Refused](t, call)
	if e := next[engine.Ended](t, call); e.Reason.Kind != engine.NotSecure {
		t.Errorf("ended with %+v", e.Reason)
	}
	if n := r.seen[media.KindRTP].Load(); n != 0 {
		t.Errorf("%d media packets left", n)
	}
}

// A re-INVITE that takes the ZRTP hash away, or names another, is refused;
// the call goes on under its keys.
func TestAdversary_F1_ReinviteWithoutZRTP(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*sdp.Local){
		"hash taken away": func(l *sdp.Local) { l.ZRTPHashes = nil },
		"another hash": func(l *sdp.Local) {
			l.ZRTPHashes = []sdp.ZRTPHash{{Version: "1.10", Hash: bytes.Repeat([]byte{2}, 32)}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRogue(t, true)
			call, dialog, answer := r.call(engine.Config{})
			until[engine.Secured](t, call)
			local := r.local
			spoil(&local)
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			if _, err := dialog.Reinvite(ctx, sdp.Reoffer(answer, local).Append(nil)); err == nil {
				t.Error("the change was accepted")
			}
			next[engine.Refused](t, call)
			if call.Level() != engine.LevelEncrypted {
				t.Errorf("level is %s now", call.Level())
			}
			if err := call.Close(); err != nil {
				t.Fatal(err)
			}
			if e := next[engine.Ended](t, call); e.Reason.Kind != engine.HungUp {
				t.Errorf("ended with %+v", e.Reason)
			}
		})
	}
}

// Clear RTP that is injected before and after the keys is never played.
func TestAdversary_F2_InjectedRTP(t *testing.T) {
	t.Parallel()
	r := newRogue(t, true)
	heard := newRecorder(1)
	call, dialog, _ := r.call(withAudio(loudness(0), heard))
	offer, err := sdp.Parse(dialog.RemoteOffer())
	if err != nil {
		t.Fatal(err)
	}
	m := offer.Media[offer.Audio()]
	to := netip.AddrPortFrom(m.Address, m.Port)
	inject := func() {
		for seq := range byte(50) {
			pkt := append([]byte{0x80, 0, 0, seq, 0, 0, seq, 0, 0, 0, 0, 9}, bytes.Repeat([]byte{0x80}, 160)...)
			if _, err := r.media.WriteToUDPAddrPort(pkt, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	inject()
	until[engine.Secured](t, call)
	inject()
	<-heard.got
	if err := call.Close(); err != nil {
		t.Fatal(err)
	}
	for _, s := range heard.heard() {
		if s != 0 {
			t.Fatal("an injected packet was played")
		}
	}
	if e := until[engine.Ended](t, call); e.Stats.Discarded.Clear+e.Stats.Discarded.Auth+e.Stats.Discarded.Malformed == 0 {
		t.Errorf("nothing was discarded: %+v", e.Stats)
	}
}

// loudness is a Source of one value.
type loudness int16

func (l loudness) ReadFrame(pcm []int16) error {
	for i := range pcm {
		pcm[i] = int16(l)
	}
	return nil
}

// A peer that insists on keys in the signalling is turned away.
func TestSDESOfferIsRejected(t *testing.T) {
	t.Parallel()
	r := newRogue(t, false)
	e := newEngine(t, engine.Config{})
	offer := bytes.Replace(sdp.Offer(r.local).Append(nil), []byte("RTP/AVP"), []byte("RTP/SAVP"), 1)
	offer = append(offer, "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n"...)
	dialog, err := r.agent.Invite(t.Context(), uri(e), offer)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if call, err := e.Accept(ctx); err == nil {
		_ = call.Answer() // must fail: what follows shows how
	}
	for {
		ev, err := dialog.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, answered := ev.(sip.Answered); answered {
			t.Fatal("SDES was accepted")
		}
		if ended, ok := ev.(sip.Ended); ok {
			if ended.Reason.Kind != sip.NotAcceptable {
				t.Errorf("turned away with %+v", ended.Reason)
			}
			return
		}
	}
}
