package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"sotto/codecs"
	"sotto/engine/realtime"
	"sotto/media"
	"sotto/media/protect"
	"sotto/media/route"
	"sotto/sip/sdp"
)

// inboxSize is how many ZRTP packets may wait for the leg: more than a whole
// handshake with all its repetitions in a burst.
const inboxSize = 64

// voice is the media of one call: its sockets, both halves of the stream, and
// the goroutines that drive them. The leg owns it.
type voice struct {
	sockets *mediaSockets
	// inbox takes copies of ZRTP packets from the reader. When it is full
	// they are dropped: ZRTP repeats itself.
	inbox chan []byte
	// authentic gets one value when media has passed authentication.
	authentic chan struct{}
	// over gets one value when the audio has ended: nil when the source
	// ran out, or what failed.
	over chan error

	// digits is the DTMF that the peer sends; nil until start.
	digits <-chan byte

	remote, remoteRTCP atomic.Pointer[netip.AddrPort]
	mux                atomic.Bool          // our RTCP leaves from the RTP port
	reporting          sync.Mutex           // one reader at a time has RTCP for the flow
	flow               atomic.Pointer[flow] // nil until start
	readers, players   sync.WaitGroup
	stopPlaying        context.CancelFunc // nil until start
	jack               *jack
	gate               *media.Gate // nil without secure mode
	audio              Audio       // what is or was in jack; closed once, by close or for the next
	watchers           sync.WaitGroup
	held, muted, clear bool // what hold, mute and releaseClear have said
	silent             bool
	final              media.Stats // once silent
	// protectors are what was released to the flow, to be closed when
	// nothing uses them any more.
	protectors []interface{ Close() }
	fallen     atomic.Bool // mute, for good
}

// flow is both halves of the stream, unchanging once made.
type flow struct {
	sender   *media.Sender
	receiver *media.Receiver
	reports  *media.Reports
	told     bool // authentic has been signalled; owned by the RTP reader
}

// openVoice binds the sockets and begins to read: what arrives before start
// is kept if it is ZRTP and dropped if it is anything else.
func openVoice(host netip.Addr) (*voice, error) {
	sockets, err := openMedia(host)
	if err != nil {
		return nil, err
	}
	v := &voice{
		sockets: sockets, inbox: make(chan []byte, inboxSize),
		authentic: make(chan struct{}, 1), over: make(chan error, 1),
		jack: newJack(),
	}
	v.readers.Go(func() { realtime.Read(sockets.rtp, v.onMedia) })
	v.readers.Go(func() { realtime.Read(sockets.rtcp, v.onReport) })
	return v, nil
}

func (v *voice) onMedia(now time.Time, pkt []byte) {
	switch media.Classify(pkt) {
	case media.KindZRTP:
		select {
		case v.inbox <- append([]byte(nil), pkt...):
		default:
		}
	case media.KindRTP:
		f := v.flow.Load()
		if f == nil {
			return
		}
		f.receiver.HandleRTP(now, pkt)
		if !f.told && f.receiver.Authenticated() {
			f.told = true
			v.authentic <- struct{}{} // has room: it is told once
		}
	case media.KindRTCP:
		v.report(now, pkt)
	}
}

func (v *voice) onReport(now time.Time, pkt []byte) {
	if media.Classify(pkt) == media.KindRTCP {
		v.report(now, pkt)
	}
}

// report takes RTCP from either port: while the peer changes from one to the
// other, some of it is on its way to the one before.
func (v *voice) report(now time.Time, pkt []byte) {
	f := v.flow.Load()
	if f == nil {
		return
	}
	v.reporting.Lock()
	defer v.reporting.Unlock()
	f.reports.HandleRTCP(now, pkt)
}

// sendZRTP sends one ZRTP packet. A failed write is a lost packet: ZRTP
// repeats itself.
func (v *voice) sendZRTP(pkt []byte) { _ = v.write(pkt) }

func (v *voice) write(pkt []byte) error { return realtime.Write(v.sockets.rtp, v.remote.Load(), pkt) }

// writeReport sends one RTCP packet, from the RTP port when multiplexed.
func (v *voice) writeReport(pkt []byte) error {
	if v.mux.Load() {
		return v.write(pkt)
	}
	return realtime.Write(v.sockets.rtcp, v.remoteRTCP.Load(), pkt)
}

// redirect says where the peer wants its media from now on, and whether RTCP
// shares the port of RTP.
func (v *voice) redirect(a sdp.Agreed) {
	remote, rtcp := a.Remote, a.RemoteRTCP
	v.remote.Store(&remote)
	v.remoteRTCP.Store(&rtcp)
	v.mux.Store(a.Mux)
}

// plug has the stream use a from now on.
func (v *voice) plug(a Audio) {
	v.audio = a
	v.jack.plug(a)
}

// start makes the stream that the SDP has agreed on and begins to tick. Nothing
// of the audio is read, sent or played before a release. A second start does
// nothing.
func (v *voice) start(cfg *Config, a sdp.Agreed, ssrc uint32, phases *realtime.Phases) error {
	if v.flow.Load() != nil {
		return nil
	}
	codec, ok := codecs.Lookup(a.Codec.Name)
	if !ok {
		return fmt.Errorf("engine: no codec %q", a.Codec.Name)
	}
	sender, err := media.NewSender(media.SenderConfig{
		Source: hearing{v.jack}, Codec: codec, Coding: codingFor(cfg, codec, a), PayloadType: a.Codec.PayloadType,
		TelephoneEvent: a.Event.PayloadType, EventClock: a.Event.ClockRate,
		SSRC: ssrc, Sequence: uint16(randomUint32()), Timestamp: randomUint32(),
		Write: v.write, Secure: !cfg.AllowInsecure, Gate: v.gate, Trace: cfg.Tracer,
	})
	if err != nil {
		return err
	}
	payloads, events := arriving(a)
	receiver, err := media.NewReceiver(media.ReceiverConfig{
		Sink: v.jack, Payloads: payloads, TelephoneEvents: events,
		Secure: !cfg.AllowInsecure, Gate: v.gate, Trace: cfg.Tracer,
	})
	if err != nil {
		return err
	}
	reports, err := media.NewReports(media.ReportsConfig{
		Sender: sender, Receiver: receiver, CNAME: cname(),
		Write: v.writeReport, Secure: !cfg.AllowInsecure,
	})
	if err != nil {
		return err
	}
	place, err := phases.Take()
	if err != nil {
		return err
	}
	f := &flow{sender: sender, receiver: receiver, reports: reports}
	f.sender.Hold(v.held)
	f.sender.Mute(v.muted)
	v.flow.Store(f)
	v.digits = receiver.Digits()
	ctx, cancel := context.WithCancel(context.Background())
	v.stopPlaying = cancel
	v.players.Go(func() { v.finish(realtime.Capture(ctx, place, f.sender)) })
	v.players.Go(func() { v.finish(realtime.Playout(ctx, place.First(), f.receiver)) })
	return nil
}

// cname names our end in RTCP: 96 random bits, new in each call, so that it
// tells nothing about the user (RFC 7022).
func cname() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.StdEncoding.EncodeToString(b[:])
}

// codingFor is cfg's coding with packets of the length that the peer wants or, if
// it does not say, that we want, and no longer than it takes. They keep it for the
// whole call: in secure mode their size is to tell nothing, and nobody is to take
// DTMF, which is as long then, away by asking for long packets.
func codingFor(cfg *Config, codec codecs.Codec, a sdp.Agreed) codecs.Options {
	o := cfg.Coding
	wish := time.Duration(a.PacketTime) * time.Millisecond
	if wish == 0 {
		wish = cmp.Or(o.PacketTime, codecs.FrameDuration)
	}
	if a.MaxPacket != 0 {
		wish = min(wish, time.Duration(a.MaxPacket)*time.Millisecond)
	}
	o.PacketTime = codecs.PacketTime(wish)
	if !cfg.AllowInsecure && codec.PacketBytes(o) > media.LongestPadded {
		o.PacketTime = min(o.PacketTime, codecs.FrameDuration)
	}
	return o
}

// finish tells the leg, once, why a player has stopped by itself.
func (v *voice) finish(err error) {
	if err == nil {
		return
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	select {
	case v.over <- err:
	default:
	}
}

// arriving is what the Receiver must know of the payload types.
func arriving(a sdp.Agreed) (payloads map[uint8]codecs.Codec, events []uint8) {
	payloads = make(map[uint8]codecs.Codec)
	for _, c := range a.Arriving {
		switch codec, ok := codecs.Lookup(c.Name); {
		case c.Event():
			events = append(events, c.PayloadType)
		case c.Noise() && c.ClockRate == a.Codec.ClockRate:
			payloads[c.PayloadType] = codecs.ComfortNoise
		case ok:
			payloads[c.PayloadType] = codec
		}
	}
	return payloads, events
}

// hold stops sending, for a peer that does not receive.
func (v *voice) hold(on bool) {
	v.held = on
	if f := v.flow.Load(); f != nil {
		f.sender.Hold(on)
	}
}

// sendDigits sends DTMF in place of voice.
func (v *voice) sendDigits(digits string) error {
	f := v.flow.Load()
	if f == nil {
		return media.ErrSilent
	}
	return f.sender.SendDigits(digits)
}

// mute sends silence.
func (v *voice) mute(on bool) {
	v.muted = on
	if f := v.flow.Load(); f != nil {
		f.sender.Mute(on)
	}
}

// srtpKeys is what the protectors of one direction are made from: one for RTP
// and one for RTCP, since each belongs to another goroutine.
type srtpKeys struct {
	profile   protect.Profile
	key, salt []byte // wiped by their owner
}

// releaseReceive lets the peer's voice in.
func (v *voice) releaseReceive(verified route.Verified, k srtpKeys) error {
	opener, err := protect.NewOpener(k.profile, k.key, k.salt)
	if err != nil {
		return err
	}
	v.protectors = append(v.protectors, opener)
	return v.flow.Load().receiver.Release(verified, opener)
}

// releaseSend lets our voice out.
func (v *voice) releaseSend(verified route.Verified, k srtpKeys) error {
	sealer, err := protect.NewSealer(k.profile, k.key, k.salt)
	if err != nil {
		return err
	}
	v.protectors = append(v.protectors, sealer)
	err = v.flow.Load().sender.Release(verified, sealer)
	v.stayMute()
	return err
}

// releaseReports lets RTCP flow both ways.
func (v *voice) releaseReports(verified route.Verified, send, receive srtpKeys) error {
	sealer, err := protect.NewSealer(send.profile, send.key, send.salt)
	if err != nil {
		return err
	}
	opener, err := protect.NewOpener(receive.profile, receive.key, receive.salt)
	if err != nil {
		return err
	}
	v.protectors = append(v.protectors, sealer, opener)
	return v.flow.Load().reports.Release(verified, sealer, opener)
}

// releaseClear lets voice and RTCP flow both ways without keys.
func (v *voice) releaseClear() error {
	if v.clear {
		return nil
	}
	v.clear = true
	f := v.flow.Load()
	err := errors.Join(f.receiver.ReleaseClear(), f.sender.ReleaseClear(), f.reports.ReleaseClear())
	if v.stayMute() {
		return nil // the sender lets nothing through any more, which is no error
	}
	return err
}

// fallMute has no more of our voice leave, at once and for good. Any goroutine may
// call it: who hangs up does not wait for the leg, which may wait for the disk, and
// whose silence follows.
func (v *voice) fallMute() {
	v.fallen.Store(true)
	v.stayMute()
}

// stayMute takes back a release that has come beside fallMute, and reports whether
// that has been.
func (v *voice) stayMute() bool {
	fallen := v.fallen.Load()
	if f := v.flow.Load(); f != nil && fallen {
		f.sender.Revoke()
	}
	return fallen
}

// silence stops both directions at once, for good; the last report says
// goodbye. Only a write or a device call that has begun is not called back.
func (v *voice) silence() {
	f := v.flow.Load()
	if f == nil || v.silent {
		return
	}
	v.silent = true
	f.sender.Revoke()
	_ = f.reports.Bye(time.Now()) // a lost report is a lost packet
	v.final = f.reports.Stats()
	f.receiver.Revoke()
	f.reports.Revoke()
}

// stats is what both halves have counted, or had counted when it became
// silent: the jitter is not known any more then.
func (v *voice) stats() media.Stats {
	if f := v.flow.Load(); f != nil && !v.silent {
		return f.reports.Stats()
	}
	return v.final
}

// close ends everything and waits for it, after silence.
func (v *voice) close() {
	if v.stopPlaying != nil {
		v.stopPlaying()
	}
	if !v.audio.closeIfStuck(func() { v.watchers.Wait(); v.players.Wait() }) {
		_ = v.audio.Close()
	}
	v.sockets.close()
	v.readers.Wait()
	for _, p := range v.protectors {
		p.Close()
	}
}
