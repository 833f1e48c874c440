package sdp

import (
	"errors"
	"net/netip"
	"slices"
)

// Why two ends cannot talk. Parse has its own, ErrMalformed.
var (
	ErrNoAudio  = errors.New("sdp: no audio stream is offered")
	ErrKeyed    = errors.New("sdp: the peer insists on keys in the signalling (SDES or DTLS), not ZRTP")
	ErrNoCodec  = errors.New("sdp: no codec in common")
	ErrRefused  = errors.New("sdp: the peer refused the audio stream")
	ErrMismatch = errors.New("sdp: the answer does not match the offer")
)

// Local is what our end brings to a description.
type Local struct {
	ID         uint64     // the session's id in o=: one random number a call, below 1<<62
	Address    netip.Addr // where we receive
	Port       uint16     // RTP
	RTCPPort   uint16     // RTCP without multiplexing; 0: Port+1
	Codecs     []Codec    // best first; usually Voice()
	Direction  Direction
	PacketTime int        // milliseconds that we would like in a packet; 0: 20
	ZRTPHashes []ZRTPHash // one for each ZRTP version we speak
}

const packetTime = 20 // milliseconds

// Voice returns the codecs we offer, best first: Opus, which we ask for at a
// constant rate, since the size of a packet must not tell what is said, then
// G.722, whose voice is twice as wide as that of G.711 after it, then DTMF in both clock
// rates. RFC 7587 §6.1 explains the parameters.
func Voice() []Codec {
	return []Codec{
		{PayloadType: 96, Name: "opus", ClockRate: 48000, Channels: 2, Params: "useinbandfec=1;usedtx=0;cbr=1"},
		static[9],
		static[0],
		static[8],
		{PayloadType: 100, Name: TelephoneEvent, ClockRate: 48000, Channels: 1, Params: "0-15"},
		{PayloadType: 101, Name: TelephoneEvent, ClockRate: 8000, Channels: 1, Params: "0-15"},
	}
}

// Noise is comfort noise, to be added to Voice. Who takes it tells its peers that
// they may pause while nothing is said.
func Noise() Codec { return static[13] }

// Offer makes the first description of a call, RFC 3264 §5.
func Offer(l Local) *Session {
	return &Session{Origin: l.origin(nil), Media: []Media{l.media(l.Codecs, l.Direction, true)}}
}

// Reoffer makes an offer that changes a running call. last is the description
// we sent before, whether it was an offer or an answer: its m= lines stay, and
// its version goes up by one, RFC 3264 §8.
func Reoffer(last *Session, l Local) *Session {
	s := &Session{Origin: l.origin(last), Media: slices.Clone(last.Media)}
	audio := last.Audio()
	for i := range s.Media {
		if i == audio {
			s.Media[i] = l.media(l.Codecs, l.Direction, true)
		} else {
			s.Media[i].refuse()
		}
	}
	return s
}

// Answer makes the answer to offer, RFC 3264 §6: one codec, ours by preference,
// with the payload type of the offer, and all other streams refused. One codec
// and no more, so that the size of packets cannot change during a call. last
// is the description we sent before in this call, or nil.
//
// Its errors are ErrNoAudio, ErrKeyed and ErrNoCodec; the call is then to be
// rejected with 488.
func Answer(offer, last *Session, l Local) (*Session, error) {
	audio := offer.Audio()
	if audio < 0 {
		return nil, offer.noVoice()
	}
	in := &offer.Media[audio]
	codecs, err := l.choose(in.Codecs)
	if err != nil {
		return nil, err
	}
	out := l.media(codecs, in.Direction.Answer(l.Direction), in.Mux)
	out.Profile = in.Profile
	s := &Session{Origin: l.origin(last), Media: slices.Clone(offer.Media)}
	for i := range s.Media {
		s.Media[i].refuse()
	}
	s.Media[audio] = out
	return s, nil
}

// noVoice says why s has no audio stream that we could use.
func (s *Session) noVoice() error {
	for _, m := range s.Media {
		if m.Kind == "audio" && m.Port != 0 {
			return ErrKeyed
		}
	}
	return ErrNoAudio
}

// refuse turns m into a refused stream, which has nothing but its m= line.
func (m *Media) refuse() {
	formats := m.Formats
	if formats == "" {
		formats = "0" // the format list of a refused stream is ignored but there
	}
	*m = Media{Kind: m.Kind, Profile: m.Profile, Formats: formats}
}

func (l *Local) origin(last *Session) Origin {
	o := Origin{Username: "-", ID: l.ID, Version: 1, Address: family(l.Address) + " " + l.Address.String()}
	if last != nil {
		o.Version = last.Origin.Version + 1
	}
	return o
}

func (l *Local) media(codecs []Codec, d Direction, mux bool) Media {
	rtcp := l.RTCPPort
	if rtcp == 0 {
		rtcp = l.Port + 1
	}
	wish := l.PacketTime
	if wish == 0 {
		wish = packetTime
	}
	return Media{
		Kind: "audio", Port: l.Port, Profile: ProfileAVP,
		Address: l.Address, RTCP: netip.AddrPortFrom(l.Address, rtcp), Mux: mux,
		Codecs: codecs, Direction: d, PacketTime: wish, ZRTPHashes: l.ZRTPHashes,
	}
}

// choose returns the best of our codecs that is offered, its DTMF format, with
// the same clock if that is offered too, else with any, and its comfort noise.
func (l *Local) choose(offered []Codec) ([]Codec, error) {
	common := l.common(offered)
	best := slices.IndexFunc(common, Codec.Voice)
	if best < 0 {
		return nil, ErrNoCodec
	}
	voice := common[best]
	list := []Codec{voice}
	if event := eventFor(voice, common, common); event.Event() {
		list = append(list, event)
	}
	for _, c := range common {
		if c.Noise() && c.ClockRate == voice.ClockRate {
			list = append(list, c)
		}
	}
	return list, nil
}

// common returns our codecs that are offered too, in our order and with the
// payload types of the offer.
func (l *Local) common(offered []Codec) []Codec {
	var list []Codec
	for _, c := range l.Codecs {
		if theirs, ok := find(offered, c); ok {
			c.PayloadType = theirs.PayloadType
			list = append(list, c)
		}
	}
	return list
}

// eventFor returns the DTMF format of theirs that goes with voice: the one with
// its clock if there is one, else the first that is among ours. A zero Codec
// means that there is none.
func eventFor(voice Codec, theirs, ours []Codec) (event Codec) {
	for _, c := range theirs {
		if _, ok := find(ours, c); ok && c.Event() && (event.Name == "" || event.ClockRate != voice.ClockRate && c.ClockRate == voice.ClockRate) {
			event = c
		}
	}
	return event
}

// find returns the codec of list that is the same format as c.
func find(list []Codec, c Codec) (Codec, bool) {
	i := slices.IndexFunc(list, c.same)
	if i < 0 {
		return Codec{}, false
	}
	return list[i], true
}

// Agreed is what an offer and its answer together settle, seen from our end.
type Agreed struct {
	Send, Receive bool           // whether voice goes out, whether it comes in
	Codec         Codec          // what to send; the payload type is the peer's
	Event         Codec          // DTMF to send, at best with Codec's clock; as Codec, and zero if there is none
	Arriving      []Codec        // what may come in, DTMF and comfort noise included; payload types are ours
	PacketTime    int            // milliseconds that the peer would like in a packet; 0: it does not say
	MaxPacket     int            // and takes at most; 0: it does not say
	Remote        netip.AddrPort // where RTP goes
	RemoteRTCP    netip.AddrPort // where RTCP goes; equal to Remote with Mux; invalid: nowhere
	Mux           bool
	ZRTPHashes    []ZRTPHash // the peer's; none: the signalling does not promise ZRTP
	Crypto        *Crypto    // the peer's; nil: none
	Recorded      bool       // by the peer, as it says
}

// Agree works out what our description and the peer's settle, whichever of
// the two was the offer. Its errors are ErrMismatch, ErrRefused, ErrNoAudio,
// ErrKeyed and ErrNoCodec.
func Agree(ours, theirs *Session) (Agreed, error) {
	audio := ours.Audio()
	if audio < 0 || len(ours.Media) != len(theirs.Media) {
		return Agreed{}, ErrMismatch
	}
	l, r := &ours.Media[audio], &theirs.Media[audio]
	switch {
	case r.Kind != l.Kind:
		return Agreed{}, ErrMismatch
	case r.Port == 0:
		return Agreed{}, ErrRefused
	case !r.plain():
		return Agreed{}, ErrKeyed
	}
	a := Agreed{
		Send:       l.Direction.Sends() && r.Direction.Receives() && !r.Address.IsUnspecified(),
		Receive:    l.Direction.Receives() && r.Direction.Sends(),
		Remote:     netip.AddrPortFrom(r.Address, r.Port),
		RemoteRTCP: r.RTCP,
		PacketTime: r.PacketTime,
		MaxPacket:  r.MaxPacket,
		Mux:        l.Mux && r.Mux,
		ZRTPHashes: r.ZRTPHashes,
		Crypto:     r.Crypto,
		Recorded:   theirs.Recorded,
	}
	if a.Mux {
		a.RemoteRTCP = a.Remote
	}
	found := false
	for _, c := range r.Codecs {
		mine, ok := find(l.Codecs, c)
		if !ok {
			continue
		}
		a.Arriving = append(a.Arriving, mine)
		if !found && c.Voice() {
			a.Codec, found = c, true
		}
	}
	if !found {
		return Agreed{}, ErrNoCodec
	}
	a.Event = eventFor(a.Codec, r.Codecs, l.Codecs)
	return a, nil
}
