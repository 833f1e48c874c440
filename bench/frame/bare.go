package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"sotto/codecs"
	"sotto/media"
	"sotto/media/audio"
)

// bare is what frames cost without an engine: of some legs there are an encoder and a
// decoder, each frame goes through a socket, and nothing is between. One goroutine
// owns it.
type bare struct {
	encoders []codecs.Encoder
	decoders []codecs.Decoder
	sources  []audio.Source
	conn     *net.UDPConn
	at       netip.AddrPort
	frames   int
	opus     time.Duration // of all frames
	sockets  time.Duration
	pcm      []int16
	pkt      [1500]byte
}

func newBare(c codecs.Codec, legs int, source func() audio.Source) (*bare, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(loopback))
	if err != nil {
		return nil, err
	}
	b := &bare{conn: conn, at: conn.LocalAddr().(*net.UDPAddr).AddrPort(), pcm: make([]int16, c.MaxSamples())}
	for range legs {
		e, err := c.NewEncoder(codecs.Options{})
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		d, err := c.NewDecoder()
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		b.encoders, b.decoders, b.sources = append(b.encoders, e), append(b.decoders, d), append(b.sources, source())
	}
	return b, nil
}

// frame takes a leg's next frame all the way.
func (b *bare) frame(leg int) error {
	b.frames++
	began := time.Now()
	if err := b.sources[leg].ReadFrame(b.pcm[:audio.FrameSamples]); err != nil {
		return err
	}
	n, err := b.encoders[leg].Encode(b.pkt[:], b.pcm[:audio.FrameSamples])
	if err != nil {
		return err
	}
	encoded := time.Now()
	if _, err := b.conn.WriteToUDPAddrPort(b.pkt[:n], b.at); err != nil {
		return err
	}
	got, _, err := b.conn.ReadFromUDPAddrPort(b.pkt[:])
	if err != nil || got != n {
		return fmt.Errorf("a packet of %d bytes arrived with %d (%w)", n, got, err)
	}
	received := time.Now()
	_, err = b.decoders[leg].Decode(b.pcm, b.pkt[:n])
	b.opus += encoded.Sub(began) + time.Since(received)
	b.sockets += received.Sub(encoded)
	return err
}

// paced has each leg at work every 20 ms, as in a call, until end.
func (b *bare) paced(end time.Time) error {
	groups := min(bareGroups, len(b.encoders))
	began := time.Now()
	for group := 0; ; group++ {
		due := began.Add(time.Duration(group) * media.FrameDuration / time.Duration(groups))
		if due.After(end) {
			return nil
		}
		time.Sleep(time.Until(due))
		for leg := group % groups; leg < len(b.encoders); leg += groups {
			if err := b.frame(leg); err != nil {
				return err
			}
		}
	}
}

// bareGroups is how many groups legs are at work in, one after the other, so that a
// processor wakes for several at a time: half as often as for calls, which care when
// their packets leave.
const bareGroups = 5

// pressed has the legs at work in turns and without a pause, until end.
func (b *bare) pressed(end time.Time) error {
	for leg := 0; time.Now().Before(end); leg = (leg + 1) % len(b.encoders) {
		if err := b.frame(leg); err != nil {
			return err
		}
	}
	return nil
}

// bareCost is a frame's share of it.
type bareCost struct {
	cpu, opus, sockets time.Duration
	pressed            time.Duration // cpu without a pause
}

// measureBare has as many bares at work for a time d as there are processors,
// with so many legs between them, and then half as long without a pause.
func measureBare(c codecs.Codec, legs int, source func() audio.Source, d time.Duration) (cost bareCost, err error) {
	n := min(runtime.GOMAXPROCS(0), legs)
	all := make([]*bare, n)
	for i := range all {
		if all[i], err = newBare(c, (legs+i)/n, source); err != nil {
			return bareCost{}, err
		}
		defer func() { _ = all[i].conn.Close() }()
	}
	if cost, err = runBare(all, (*bare).paced, d); err != nil {
		return bareCost{}, err
	}
	pressed, err := runBare(all, (*bare).pressed, d/2)
	cost.pressed = pressed.cpu
	return cost, err
}

// runBare has all at work in that manner for a time d.
func runBare(all []*bare, work func(b *bare, end time.Time) error, d time.Duration) (cost bareCost, err error) {
	errs := make([]error, len(all))
	var group sync.WaitGroup
	end, before := time.Now().Add(d), processTime()
	for i, b := range all {
		b.frames, b.opus, b.sockets = 0, 0, 0
		group.Go(func() { errs[i] = work(b, end) })
	}
	group.Wait()
	cost.cpu = processTime() - before
	frames := 0
	for _, b := range all {
		frames += b.frames
		cost.opus += b.opus
		cost.sockets += b.sockets
	}
	each := time.Duration(max(frames, 1))
	return bareCost{cpu: cost.cpu / each, opus: cost.opus / each, sockets: cost.sockets / each}, errors.Join(errs...)
}
