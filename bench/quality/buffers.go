package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"sotto/codecs"
	"sotto/media"
	"sotto/media/audio"
	"sotto/media/audio/speech"
)

const (
	payloadType = 111 // libwebrtc's for Opus
	ssrc        = 1
)

// talk is speech, coded as a call sends it.
type talk struct {
	codec   codecs.Codec
	packets [][]byte // one a frame
	clean   features // of what a decoder makes of them all
	step    int      // its steepest
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
	t := &talk{codec: codec}
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
	t.clean, t.step = newFeatures(clean), steepest(clean)
	t.control, _ = distance(t.clean, newFeatures(other))
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

// steepest is the greatest difference of neighbours.
func steepest(pcm []int16) (step int) {
	for i := 1; i < len(pcm); i++ {
		step = max(step, int(pcm[i])-int(pcm[i-1]), int(pcm[i-1])-int(pcm[i]))
	}
	return step
}

// listen judges what was heard, from the one of so many places in a hop from which
// it is most alike.
func (r *row) listen(t *talk, h *heard, places int) {
	r.Distance = math.Inf(1)
	for i := range places {
		at := i * hop * decimation / places
		if db, damaged := distance(t.clean, newFeatures(h.pcm[at:])); db < r.Distance {
			r.Distance, r.Damaged = db, 100*damaged
		}
	}
	r.Step = float64(steepest(h.pcm)) / float64(t.step)
}

// row is what is common to all buffers.
func (t *talk) row(tr trace, buffer string, h *heard) row {
	r := row{Trace: tr.name, Seed: tr.seed, Buffer: buffer, Lost: share(tr.packets-len(tr.arrivals), tr.packets)}
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

// settled is from when on shares are counted: what NetEq plays before the first
// packet counts as concealed there.
const settled = time.Second

// epoch is when the first packet is sent.
var epoch = time.Unix(1e9, 0)

// adaptive replays a trace into the Receiver, as it is.
func (t *talk) adaptive(tr trace) (row, error) {
	out, h, err := t.receive(tr, 0)
	if err == nil {
		out.listen(t, h, 1)
	}
	return out, err
}

// slower replays a trace into the Receiver, with the least delay set so that it has
// on average what another had, at most, where it has less by itself.
func (t *talk) slower(tr trace, meanMS float64) (row, error) {
	out, h, err := t.receive(tr, 0)
	const grid = 5 * ms
	for least := 2 * grid; err == nil && out.MeanMS < meanMS; least += grid {
		next, heard, failed := t.receive(tr, least)
		if err = failed; next.MeanMS > meanMS {
			break
		}
		out, h = next, heard
	}
	if err != nil {
		return row{}, err
	}
	out.Buffer = heldBack
	out.listen(t, h, 1)
	return out, nil
}

// receive replays a trace into the Receiver, with a least delay.
func (t *talk) receive(tr trace, least time.Duration) (row, *heard, error) {
	h := &heard{}
	r, err := media.NewReceiver(media.ReceiverConfig{Sink: h, Payloads: map[uint8]codecs.Codec{payloadType: t.codec}, MinDelay: least})
	if err != nil {
		return row{}, nil, err
	}
	if err = r.ReleaseClear(); err != nil {
		return row{}, nil, err
	}
	var packet [1500]byte
	next, played := 0, uint64(0)
	var before media.ReceiverStats
	var now, made time.Duration
	for end := time.Duration(tr.packets) * frame; now < end; now += made {
		if now <= settled {
			before = r.Stats()
		}
		for ; next < len(tr.arrivals) && tr.arrivals[next].at <= now; next++ {
			a := tr.arrivals[next]
			r.HandleRTP(epoch.Add(a.at), packet[:t.rtp(packet[:], a.packet)])
		}
		if made, err = r.Play(epoch.Add(now)); err != nil {
			return row{}, nil, err
		}
		s := r.Stats()
		if n := s.PacketsReceived - s.Late; n > played && s.Delay > 0 {
			h.delays, played = append(h.delays, s.Delay), n
		}
	}
	s := r.Stats()
	out := t.row(tr, ours, h)
	frames := tr.packets - int(settled/frame)
	missing := func(s media.ReceiverStats) int { return int(s.Lost + s.Late - s.Recovered) }
	out.conceal(share(int(s.Concealed-before.Concealed), frames), share(missing(s)-missing(before), frames))
	out.Recovered = share(int(s.Recovered-before.Recovered), frames)
	out.Changed = 100 * float64(s.Accelerated+s.Expanded-before.Accelerated-before.Expanded) / float64(time.Duration(frames)*frame)
	return out, h, nil
}

// rtp writes packet i as it is sent.
func (t *talk) rtp(b []byte, i int) int {
	b[0], b[1] = 0x80, payloadType
	binary.BigEndian.PutUint16(b[2:], uint16(i))
	binary.BigEndian.PutUint32(b[4:], uint32(i*audio.FrameSamples))
	binary.BigEndian.PutUint32(b[8:], ssrc)
	return 12 + copy(b[12:], t.packets[i])
}

// fixed replays a trace into a buffer that plays each packet at one delay after it
// was sent. It recovers and conceals as ours does.
func (t *talk) fixed(tr trace, delay time.Duration) (row, error) {
	decoder, err := t.codec.NewDecoder()
	if err != nil {
		return row{}, err
	}
	at, quickest := tr.times(), tr.quickest()
	h := &heard{pcm: make([]int16, int(delay.Seconds()*audio.SampleRate))}
	pcm := make([]int16, audio.FrameSamples)
	concealed, recovered, frames := 0, 0, tr.packets-int(delay/frame)
	for i := range frames {
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
			recovered += counted(i)
			_, err = decoder.DecodeFEC(pcm, t.packets[i+1])
		default:
			concealed += counted(i)
			_, err = decoder.Conceal(pcm)
		}
		if err != nil {
			return row{}, err
		}
		h.pcm = append(h.pcm, pcm...)
	}
	out := t.row(tr, fixed, h)
	frames -= int(settled / frame)
	out.conceal(share(concealed, frames), share(concealed, frames))
	out.Recovered = share(recovered, frames)
	out.listen(t, h, 1)
	return out, nil
}

// counted is 1 for the frames that shares are of.
func counted(i int) int {
	if i < int(settled/frame) {
		return 0
	}
	return 1
}
