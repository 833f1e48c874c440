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
	socket     meter // owned by capture, as are the next two
	source     *meteredSource
	encoder    *meteredEncoder
	decoder    *meteredDecoder // owned by playout
	protectors []interface{ Close() }
}

// meter adds up what is not the engine's own time.
type meter struct {
	latest time.Duration // since the last take
	total  time.Duration
	times  int
}

// epoch is what times count from: a difference to it costs less than another
// time.Now.
var epoch = time.Now()

func now() time.Duration { return time.Since(epoch) }

func (m *meter) since(began time.Duration) {
	d := now() - began
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
	l := &leg{conn: conn, in: in, out: out, source: &meteredSource{Source: source}}
	if err := l.build(l.metered(codec), l.source); err != nil {
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
func (l *leg) run(ctx context.Context, place *realtime.Place, group *sync.WaitGroup) {
	l.out.first = place.First()
	group.Go(func() { realtime.Read(l.conn, l.take) })
	group.Go(func() { _ = realtime.Capture(ctx, place, &capture{Sender: l.sender, leg: l}) })
	group.Go(func() { _ = realtime.Playout(ctx, place.First(), &playout{leg: l}) })
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
	defer l.socket.since(now())
	return realtime.Write(l.conn, &l.to, pkt)
}

// take is what the reader does with a packet.
func (l *leg) take(arrived time.Time, pkt []byte) {
	frame := binary.BigEndian.Uint32(pkt[4:]) / uint32(step)
	l.in.tracing.Load()
	began := now()
	l.receiver.HandleRTP(arrived, pkt)
	l.in.receive.put(frame, now()-began)
}

// capture is a Sender of which each call is measured.
type capture struct {
	*media.Sender
	leg   *leg
	frame uint32 // of the last Prepare
	next  uint32
}

// begin returns the time, once the memory is near that this program needs while it
// measures: as cold as the engine's, it is no cost of a call.
func (c *capture) begin() time.Duration {
	l := c.leg
	l.out.tracing.Load()
	_, _, _ = l.socket.take(), l.source.take(), l.encoder.take()
	return now()
}

func (c *capture) Prepare() error {
	c.frame = c.next
	c.next++
	began := c.begin()
	err := c.Sender.Prepare()
	c.leg.out.prepare.put(c.frame, now()-began-c.leg.source.take()-c.leg.encoder.take())
	return err
}

func (c *capture) Skip() {
	c.next++
	c.Sender.Skip()
}

// Send notes when the packet has left: when the kernel has it.
func (c *capture) Send() error {
	began := c.begin()
	err := c.Sender.Send()
	left, out := now(), c.leg.out
	out.send.put(c.frame, left-began-c.leg.socket.take())
	out.late.put(c.frame, epoch.Add(left).Sub(out.due(c.frame)))
	return err
}

// playout is a Receiver of which each frame played is measured; of one that is made
// in halves, the last.
type playout struct {
	leg  *leg
	next uint32
	half bool // of the next one is made
}

func (p *playout) Play(due time.Time) (time.Duration, error) {
	p.leg.in.tracing.Load() // as begin does
	p.leg.decoder.take()
	began := now()
	made, err := p.leg.receiver.Play(due)
	p.leg.in.play.put(p.next, now()-began-p.leg.decoder.take())
	if p.half = made < media.FrameDuration && !p.half; !p.half {
		p.next++
	}
	return made, err
}
