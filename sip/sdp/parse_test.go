package sdp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// samples are real descriptions, from agents we meet.
const samples = 5

func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".sdp"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parseSample(t testing.TB, name string) *Session {
	t.Helper()
	s, err := Parse(sample(t, name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s
}

func TestParseLinphone(t *testing.T) {
	s := parseSample(t, "linphone-offer")
	if want := (Origin{"alice", 1660, 1865, "IP4 127.0.0.1"}); s.Origin != want {
		t.Errorf("origin %+v, want %+v", s.Origin, want)
	}
	hash, _ := hex.DecodeString("b1f27f77e6bdc83216b17c1dc662b61ca4ec27b58e24ad7e1c6c72c2d9172365")
	want := []Media{{
		Kind: "audio", Port: 47078, Profile: ProfileAVP,
		Address: netip.MustParseAddr("127.0.0.1"), RTCP: netip.MustParseAddrPort("127.0.0.1:47079"),
		Codecs: []Codec{
			{96, "opus", 48000, 2, "useinbandfec=1"},
			{97, "speex", 16000, 1, "vbr=on"},
			{98, "speex", 8000, 1, "vbr=on"},
			{0, "PCMU", 8000, 1, ""},
			{8, "PCMA", 8000, 1, ""},
			{18, "", 0, 0, "annexb=yes"},
			{99, "telephone-event", 48000, 1, ""},
			{100, "telephone-event", 16000, 1, ""},
			{101, "telephone-event", 8000, 1, ""},
		},
		ZRTPHashes: []ZRTPHash{{"1.10", hash}},
	}}
	if !reflect.DeepEqual(s.Media, want) {
		t.Errorf("media\n%+v, want\n%+v", s.Media, want)
	}
}

func TestParseHoldAndVideo(t *testing.T) {
	s := parseSample(t, "linphone-hold-video")
	if len(s.Media) != 2 || s.Audio() != 0 {
		t.Fatalf("%d streams, audio at %d", len(s.Media), s.Audio())
	}
	m := s.Media[0]
	if m.Direction != SendOnly || m.Profile != ProfileAVPF || m.RTCP.Port() != 47080 || m.Mux {
		t.Errorf("audio %+v", m)
	}
	if want := (Media{Kind: "video", Profile: "RTP/AVPF", Formats: "97 98"}); !reflect.DeepEqual(s.Media[1], want) {
		t.Errorf("video %+v", s.Media[1])
	}
}

func TestParseSecondAudio(t *testing.T) {
	s := parseSample(t, "two-audio-ipv6")
	if len(s.Media) != 4 || s.Audio() != 2 {
		t.Fatalf("%d streams, audio at %d", len(s.Media), s.Audio())
	}
	m := s.Media[2]
	if m.Address != netip.MustParseAddr("2001:db8::3") || m.RTCP != netip.MustParseAddrPort("[2001:db8::4]:65535") ||
		!m.Mux || m.Direction != RecvOnly || m.PacketTime != 40 || len(m.ZRTPHashes) != 2 {
		t.Errorf("audio %+v", m)
	}
	if c := m.Codecs[1]; c.PayloadType != 120 || c.Name != "OPUS" || c.Channels != 2 {
		t.Errorf("codec %+v", c)
	}
	if s.Media[3].RTCP.IsValid() {
		t.Errorf("RTCP above port 65535: %v", s.Media[3].RTCP)
	}
}

// TestParseRefuses changes one thing at a time in a good description.
func TestParseRefuses(t *testing.T) {
	const good = "v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 4000 RTP/AVP 96\na=rtpmap:96 opus/48000/2\n"
	if _, err := Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{"v=0\n", "", "v= must come first"},
		{"v=0", "v=1", "version"},
		{"o=- 1 2 IN IP4 127.0.0.1\n", "", "no o= line"},
		{"o=- 1 2", "o=- 1", "o= needs"},
		{"o=- 1 2", "o=- 1 x", "numeric"},
		{"o=- 1 2 IN", "o=- 1 2 ATM", "o= needs"},
		{"s=-\n", "", "no s= line"},
		{"s=-", "s=-\ns=-", "misplaced s="},
		{"t=0 0\n", "", "no t= line"},
		{"c=IN IP4 127.0.0.1\n", "", "no c= line"},
		{"c=IN IP4 127.0.0.1", "c=IN IP4 host.example", "no IP4 address"},
		{"c=IN IP4 127.0.0.1", "c=IN IP4 ::1", "no IP4 address"},
		{"c=IN IP4 127.0.0.1", "c=IN IP6 fe80::1%eth0", "no IP6 address"},
		{"c=IN IP4 127.0.0.1", "c=IN IP6 ::ffff:127.0.0.1", "no IP6 address"},
		{"c=IN IP4 127.0.0.1", "c=IN IP4 224.0.0.1", "multicast"},
		{"c=IN IP4 127.0.0.1", "c=IN IP4", "address needs"},
		{"m=audio 4000", "m=audio 65536", "port"},
		{"m=audio 4000", "m=audio 4000/2", "2 ports"},
		{"RTP/AVP 96", "RTP/AVP", "m= needs"},
		{"RTP/AVP 96", "RTP/AVP 128", "payload type"},
		{"RTP/AVP 96", "RTP/AVP 96 96", "twice"},
		{"opus/48000/2", "opus", "encoding"},
		{"opus/48000/2", "opus/0", "encoding"},
		{"opus/48000/2", "opus/48000/999", "encoding"},
		{"opus/48000/2", "/48000", "encoding"},
		{"opus/48000/2", "opus/48000\na=rtpmap:96 opus/8000", "two meanings"},
		{"opus/48000/2\n", "opus/48000/2\na=rtpmap:200 x/1\n", "payload type"},
		{"opus/48000/2\n", "opus/48000/2\na=fmtp:x y\n", "payload type"},
		{"opus/48000/2\n", "opus/48000/2\na=sendonly\na=inactive\n", "directions"},
		{"opus/48000/2\n", "opus/48000/2\na=rtcp:0\n", "a=rtcp"},
		{"opus/48000/2\n", "opus/48000/2\na=rtcp:1 IN IP4 x\n", "no IP4 address"},
		{"opus/48000/2\n", "opus/48000/2\na=zrtp-hash:1.10 abcd\n", "a=zrtp-hash"},
		{"opus/48000/2\n", "opus/48000/2\na=zrtp-hash:1.10\n", "a=zrtp-hash"},
		{"opus/48000/2\n", "opus/48000/2\na=zrtp-hash:2 abc\n", "a=zrtp-hash"},
		{"opus/48000/2\n", "opus/48000/2\n" + strings.Repeat("a=zrtp-hash:2 ab\n", maxHashes+1), "too many"},
		{"s=-", "s=\x01", "control character"},
		{"s=-", "s=\xff", "UTF-8"},
		{"s=-", "so", "x=value"},
		{"s=-", "s=" + strings.Repeat("x", MaxSize), "longer than"},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if text == good {
			t.Fatalf("%q is not in the description", c.old)
		}
		s, err := Parse([]byte(text))
		if s != nil || !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q for %q: got %v, %v; want an error with %q", c.new, c.old, s, err, c.want)
		}
	}
}

func TestAppend(t *testing.T) {
	s := Offer(Local{
		ID: 42, Address: netip.MustParseAddr("192.0.2.7"), Port: 5004, RTCPPort: 5010, Codecs: Voice(),
		ZRTPHashes: []ZRTPHash{{"1.10", bytes.Repeat([]byte{0xab}, 32)}},
	})
	want := strings.Join([]string{
		"v=0", "o=- 42 1 IN IP4 192.0.2.7", "s=-", "c=IN IP4 192.0.2.7", "t=0 0",
		"m=audio 5004 RTP/AVP 96 9 0 8 100 101",
		"a=rtpmap:96 opus/48000/2", "a=fmtp:96 useinbandfec=1;usedtx=0;cbr=1",
		"a=rtpmap:9 G722/8000", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000",
		"a=rtpmap:100 telephone-event/48000", "a=fmtp:100 0-15",
		"a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15",
		"a=ptime:20", "a=sendrecv", "a=rtcp:5010", "a=rtcp-mux",
		"a=zrtp-hash:1.10 " + strings.Repeat("ab", 32), "",
	}, "\r\n")
	if got := string(s.Append(nil)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// FuzzParse checks that what was read is written so that it reads the same,
// and that an answer to it can be read too.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.sdp")
	if err != nil || len(files) != samples {
		f.Fatalf("%d samples, want %d (%v)", len(files), samples, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n" +
		"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:32\r\n"))
	local := Local{ID: 1, Address: netip.MustParseAddr("::1"), Port: 4000, Codecs: Voice()}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b)
		if err != nil {
			if s != nil || !errors.Is(err, ErrMalformed) {
				t.Fatalf("got %v, %v", s, err)
			}
			return
		}
		text := s.Append(nil)
		again, err := Parse(text)
		if err != nil {
			t.Fatalf("our own text is refused: %v\n%s", err, text)
		}
		for i := range s.Media {
			s.Media[i].Crypto = nil // never written
			s.Recorded = false
		}
		if !reflect.DeepEqual(s, again) {
			t.Fatalf("read back as\n%+v, was\n%+v", again, s)
		}
		answer, err := Answer(s, nil, local)
		if err != nil {
			return
		}
		heard, err := Parse(answer.Append(nil))
		if err != nil {
			t.Fatalf("our answer is refused: %v", err)
		}
		if _, err := Agree(s, heard); err != nil {
			t.Fatalf("our answer does not fit: %v", err)
		}
		if _, err := Agree(answer, s); err != nil {
			t.Fatalf("the offer does not fit our answer: %v", err)
		}
	})
}
