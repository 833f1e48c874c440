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
	"sotto/media/audio"
)

// bare is what a frame costs without an engine: encoders and decoders take
// turns, each frame goes through a socket, and nothing is between. One goroutine
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

// frame takes the next frame all the way.
func (b *bare) frame() error {
	i := b.frames % len(b.encoders)
	b.frames++
	began := time.Now()
	if err := b.sources[i].ReadFrame(b.pcm[:audio.FrameSamples]); err != nil {
		return err
	}
	n, err := b.encoders[i].Encode(b.pkt[:], b.pcm[:audio.FrameSamples])
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
	_, err = b.decoders[i].Decode(b.pcm, b.pkt[:n])
	b.opus += encoded.Sub(began) + time.Since(received)
	b.sockets += received.Sub(encoded)
	return err
}

// bareCost is a frame's share of it.
type bareCost struct {
	cpu, opus, sockets time.Duration
}

// measureBare has as many bares at work for a time d as there are processors,
// with so many legs between them.
func measureBare(c codecs.Codec, legs int, source func() audio.Source, d time.Duration) (bareCost, error) {
	n := min(runtime.GOMAXPROCS(0), legs)
	all := make([]*bare, n)
	for i := range all {
		b, err := newBare(c, (legs+i)/n, source)
		if err != nil {
			return bareCost{}, err
		}
		all[i] = b
		defer func() { _ = b.conn.Close() }()
	}
	errs := make([]error, n)
	var group sync.WaitGroup
	began, before := time.Now(), processTime()
	for i, b := range all {
		group.Go(func() {
			for errs[i] == nil && time.Since(began) < d {
				errs[i] = b.frame()
			}
		})
	}
	group.Wait()
	cost := bareCost{cpu: processTime() - before}
	frames := 0
	for _, b := range all {
		frames += b.frames
		cost.opus += b.opus
		cost.sockets += b.sockets
	}
	each := time.Duration(max(frames, 1))
	return bareCost{cost.cpu / each, cost.opus / each, cost.sockets / each}, errors.Join(errs...)
}
