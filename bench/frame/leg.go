package main

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"time"

	"sotto/codecs"
	"sotto/engine/realtime"
	"sotto/media"
	"sotto/media/audio"
	"sotto/media/protect"
	"sotto/media/route"
)

const (
	profile     = protect.AESCM128HMACSHA1_80
	payloadType = 96
	clockRate   = 48000
	step        = clockRate / int(time.Second/media.FrameDuration) // timestamp units in a frame
)

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// leg is one side of a call, driven as engine does it: a socket, a Sender and a
// Receiver, and a goroutine each for capture, reader and playout. It sends to
// the next leg of a ring and hears the one before.
type leg struct {
	conn       *net.UDPConn
	to         netip.AddrPort
	in, out    *stream
	sender     *media.Sender
	receiver   *media.Receiver
	source     meter // owned by capture, as are the next two
	encoder    meter
	socket     meter
	decoder    meter // owned by playout
	protectors []interface{ Close() }
}

// meter adds up what is not the engine's own time.
type meter struct {
	epoch  time.Time     // a difference to it costs less than another time.Now
	latest time.Duration // since the last take
	total  time.Duration
	times  int
}

func (m *meter) now() time.Duration { return time.Since(m.epoch) }

func (m *meter) since(began time.Duration) {
	d := m.now() - began
	m.latest += d
	m.total += d
	m.times++
}

// take is what was added up since the last take.
func (m *meter) take() time.Duration {
	d := m.latest
	m.latest = 0
	return d
}

// mean is what one time took.
func (m *meter) mean() time.Duration { return m.total / time.Duration(max(m.times, 1)) }

// newLeg makes a leg between two streams; close ends it.
func newLeg(in, out *stream, codec codecs.Codec, source audio.Source) (*leg, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(loopback))
	if err != nil {
		return nil, err
	}
	m := meter{epoch: time.Now()}
	l := &leg{conn: conn, in: in, out: out, source: m, encoder: m, socket: m, decoder: m}
	if err := l.build(l.metered(codec), meteredSource{source, &l.source}); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *leg) build(codec codecs.Codec, source audio.Source) (err error) {
	l.sender, err = media.NewSender(media.SenderConfig{
		Source: source, Codec: codec, PayloadType: payloadType, SSRC: l.out.ssrc,
		Write: l.write, Secure: true, Trace: l.out,
	})
	if err != nil {
		return err
	}
	l.receiver, err = media.NewReceiver(media.ReceiverConfig{
		Sink: audio.Discard{}, Payloads: map[uint8]codecs.Codec{payloadType: codec}, Secure: true, Trace: l.in,
	})
	if err != nil {
		return err
	}
	verified, err := route.Policy{}.Verify(route.Route{Class: route.Internal, Device: "benchmark"})
	if err != nil {
		return err
	}
	opener, err := protect.NewOpener(profile, l.in.key, l.in.salt)
	if err != nil {
		return err
	}
	sealer, err := protect.NewSealer(profile, l.out.key, l.out.salt)
	if err != nil {
		return err
	}
	l.protectors = append(l.protectors, opener, sealer)
	if err := l.receiver.Release(verified, opener); err != nil {
		return err
	}
	return l.sender.Release(verified, sealer)
}

func (l *leg) address() netip.AddrPort { return l.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// run starts the leg's goroutines: the end of ctx ends two of them, close the
// reader.
func (l *leg) run(ctx context.Context, phases *realtime.Phases, group *sync.WaitGroup) {
	first := phases.Next()
	l.out.first = first
	group.Go(func() { realtime.Read(l.conn, l.take) })
	group.Go(func() { _ = realtime.Capture(ctx, first, &capture{Sender: l.sender, leg: l}) })
	group.Go(func() { _ = realtime.Playout(ctx, first, &playout{leg: l}) })
}

// close is called again when the goroutines have ended.
func (l *leg) close() {
	_ = l.conn.Close()
	for _, p := range l.protectors {
		p.Close()
	}
}

// write is the kernel's part of sending.
func (l *leg) write(pkt []byte) error {
	defer l.socket.since(l.socket.now())
	return realtime.Write(l.conn, &l.to, pkt)
}

// take is what the reader does with a packet.
func (l *leg) take(now time.Time, pkt []byte) {
	frame := binary.BigEndian.Uint32(pkt[4:]) / uint32(step)
	l.receiver.HandleRTP(now, pkt)
	l.in.receive.put(frame, time.Since(now))
}

// capture is a Sender of which each call is measured.
type capture struct {
	*media.Sender
	leg   *leg
	frame uint32 // of the last Prepare
	next  uint32
}

func (c *capture) Prepare() error {
	c.frame = c.next
	c.next++
	began := c.leg.source.now()
	err := c.Sender.Prepare()
	c.leg.out.prepare.put(c.frame, c.leg.source.now()-began-c.leg.source.take()-c.leg.encoder.take())
	return err
}

func (c *capture) Skip() {
	c.next++
	c.Sender.Skip()
}

// Send notes when the packet has left: when the kernel has it.
func (c *capture) Send() error {
	began := c.leg.socket.now()
	err := c.Sender.Send()
	left, out := c.leg.socket.now(), c.leg.out
	out.send.put(c.frame, left-began-c.leg.socket.take())
	out.late.put(c.frame, c.leg.socket.epoch.Add(left).Sub(out.due(c.frame)))
	return err
}

// playout is a Receiver of which each frame played is measured.
type playout struct {
	leg  *leg
	next uint32
}

func (p *playout) Play(now time.Time) error {
	err := p.leg.receiver.Play(now)
	p.leg.in.play.put(p.next, time.Since(now)-p.leg.decoder.take())
	p.next++
	return err
}
