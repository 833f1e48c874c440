package main

import (
	"sotto/codecs"
	"sotto/media/audio"
)

// metered is a codec whose time does not count as the engine's.
func (l *leg) metered(c codecs.Codec) codecs.Codec {
	return c.With(
		func(o codecs.Options) (codecs.Encoder, error) {
			e, err := c.NewEncoder(o)
			l.encoder = &meteredEncoder{Encoder: e}
			return l.encoder, err
		},
		func() (codecs.Decoder, error) {
			d, err := c.NewDecoder()
			l.decoder = &meteredDecoder{Decoder: d}
			return l.decoder, err
		})
}

type meteredEncoder struct {
	codecs.Encoder
	meter
}

func (e *meteredEncoder) Encode(dst []byte, pcm []int16) (int, error) {
	defer e.since(now())
	return e.Encoder.Encode(dst, pcm)
}

type meteredDecoder struct {
	codecs.Decoder
	meter
}

func (d *meteredDecoder) Decode(dst []int16, pkt []byte) (int, error) {
	defer d.since(now())
	return d.Decoder.Decode(dst, pkt)
}

func (d *meteredDecoder) Conceal(dst []int16) (int, error) {
	defer d.since(now())
	return d.Decoder.Conceal(dst)
}

func (d *meteredDecoder) DecodeFEC(dst []int16, next []byte) (int, error) {
	defer d.since(now())
	return d.Decoder.DecodeFEC(dst, next)
}

// meteredSource is a source whose time does not count either.
type meteredSource struct {
	audio.Source
	meter
}

func (s *meteredSource) ReadFrame(pcm []int16) error {
	defer s.since(now())
	return s.Source.ReadFrame(pcm)
}
