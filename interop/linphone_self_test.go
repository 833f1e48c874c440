//go:build interop

package interop

import (
	"testing"
	"time"
)

// suites are the key agreements and SAS types of the test calls.
var suites = []struct{ KeyAgreement, SAS string }{
	{"X255", "B32"}, {"X255", "B256"}, {"DH3k", "B32"}, {"DH3k", "B256"},
}

// talk is how long a call lasts: all that both sides say, and a second for a
// slow start.
const talk = 5500 * time.Millisecond

// TestLinphoneWithItself proves the peer and the way it is driven: two
// linphonec agree on what is asked of Sotto and linphonec later.
func TestLinphoneWithItself(t *testing.T) {
	ours, theirs := utterances(t)
	free := &ports{next: 20000}
	for _, s := range suites {
		t.Run(s.KeyAgreement+" "+s.SAS, func(t *testing.T) {
			t.Parallel()
			alice := startLinphone(t, free, linphoneConfig{
				Name: "alice", KeyAgreement: s.KeyAgreement, SAS: s.SAS, Play: ours.Path})
			bob := startLinphone(t, free, linphoneConfig{
				Name: "bob", KeyAgreement: s.KeyAgreement, SAS: s.SAS, Play: theirs.Path, Answer: true})

			alice.call(t, bob.uri())
			first := sameSecure(t, alice, bob)
			if want := inLinphonesWords(t, s.KeyAgreement+"/S256/AES1/HS80/"+s.SAS); first.Suite != want {
				t.Errorf("agreed %q, not %q", first.Suite, want)
			}
			if first.Verified {
				t.Error("verified before anybody verified")
			}
			alice.setVerified(t)
			bob.setVerified(t)
			alice.hangUp(t)
			alice.awaitEnded(t, patience)
			bob.awaitEnded(t, patience)

			alice.call(t, bob.uri())
			if !sameSecure(t, alice, bob).Verified {
				t.Error("the second call doesn't know that the SAS was verified")
			}
			bob.hangUp(t)
			alice.awaitEnded(t, patience)
			bob.awaitEnded(t, patience)
			alice.quit(t)
			bob.quit(t)
		})
	}
}

// sameSecure waits until both have agreed keys and fails the test unless they
// agree about them.
func sameSecure(t *testing.T, alice, bob *linphone) linphoneSecure {
	t.Helper()
	a, b := alice.awaitSecured(t), bob.awaitSecured(t)
	if a != b {
		t.Fatalf("alice agreed %+v, bob %+v", a, b)
	}
	return a
}

// TestLinphonePlain proves the judgement of recordings and the watch on the
// wire: two linphonec without encryption hear each other, and are seen to talk
// in clear.
func TestLinphonePlain(t *testing.T) {
	ours, theirs := utterances(t)
	free := &ports{next: 21000}
	cfg := linphoneConfig{Name: "alice", KeyAgreement: "X255", SAS: "B32", Plain: true, Play: ours.Path}
	alice := startLinphone(t, free, cfg)
	cfg.Name, cfg.Answer, cfg.Play = "bob", true, theirs.Path
	bob := startLinphone(t, free, cfg)
	media := startCapture(t, bob.rtp)
	alice.call(t, bob.uri())
	bob.awaitRecorded(t, talk)
	alice.awaitRecorded(t, talk)
	alice.hangUp(t)
	bob.awaitEnded(t, patience)
	var voice []datagram
	for _, d := range media.stop(t) {
		if int(d.To) == bob.rtp && d.isRTP() {
			voice = append(voice, d)
		}
	}
	if len(voice) < 200 || looksRandom(voice) {
		t.Errorf("%d RTP packets; they look random: %t", len(voice), looksRandom(voice))
	}
	alice.quit(t)
	bob.quit(t)
	checkHeard(t, alice.heard(t), theirs, ours)
	checkHeard(t, bob.heard(t), ours, theirs)
}
