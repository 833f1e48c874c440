package media_test

import (
	"testing"

	"sotto/media"
)

// RFC 7983 §7 and RFC 5761 §4, all first bytes by all second bytes.
func TestClassify(t *testing.T) {
	for first := range 256 {
		for second := range 256 {
			want := media.KindUnknown
			switch {
			case first < 4:
				want = media.KindSTUN
			case first >= 16 && first < 20:
				want = media.KindZRTP
			case first >= 20 && first < 64:
				want = media.KindDTLS
			case first >= 64 && first < 80:
				want = media.KindTURN
			case first >= 128 && first < 192 && second >= 192 && second < 224:
				want = media.KindRTCP
			case first >= 128 && first < 192:
				want = media.KindRTP
			}
			if got := media.Classify([]byte{byte(first), byte(second)}); got != want {
				t.Fatalf("%d %d: %v, want %v", first, second, got, want)
			}
		}
	}
	for _, b := range [][]byte{nil, {}, {0x80}, {0x10}} {
		if got := media.Classify(b); got != media.KindUnknown {
			t.Errorf("%v: %v", b, got)
		}
	}
}

func TestNames(t *testing.T) {
	for k, want := range map[media.Kind]string{
		media.KindUnknown: "unknown", media.KindSTUN: "STUN", media.KindZRTP: "ZRTP", media.KindDTLS: "DTLS",
		media.KindTURN: "TURN", media.KindRTP: "RTP", media.KindRTCP: "RTCP", 99: "unknown",
	} {
		if k.String() != want {
			t.Errorf("kind %d is %q", k, k)
		}
	}
	for s, want := range map[media.Stage]string{
		media.StageCaptured: "captured", media.StageEncoded: "encoded", media.StageSealed: "sealed", media.StageSent: "sent",
		media.StageReceived: "received", media.StageOpened: "opened", media.StageQueued: "queued",
		media.StageDecoded: "decoded", media.StagePlayed: "played", 99: "stage(99)",
	} {
		if s.String() != want {
			t.Errorf("stage %d is %q", s, s)
		}
	}
}
