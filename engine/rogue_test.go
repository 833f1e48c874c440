package engine_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"os"
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

// signalledKey is the key and salt that a rogue may put into its offer.
var signalledKey = bytes.Repeat([]byte("k"), 30)

// rogue is a peer that does with SIP and with its media port what it likes.
type rogue struct {
	t      *testing.T
	agent  *sip.Agent
	media  *net.UDPConn
	local  sdp.Local
	keys   *zrtp.Session          // nil: it does not speak ZRTP
	deaf   atomic.Bool            // to ZRTP, for now
	echo   atomic.Bool            // sends clear voice back, as its own
	srtps  atomic.Bool            // mixes signalledKey in
	forge  atomic.Pointer[[]byte] // not nil: sent before each of its ZRTP packets
	forged atomic.Int64           // how often
	agreed chan struct{}          // closed when keys is secure
	seen   [8]atomic.Int64
	format [2]atomic.Int64       // payload type and length of the last RTP packet
	sizes  [maxSize]atomic.Int64 // how many RTP packets of each length came
	events atomic.Int64          // how many had a payload type of DTMF, as Voice has them
	voice  atomic.Pointer[int64] // how many ZRTP packets came before the first voice
	heard  chan struct{}         // closed when there is voice
	done   chan struct{}
}

// maxSize is above the length of any RTP packet of ours.
const maxSize = 1500

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
	r := &rogue{t: t, agent: agent, media: conn, agreed: make(chan struct{}), heard: make(chan struct{}), done: make(chan struct{}),
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

// serve counts what arrives by kind and runs ZRTP, if at all. What a full socket has
// dropped is repeated, as by any peer.
func (r *rogue) serve() {
	defer close(r.done)
	var buf [2048]byte
	var peer netip.AddrPort
	for {
		if r.keys != nil {
			_ = r.media.SetReadDeadline(r.keys.Deadline()) // fails if it is closed, as reading does
		}
		n, from, err := r.media.ReadFromUDPAddrPort(buf[:])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			r.keys.HandleTimeout(time.Now())
			r.flush(peer)
			continue
		}
		if err != nil {
			return
		}
		kind := media.Classify(buf[:n])
		r.seen[kind].Add(1)
		if kind == media.KindRTP {
			r.onVoice(from, buf[:n])
		}
		if r.keys == nil || kind != media.KindZRTP || r.deaf.Load() {
			continue
		}
		peer = from
		now := time.Now()
		if r.srtps.Load() {
			r.keys.SetSignalledKey(signalledKey[:16], signalledKey[16:])
		}
		r.keys.Start(now)
		_ = r.keys.HandlePacket(now, buf[:n])
		r.flush(peer)
	}
}

// onVoice notes a packet of RTP, and perhaps sends it back.
func (r *rogue) onVoice(from netip.AddrPort, pkt []byte) {
	r.format[0].Store(int64(pkt[1] & 0x7f))
	r.format[1].Store(int64(len(pkt)))
	r.sizes[len(pkt)%maxSize].Add(1)
	if pt := pkt[1] & 0x7f; pt == 100 || pt == 101 {
		r.events.Add(1)
	}
	if before := r.seen[media.KindZRTP].Load(); r.voice.CompareAndSwap(nil, &before) {
		close(r.heard)
	}
	if r.echo.Load() {
		pkt[8]++ // another SSRC
		_, _ = r.media.WriteToUDPAddrPort(pkt, from)
	}
}

// flush sends what ZRTP wants sent and notes what it says.
func (r *rogue) flush(to netip.AddrPort) {
	for pkt, ok := r.keys.AppendPacket(nil); ok; pkt, ok = r.keys.AppendPacket(nil) {
		if forged := r.forge.Load(); forged != nil {
			_, _ = r.media.WriteToUDPAddrPort(*forged, to)
			r.forged.Add(1)
		}
		_, _ = r.media.WriteToUDPAddrPort(pkt, to)
	}
	for e := r.keys.NextEvent(); e != nil; e = r.keys.NextEvent() {
		if _, ok := e.(zrtp.Secured); ok {
			close(r.agreed)
		}
	}
}

// accept waits for the next call.
func (r *rogue) accept() (*sip.Dialog, *sdp.Session) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), limit)
	defer cancel()
	d, err := r.agent.Accept(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	offer, err := sdp.Parse(d.RemoteOffer())
	if err != nil {
		r.t.Fatal(err)
	}
	return d, offer
}

// answer takes the next call with its own description.
func (r *rogue) answer() (*sip.Dialog, *sdp.Session) {
	r.t.Helper()
	d, offer := r.accept()
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
	dialog, answer := r.answer()
	return call, dialog, answer
}

// answers takes each offer of the engine with a description of local's.
func (r *rogue) answers(dialog *sip.Dialog, local sdp.Local) {
	for answer := r.offered(r.t.Context(), dialog, local); answer != nil; {
		answer()
		answer = r.offered(r.t.Context(), dialog, local)
	}
}

// offered waits for the next offer of the engine and returns what takes it with a
// description of local's: nil if the dialog or ctx has ended, or it makes no sense.
func (r *rogue) offered(ctx context.Context, dialog *sip.Dialog, local sdp.Local) (answer func()) {
	for {
		e, err := dialog.Next(ctx)
		if err != nil {
			return nil
		}
		o, ok := e.(sip.Offer)
		if !ok {
			continue
		}
		offer, err := sdp.Parse(o.SDP)
		if err != nil {
			r.t.Error(err)
			return nil
		}
		answer, err := sdp.Answer(offer, nil, local)
		if err != nil {
			r.t.Error(err)
			return nil
		}
		return func() { _ = dialog.AnswerOffer(answer.Append(nil)) } // withdrawn, if it fails
	}
}

// reinvite changes the call with a description of local's.
func (r *rogue) reinvite(dialog *sip.Dialog, last *sdp.Session, local sdp.Local) error {
	ctx, cancel := context.WithTimeout(r.t.Context(), limit)
	defer cancel()
	return settled(func() error {
		_, err := dialog.Reinvite(ctx, sdp.Reoffer(last, local).Append(nil))
		return err
	})
}

// settled repeats a change of the call while an earlier one waits for its ACK.
func settled(change func() error) (err error) {
	for start := time.Now(); time.Since(start) < limit; {
		var reason sip.Reason
		if err = change(); !errors.As(err, &reason) || reason.Kind != sip.Glare {
			break
		}
	}
	return err
}

// endOf is how a dialog of the rogue ends.
func endOf(t *testing.T, d *sip.Dialog) sip.Reason {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		e, err := d.Next(ctx)
		if err != nil {
			t.Fatalf("waiting for the end: %v", err)
		}
		if e, ok := e.(sip.Ended); ok {
			return e.Reason
		}
	}
}
