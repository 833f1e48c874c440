package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"sotto/codecs"
	"sotto/internal/kat"
	"sotto/internal/secret"
	"sotto/media/audio"
	"sotto/zrtp"
	"sotto/zrtp/wire"
	"sotto/zrtp/zidcache"
)

// systemChecks are what is built on the primitives.
func systemChecks() []check {
	return []check{
		{"random numbers", checkRandom},
		{"ZRTP messages of recorded handshakes", checkWire},
		{"ZRTP key schedule of a recorded handshake", zrtp.SelfTest},
		{"ZRTP with X255", func() error { return checkHandshake("X255", "B32") }},
		{"ZRTP with EC25", func() error { return checkHandshake("EC25", "B32") }},
		{"ZRTP with DH3k", func() error { return checkHandshake("DH3k", "B256") }},
		{"cache of peers", checkCache},
		{"Opus", checkOpus},
		{"G.722", checkG722},
		{"G.711", checkG711},
	}
}

func checkRandom() error {
	var a, b [32]byte
	_, _ = rand.Read(a[:]) // never fails
	_, _ = rand.Read(b[:])
	if a == b {
		return errors.New("the same bytes twice")
	}
	return nil
}

// checkWire reads every recorded packet and writes it again.
func checkWire() error {
	n := 0
	for _, h := range kat.Handshakes() {
		packets := append(h.PacketsA, h.PacketsB...)
		if s := h.Stream2; s != nil {
			packets = slices.Concat(packets, s.PacketsA, s.PacketsB)
		}
		for _, b := range packets {
			p, err := wire.ParsePacket(b)
			if err != nil {
				return fmt.Errorf("%s: %w", h.Name, err)
			}
			message, err := rewrite(p.Message)
			if err != nil {
				return fmt.Errorf("%s: %w", h.Name, err)
			}
			p.Message = message
			if !bytes.Equal(wire.AppendPacket(nil, p), b) {
				return fmt.Errorf("%s: %w", h.Name, errAnswer)
			}
			n++
		}
	}
	if n == 0 {
		return errors.New("no packet recorded")
	}
	return nil
}

// rewrite parses a message and appends what was read.
func rewrite(message []byte) ([]byte, error) {
	t, err := wire.MessageType(message)
	if err != nil {
		return nil, err
	}
	switch t {
	case wire.TypeHello:
		m, err := wire.ParseHello(message)
		return m.Append(nil), err
	case wire.TypeCommit:
		m, err := wire.ParseCommit(message)
		return m.Append(nil), err
	case wire.TypeDHPart1, wire.TypeDHPart2:
		m, err := wire.ParseDHPart(message)
		return m.Append(nil), err
	case wire.TypeConfirm1, wire.TypeConfirm2:
		m, err := wire.ParseSealed(message)
		return m.Append(nil), err
	}
	ack, err := wire.ParseACK(message)
	return wire.AppendACK(nil, ack), err
}

// checkCache writes a peer's record to a file, closes it, and reads it back.
func checkCache() (err error) {
	dir, err := os.MkdirTemp("", "sotto-selftest-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path, peer := filepath.Join(dir, "peers.db"), wire.ZID{1, 2, 3}
	rs1 := secret.From(bytes.Repeat([]byte{7}, 32))
	defer rs1.Wipe()
	err = withCache(path, func(s zrtp.Store) error {
		return s.Update(peer, func(r *zrtp.Record) error {
			r.RS1, r.Verified = rs1, true
			return nil
		})
	})
	if err != nil {
		return err
	}
	return withCache(path, func(s zrtp.Store) error {
		r, err := s.Load(peer)
		if err != nil {
			return err
		}
		defer r.Wipe()
		if !r.Verified || r.RS1 == nil || !r.RS1.Equal(rs1) {
			return errAnswer
		}
		return nil
	})
}

func withCache(path string, do func(zrtp.Store) error) error {
	cache, err := zidcache.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(do(cache.Store("sip:a@localhost", "sip:b@localhost")), cache.Close())
}

// checkOpus encodes half a second of a tone. All packets have one size, and
// the tone is what the decoder gives back.
func checkOpus() error {
	codec, encoder, decoder, err := open("opus")
	if err != nil {
		return err
	}
	const hz = 440
	tone := audio.NewTone(hz, 0.25)
	var heard []int16
	for range 25 {
		var frame [audio.FrameSamples]int16
		if err := tone.ReadFrame(frame[:]); err != nil {
			return err
		}
		var packet [200]byte
		n, err := encoder.Encode(packet[:], frame[:])
		if err != nil {
			return err
		}
		if n != 80 {
			return fmt.Errorf("a packet of %d bytes, want 80", n)
		}
		pcm := make([]int16, codec.MaxSamples())
		if n, err = decoder.Decode(pcm, packet[:n]); err != nil {
			return err
		}
		heard = append(heard, pcm[:n]...)
	}
	if level := audio.ToneLevel(heard[len(heard)/2:], hz); level < 0.9 {
		return fmt.Errorf("the tone is %.2f of what was heard", level)
	}
	return nil
}

// checkG722 compares the coding of a wave that drives the predictors to their
// limits with what the ITU's own tool makes of it, by its hash.
func checkG722() error {
	_, encoder, _, err := open("G722")
	if err != nil {
		return err
	}
	pcm := make([]int16, 1600)
	for i := range pcm {
		pcm[i] = math.MaxInt16
		if i/27%2 == 1 {
			pcm[i] = math.MinInt16
		}
	}
	packet := make([]byte, len(pcm)/2)
	if _, err := encoder.Encode(packet, pcm); err != nil {
		return err
	}
	const want = "5e01ade6cf121cfd0e916bf8c4076fb734bb72cce024f768c8e954477b57f207"
	if got := fmt.Sprintf("%x", sha256.Sum256(packet)); got != want {
		return fmt.Errorf("a square wave is coded as %s, want %s", got, want)
	}
	return nil
}

// checkG711 compares silence and full scale with ITU-T G.711, and what comes
// back with what went in: the steps are a sixteenth of the amplitude.
func checkG711() error {
	for name, want := range map[string][3]byte{"PCMU": {0xff, 0x80, 0x00}, "PCMA": {0xd5, 0xaa, 0x2a}} {
		_, encoder, decoder, err := open(name)
		if err != nil {
			return err
		}
		pcm := []int16{0, math.MaxInt16, math.MinInt16}
		var packet [3]byte
		if _, err := encoder.Encode(packet[:], pcm); err != nil {
			return err
		}
		if packet != want {
			return fmt.Errorf("%s: %x, want %x", name, packet, want)
		}
		var back [3]int16
		if _, err := decoder.Decode(back[:], packet[:]); err != nil {
			return err
		}
		for i, v := range pcm {
			if math.Abs(float64(v)-float64(back[i])) > math.Abs(float64(v))/16+8 {
				return fmt.Errorf("%s: %d comes back as %d", name, v, back[i])
			}
		}
	}
	return nil
}

func open(name string) (codecs.Codec, codecs.Encoder, codecs.Decoder, error) {
	codec, ok := codecs.Lookup(name)
	if !ok {
		return codec, nil, nil, fmt.Errorf("no codec %s", name)
	}
	encoder, err := codec.NewEncoder(codecs.Options{})
	if err != nil {
		return codec, nil, nil, err
	}
	decoder, err := codec.NewDecoder()
	return codec, encoder, decoder, err
}
