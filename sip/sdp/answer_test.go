package sdp

import (
	"bytes"
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"testing"
)

var (
	aliceAddr = netip.MustParseAddr("192.0.2.1")
	bobAddr   = netip.MustParseAddr("192.0.2.2")
	bobHash   = []ZRTPHash{{"1.10", bytes.Repeat([]byte{2}, 32)}}
)

func alice() Local { return Local{ID: 1, Address: aliceAddr, Port: 4000, Codecs: Voice()} }

func bob() Local {
	return Local{ID: 2, Address: bobAddr, Port: 6000, RTCPPort: 6010, Codecs: Voice(), ZRTPHashes: bobHash}
}

func mustAnswer(t *testing.T, offer, last *Session, l Local) *Session {
	t.Helper()
	s, err := Answer(offer, last, l)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustAgree(t *testing.T, ours, theirs *Session) Agreed {
	t.Helper()
	a, err := Agree(ours, theirs)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestOfferAnswer(t *testing.T) {
	offer := Offer(alice())
	answer := mustAnswer(t, offer, nil, bob())
	caller, callee := mustAgree(t, offer, answer), mustAgree(t, answer, offer)
	opus, event := Voice()[0], Voice()[4]
	want := Agreed{
		Send: true, Receive: true, Codec: opus, Event: event, Arriving: []Codec{opus, event}, Mux: true, PacketTime: 20,
		Remote:     netip.AddrPortFrom(bobAddr, 6000),
		RemoteRTCP: netip.AddrPortFrom(bobAddr, 6000),
		ZRTPHashes: bobHash,
	}
	if !reflect.DeepEqual(caller, want) {
		t.Errorf("caller agreed on\n%+v, want\n%+v", caller, want)
	}
	want.Remote = netip.AddrPortFrom(aliceAddr, 4000)
	want.RemoteRTCP, want.ZRTPHashes = want.Remote, nil
	if !reflect.DeepEqual(callee, want) {
		t.Errorf("callee agreed on\n%+v, want\n%+v", callee, want)
	}
}

func TestAnswerLinphone(t *testing.T) {
	offer := parseSample(t, "linphone-offer")
	answer := mustAnswer(t, offer, nil, bob())
	// One codec, with the numbers of the offer, and DTMF with its clock.
	opus, event := Voice()[0], Voice()[4]
	event.PayloadType = 99
	if got := answer.Media[0].Codecs; !slices.Equal(got, []Codec{opus, event}) {
		t.Errorf("codecs %+v", got)
	}
	a := mustAgree(t, answer, offer)
	if a.Mux || a.RemoteRTCP != netip.MustParseAddrPort("127.0.0.1:47079") || len(a.ZRTPHashes) != 1 {
		t.Errorf("agreed on %+v", a)
	}
}

func TestAnswerPrefersOurs(t *testing.T) {
	offer := parseSample(t, "two-audio-ipv6") // PCMA first, Opus as 120
	answer := mustAnswer(t, offer, nil, bob())
	var ports []uint16
	for i, m := range answer.Media {
		ports = append(ports, m.Port)
		if m.Kind != offer.Media[i].Kind || m.Profile != offer.Media[i].Profile {
			t.Errorf("stream %d is %s %s", i, m.Kind, m.Profile)
		}
	}
	if !slices.Equal(ports, []uint16{0, 0, 6000, 0}) {
		t.Errorf("ports %v", ports)
	}
	m := answer.Media[2]
	if len(m.Codecs) != 1 || m.Codecs[0].PayloadType != 120 || m.Direction != SendOnly {
		t.Errorf("audio %+v", m)
	}
	if _, err := Parse(answer.Append(nil)); err != nil {
		t.Error(err)
	}
}

// G.722 is better than G.711, needs no a=rtpmap, and goes with DTMF at the clock
// rate that it has in RTP.
func TestAnswerG722(t *testing.T) {
	offer, err := Parse([]byte("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" +
		"m=audio 4000 RTP/AVP 0 8 9 97 98\r\na=rtpmap:97 telephone-event/48000\r\na=rtpmap:98 telephone-event/8000\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	answer := mustAnswer(t, offer, nil, bob())
	want := []Codec{
		{PayloadType: 9, Name: "G722", ClockRate: 8000, Channels: 1},
		{PayloadType: 98, Name: TelephoneEvent, ClockRate: 8000, Channels: 1, Params: "0-15"},
	}
	if got := answer.Media[0].Codecs; !slices.Equal(got, want) {
		t.Errorf("answered %+v", got)
	}
}

// DTMF is sent as the peer has agreed to it: with the clock of the voice if it
// has that, else with another, else not at all.
func TestEventToSend(t *testing.T) {
	offer := Offer(alice())
	wide, narrow := Codec{PayloadType: 110, Name: "Telephone-Event", ClockRate: 48000, Channels: 1}, Codec{PayloadType: 111, Name: TelephoneEvent, ClockRate: 8000, Channels: 1}
	odd := Codec{PayloadType: 112, Name: TelephoneEvent, ClockRate: 16000, Channels: 1}
	for name, c := range map[string]struct {
		voice  Codec
		events []Codec
		want   Codec
	}{
		"Opus, both":      {Voice()[0], []Codec{narrow, wide}, wide},
		"G.722, both":     {static[9], []Codec{wide, narrow}, narrow},
		"Opus, the other": {Voice()[0], []Codec{narrow}, narrow},
		"not ours":        {Voice()[0], []Codec{odd}, Codec{}},
		"none":            {Voice()[0], nil, Codec{}},
	} {
		answer := mustAnswer(t, offer, nil, bob())
		answer.Media[0].Codecs = append([]Codec{c.voice}, c.events...)
		if got := mustAgree(t, offer, answer); got.Event != c.want {
			t.Errorf("%s: %+v", name, got.Event)
		}
	}
}

// How long packets should be is said in both directions, and read from the peer.
func TestPacketTime(t *testing.T) {
	local := alice()
	local.PacketTime = 60
	theirs, err := Parse(append(Offer(local).Append(nil), "a=maxptime:40\r\n"...))
	if err != nil {
		t.Fatal(err)
	}
	answer := mustAnswer(t, theirs, nil, bob())
	if a := mustAgree(t, answer, theirs); a.PacketTime != 60 || a.MaxPacket != 40 {
		t.Errorf("%+v", a)
	}
	if a := mustAgree(t, theirs, answer); a.PacketTime != 20 || a.MaxPacket != 0 {
		t.Errorf("%+v", a)
	}
	again, err := Parse(theirs.Append(nil))
	if err != nil || again.Media[0].MaxPacket != 40 {
		t.Errorf("%+v, %v", again, err)
	}
}

// Comfort noise is agreed on where both have it and the voice has its clock, and
// is no voice by itself.
func TestComfortNoise(t *testing.T) {
	parse := func(formats string) *Session {
		s, err := Parse([]byte("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" +
			"m=audio 4000 RTP/AVP " + formats + "\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	takes := bob()
	takes.Codecs = append(Voice(), Noise())
	for formats, c := range map[string]struct {
		local Local
		want  []string
	}{
		"13 0 101":    {takes, []string{"PCMU", "telephone-event", "CN"}},
		"13 0 101 96": {takes, []string{"opus", "telephone-event"}},
		"0 13":        {bob(), []string{"PCMU"}},
	} {
		offer := parse(formats)
		answer := mustAnswer(t, offer, nil, c.local)
		var names []string
		for _, codec := range answer.Media[0].Codecs {
			names = append(names, codec.Name)
		}
		if !slices.Equal(names, c.want) {
			t.Errorf("%s: answered %v", formats, names)
		}
		if a := mustAgree(t, answer, offer); a.Codec.Name != c.want[0] || len(a.Arriving) != len(names) {
			t.Errorf("%s: agreed on %+v", formats, a)
		}
	}
	if _, err := Answer(parse("13 101"), nil, takes); err != ErrNoCodec {
		t.Errorf("comfort noise alone: %v", err)
	}
}

func TestAnswerRefuses(t *testing.T) {
	speex := parseSample(t, "linphone-offer")
	speex.Media[0].Codecs = speex.Media[0].Codecs[1:3]
	dtmf := parseSample(t, "linphone-offer")
	dtmf.Media[0].Codecs = dtmf.Media[0].Codecs[6:]
	refused := parseSample(t, "linphone-offer")
	refused.Media[0].Port = 0
	for name, c := range map[string]struct {
		offer *Session
		want  error
	}{
		"keyed":      {parseSample(t, "browser-offer"), ErrKeyed},
		"no streams": {&Session{}, ErrNoAudio},
		"port 0":     {refused, ErrNoAudio},
		"no codec":   {speex, ErrNoCodec},
		"DTMF alone": {dtmf, ErrNoCodec},
	} {
		if s, err := Answer(c.offer, nil, bob()); s != nil || err != c.want {
			t.Errorf("%s: got %v, %v", name, s, err)
		}
	}
}

func TestAgreeRefuses(t *testing.T) {
	offer := Offer(alice())
	change := func(f func(s *Session)) *Session {
		s := mustAnswer(t, offer, nil, bob())
		f(s)
		return s
	}
	for name, c := range map[string]struct {
		answer *Session
		want   error
	}{
		"more streams": {change(func(s *Session) { s.Media = append(s.Media, Media{Kind: "video"}) }), ErrMismatch},
		"no streams":   {change(func(s *Session) { s.Media = nil }), ErrMismatch},
		"other kind":   {change(func(s *Session) { s.Media[0].Kind = "video" }), ErrMismatch},
		"refused":      {change(func(s *Session) { s.Media[0].refuse() }), ErrRefused},
		"keyed":        {change(func(s *Session) { s.Media[0].Profile = "RTP/SAVP" }), ErrKeyed},
		"other codec":  {change(func(s *Session) { s.Media[0].Codecs = []Codec{{18, "G729", 8000, 1, ""}} }), ErrNoCodec},
		"unnamed":      {change(func(s *Session) { s.Media[0].Codecs = []Codec{{PayloadType: 96}} }), ErrNoCodec},
	} {
		if a, err := Agree(offer, c.answer); !errors.Is(err, c.want) || a.Send {
			t.Errorf("%s: got %+v, %v", name, a, err)
		}
	}
}

// TestAgreeOnFirst: of several codecs the answerer likes the first best.
func TestAgreeOnFirst(t *testing.T) {
	offer, pcma, pcmu := Offer(alice()), static[8], static[0]
	answer := mustAnswer(t, offer, nil, bob())
	answer.Media[0].Codecs = []Codec{pcma, pcmu}
	if a := mustAgree(t, offer, answer); a.Codec != pcma || !slices.Equal(a.Arriving, []Codec{pcma, pcmu}) {
		t.Errorf("agreed on %+v", a)
	}
}

// TestHold holds and resumes from either end, RFC 3264 §8.4.
func TestHold(t *testing.T) {
	offer := Offer(alice())
	answer := mustAnswer(t, offer, nil, bob())
	for _, c := range []struct {
		want, reply     Direction // what the offerer and the answerer would like
		callerTx, rx    bool
		answerDirection Direction
	}{
		{SendOnly, SendRecv, true, false, RecvOnly},
		{SendOnly, SendOnly, false, false, Inactive},
		{Inactive, SendRecv, false, false, Inactive},
		{RecvOnly, SendRecv, false, true, SendOnly},
		{SendRecv, SendOnly, false, true, SendOnly},
		{SendRecv, SendRecv, true, true, SendRecv},
	} {
		a, b := alice(), bob()
		a.Direction, b.Direction = c.want, c.reply
		hold := Reoffer(offer, a)
		if hold.Origin.ID != offer.Origin.ID || hold.Origin.Version != offer.Origin.Version+1 {
			t.Errorf("origin %+v after %+v", hold.Origin, offer.Origin)
		}
		reply := mustAnswer(t, hold, answer, b)
		if reply.Origin.Version != answer.Origin.Version+1 {
			t.Errorf("origin %+v after %+v", reply.Origin, answer.Origin)
		}
		if got := reply.Media[0].Direction; got != c.answerDirection {
			t.Errorf("%v answered by %v: %v", c.want, c.reply, got)
		}
		got := mustAgree(t, hold, reply)
		if got.Send != c.callerTx || got.Receive != c.rx {
			t.Errorf("%v answered by %v: sends %t, receives %t", c.want, c.reply, got.Send, got.Receive)
		}
		if other := mustAgree(t, reply, hold); other.Send != got.Receive || other.Receive != got.Send {
			t.Errorf("%v answered by %v: the ends disagree", c.want, c.reply)
		}
	}
}

// TestOldHold: the address 0.0.0.0 asks for silence, RFC 3264 §8.4.
func TestOldHold(t *testing.T) {
	offer := Offer(alice())
	offer.Media[0].Address = netip.IPv4Unspecified()
	answer := mustAnswer(t, offer, nil, bob())
	if a := mustAgree(t, answer, offer); a.Send || !a.Receive {
		t.Errorf("agreed on %+v", a)
	}
}

// TestReofferKeepsStreams: a video stream once offered to us stays, refused.
func TestReofferKeepsStreams(t *testing.T) {
	first := parseSample(t, "linphone-hold-video")
	first.Media[1].Port = 7000
	answer := mustAnswer(t, first, nil, bob())
	again := Reoffer(answer, bob())
	if len(again.Media) != 2 || again.Media[0].Port != 6000 || again.Media[1].Port != 0 || again.Media[1].Kind != "video" {
		t.Errorf("streams %+v", again.Media)
	}
	if len(again.Media[0].Codecs) != len(Voice()) {
		t.Errorf("codecs %+v", again.Media[0].Codecs)
	}
}
