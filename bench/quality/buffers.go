package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"sotto/codecs"
	"sotto/media"
	"sotto/media/audio"
	"sotto/media/audio/speech"
)

const payloadType = 96

// talk is speech, coded as a call sends it.
type talk struct {
	codec   codecs.Codec
	said    []int16
	packets [][]byte // one a frame
	clean   features // of what a decoder makes of them all
	control float64  // distance of other speech
}

// newTalk repeats a clip for some frames.
func newTalk(frames int) (*talk, error) {
	said, err := clip(speech.Caller(), frames)
	if err != nil {
		return nil, err
	}
	other, err := clip(speech.Callee(), frames)
	if err != nil {
		return nil, err
	}
	codec, ok := codecs.Lookup("opus")
	if !ok {
		return nil, fmt.Errorf("no Opus")
	}
	t := &talk{codec: codec, said: said}
	encoder, err := codec.NewEncoder(codecs.Options{})
	if err != nil {
		return nil, err
	}
	decoder, err := codec.NewDecoder()
	if err != nil {
		return nil, err
	}
	var packet [1500]byte
	clean := make([]int16, len(said))
	for i := 0; i < len(said); i += audio.FrameSamples {
		n, err := encoder.Encode(packet[:], said[i:i+audio.FrameSamples])
		if err != nil {
			return nil, err
		}
		t.packets = append(t.packets, bytes.Clone(packet[:n]))
		if _, err = decoder.Decode(clean[i:i+audio.FrameSamples], packet[:n]); err != nil {
			return nil, err
		}
	}
	t.clean = newFeatures(clean)
	t.control = distance(t.clean, newFeatures(other))
	return t, nil
}

func clip(wav []byte, frames int) ([]int16, error) {
	source, err := audio.NewWAVSource(bytes.NewReader(wav))
	if err != nil {
		return nil, err
	}
	var once []int16
	pcm := make([]int16, audio.FrameSamples)
	for {
		if err = source.ReadFrame(pcm); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		once = append(once, pcm...)
	}
	all := slices.Repeat(once, frames*audio.FrameSamples/len(once)+1)
	return all[:frames*audio.FrameSamples], nil
}

// heard is what came out of a buffer.
type heard struct {
	pcm    []int16
	delays []time.Duration // of the packets played
}

func (h *heard) WriteFrame(pcm []int16) error {
	h.pcm = append(h.pcm, pcm...)
	return nil
}

// row is what is common to all buffers, but for the distance.
func (t *talk) row(tr trace, buffer string, h *heard) row {
	r := row{Trace: tr.name, Buffer: buffer, Control: t.control, Lost: share(tr.packets-len(tr.arrivals), tr.packets)}
	var sum time.Duration
	for _, d := range h.delays {
		sum += d
	}
	slices.Sort(h.delays)
	if n := len(h.delays); n > 0 {
		r.MeanMS = (sum / time.Duration(n)).Seconds() * 1e3
		r.P95MS = h.delays[n*95/100].Seconds() * 1e3
	}
	return r
}

func share(part, all int) float64 { return 100 * float64(part) / float64(all) }

// epoch is when the first packet is sent.
var epoch = time.Unix(1e9, 0)

// adaptive replays a trace into the Receiver.
func (t *talk) adaptive(tr trace) (row, *heard, error) {
	h := &heard{}
	r, err := media.NewReceiver(media.ReceiverConfig{Sink: h, Payloads: map[uint8]codecs.Codec{payloadType: t.codec}})
	if err != nil {
		return row{}, nil, err
	}
	if err = r.ReleaseClear(); err != nil {
		return row{}, nil, err
	}
	var packet [1500]byte
	next, played := 0, uint64(0)
	for i := range tr.packets {
		now := time.Duration(i) * frame
		for ; next < len(tr.arrivals) && tr.arrivals[next].at <= now; next++ {
			a := tr.arrivals[next]
			r.HandleRTP(epoch.Add(a.at), packet[:t.rtp(packet[:], a.packet)])
		}
		if err = r.Play(epoch.Add(now)); err != nil {
			return row{}, nil, err
		}
		s := r.Stats()
		if n := s.PacketsReceived - s.Late; n > played && s.Delay > 0 {
			h.delays, played = append(h.delays, s.Delay), n
		}
	}
	s := r.Stats()
	out := t.row(tr, "ours", h)
	out.Concealed, out.Recovered = share(int(s.Concealed), tr.packets), share(int(s.Recovered), tr.packets)
	out.Changed = 100 * float64(s.Accelerated+s.Expanded) / float64(time.Duration(tr.packets)*frame)
	return out, h, nil
}

// rtp writes packet i as it is sent.
func (t *talk) rtp(b []byte, i int) int {
	b[0], b[1] = 0x80, payloadType
	binary.BigEndian.PutUint16(b[2:], uint16(i))
	binary.BigEndian.PutUint32(b[4:], uint32(i*audio.FrameSamples))
	binary.BigEndian.PutUint32(b[8:], 1)
	return 12 + copy(b[12:], t.packets[i])
}

// fixed replays a trace into a buffer that plays each packet at one delay, of
// whole frames, after it was sent. It recovers and conceals as ours does.
func (t *talk) fixed(tr trace, delay time.Duration) (row, *heard, error) {
	decoder, err := t.codec.NewDecoder()
	if err != nil {
		return row{}, nil, err
	}
	at, quickest := tr.times(), tr.quickest()
	h := &heard{}
	pcm := make([]int16, audio.FrameSamples)
	concealed, recovered := 0, 0
	h.pcm = make([]int16, int(delay/frame)*audio.FrameSamples)
	for i := range tr.packets - int(delay/frame) {
		due := time.Duration(i)*frame + delay
		redundant := false
		if at[i] > due && at[i+1] <= due {
			redundant, _ = t.codec.Inspect(t.packets[i+1])
		}
		switch {
		case at[i] <= due:
			_, err = decoder.Decode(pcm, t.packets[i])
			h.delays = append(h.delays, due-time.Duration(i)*frame-quickest[i])
		case redundant:
			recovered++
			_, err = decoder.DecodeFEC(pcm, t.packets[i+1])
		default:
			concealed++
			_, err = decoder.Conceal(pcm)
		}
		if err != nil {
			return row{}, nil, err
		}
		h.pcm = append(h.pcm, pcm...)
	}
	out := t.row(tr, fmt.Sprintf("fixed %d ms", delay.Milliseconds()), h)
	out.Concealed, out.Recovered = share(concealed, tr.packets), share(recovered, tr.packets)
	return out, h, nil
}
