package sdp

import (
	"bytes"
	"encoding/base64"
	"reflect"
	"strings"
	"testing"
)

// sdes is a description with the a=crypto lines.
func sdes(t *testing.T, lines ...string) *Session {
	t.Helper()
	text := "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
	s, err := Parse([]byte(text + strings.Join(lines, "\r\n") + "\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCrypto(t *testing.T) {
	key := func(n int) string {
		return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{9}, n))
	}
	for line, want := range map[string]*Crypto{
		"1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:32": {
			"AES_CM_128_HMAC_SHA1_80", []byte("wDfvg&T+)xG7@fb5"), []byte("jU,RaA}\\|p0%*#"),
		},
		"1  AES_256_CM_HMAC_SHA1_32\tinline:" + key(46): {"AES_256_CM_HMAC_SHA1_32", bytes.Repeat([]byte{9}, 32), bytes.Repeat([]byte{9}, 14)},
		"2 AEAD_AES_256_GCM inline:" + key(44) + "|2^20;inline:" + key(3) + " KDR=1": {
			"AEAD_AES_256_GCM", bytes.Repeat([]byte{9}, 32), bytes.Repeat([]byte{9}, 12),
		},
		"1 AEAD_AES_128_GCM inline:" + key(30):         nil, // 28
		"1 F8_128_HMAC_SHA1_80 inline:" + key(30):      nil,
		"1 AES_CM_128_HMAC_SHA1_80 " + key(30):         nil,
		"1 AES_CM_128_HMAC_SHA1_80 uri:" + key(30):     nil,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + key(29):  nil,
		"1 AES_CM_128_HMAC_SHA1_80 inline:!" + key(30): nil,
		"1 AES_CM_128_HMAC_SHA1_80":                    nil,
		"":                                             nil,
	} {
		got := sdes(t, "a=crypto:"+line).Media[0].Crypto
		if want == nil && got != nil || want != nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", line, got, want)
		}
	}
}

// The first key that can be read is the one, and nothing of it goes into what
// we answer or offer.
func TestCryptoIsNotEchoed(t *testing.T) {
	first, second := strings.Repeat("A", 40), strings.Repeat("B", 40)
	s := sdes(t, "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:short", "a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:"+first,
		"a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:"+second)
	if c := s.Media[0].Crypto; c == nil || !bytes.Equal(c.Key, make([]byte, 16)) {
		t.Fatalf("%+v", c)
	}
	l := Local{Address: s.Media[0].Address, Port: 4002, Codecs: Voice()}
	answer, err := Answer(s, nil, l)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []*Session{answer, Reoffer(answer, l), s} {
		if text := string(d.Append(nil)); strings.Contains(text, "crypto") || strings.Contains(text, first) {
			t.Errorf("a key of the peer's leaves again:\n%s", text)
		}
	}
	if a, err := Agree(answer, s); err != nil || a.Crypto != s.Media[0].Crypto {
		t.Errorf("%+v, %v", a.Crypto, err)
	}
}

// Who records says so, for the session or for the stream.
func TestRecorded(t *testing.T) {
	for line, want := range map[string]bool{
		"a=record:on": true, "a=record:paused": true, "a=record:off": false, "a=record:": false, "a=recordpref:on": false, "a=x:record:on": false,
	} {
		if got := sdes(t, line).Recorded; got != want {
			t.Errorf("%s for the stream: %v", line, got)
		}
		s, err := Parse([]byte("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" + line + "\r\nm=audio 4000 RTP/AVP 0\r\n"))
		if err != nil || s.Recorded != want {
			t.Errorf("%s for the session: %+v, %v", line, s, err)
		}
		a, err := Agree(Offer(Local{Address: s.Media[0].Address, Port: 4002, Codecs: Voice()}), s)
		if err != nil || a.Recorded != want {
			t.Errorf("%s agreed: %+v, %v", line, a, err)
		}
	}
}
