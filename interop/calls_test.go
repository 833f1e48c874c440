//go:build interop

package interop

import (
	"cmp"
	"strings"
	"testing"
	"time"
)

// lab is what all calls between sotto and linphonec share.
type lab struct {
	sotto        string // the binary
	free         *ports
	ours, theirs utterance
}

func newLab(t *testing.T, firstPort int) lab {
	t.Helper()
	l := lab{sotto: buildSotto(t), free: &ports{next: firstPort}}
	l.ours, l.theirs = utterances(t)
	return l
}

// sottoConfig is a sotto on a port of its own that says ours and records.
func (l lab) sottoConfig(t *testing.T) sottoConfig {
	dir := t.TempDir()
	return sottoConfig{
		Port: l.free.pair(t), In: l.ours.Path, Out: dir + "/heard.wav", State: dir + "/state", Duration: talk,
	}
}

// dial makes a call between the two; sotto calls where the Linphone answers.
func (l lab) dial(t *testing.T, cfg sottoConfig, phone *linphone) *sotto {
	t.Helper()
	if phone.cfg.Answer {
		return cfg.call(t, l.sotto, phone.uri())
	}
	us := cfg.listen(t, l.sotto)
	phone.call(t, cfg.uri())
	return us
}

// TestCalls has sotto and linphonec call each other. In each subtest they talk
// twice: the first call's SAS is verified on both sides and both ends of the
// second call must remember that.
func TestCalls(t *testing.T) {
	lab := newLab(t, 22000)
	for _, s := range suites {
		for name, calls := range map[string]bool{"linphonec calls ": true, "sotto calls ": false} {
			t.Run(name+s.KeyAgreement+" "+s.SAS, func(t *testing.T) {
				t.Parallel()
				cfg := lab.sottoConfig(t)
				cfg.KeyAgreement, cfg.SAS, cfg.Verify = s.KeyAgreement, s.SAS, true
				phone := startLinphone(t, lab.free, linphoneConfig{
					Name: "linphone", KeyAgreement: s.KeyAgreement, SAS: s.SAS, Play: lab.theirs.Path, Answer: !calls})
				lab.testCalls(t, cfg, phone)
			})
		}
	}
}

// TestCodecs has them call each other where linphonec speaks nothing but one codec
// that is not Opus.
func TestCodecs(t *testing.T) {
	lab := newLab(t, 23000)
	for codec, theirs := range map[string]string{"G722": "MSG722", "PCMU": "MSUlaw", "PCMA": "MSAlaw"} {
		for name, calls := range map[string]bool{"linphonec calls ": true, "sotto calls ": false} {
			t.Run(name+codec, func(t *testing.T) {
				t.Parallel()
				cfg := lab.sottoConfig(t)
				phone := startLinphone(t, lab.free, linphoneConfig{
					Name: "linphone", Codec: codec, Play: lab.theirs.Path, Answer: !calls})
				lab.testTalk(t, cfg, phone, func() *sotto { return lab.dial(t, cfg, phone) })
				if !phone.printed(theirs+"Dec") || !phone.printed(theirs+"Enc") {
					t.Errorf("linphonec spoke another codec than %s", codec)
				}
			})
		}
	}
}

// TestDigits has both send all digits in secure calls, with each codec and each
// of them calling; what sotto sends then has the length of its voice. All of
// DTMF comes from linphone-daemon: linphonec's console takes letters for
// commands.
func TestDigits(t *testing.T) {
	t.Parallel()
	lab := newLab(t, 30000)
	t.Run("sotto calls linphonec", func(t *testing.T) {
		t.Parallel()
		lab.testDigits(t, linphoneConfig{Answer: true}, "0123456789*#")
	})
	for _, codec := range []string{"", "G722", "PCMU", "PCMA"} {
		for name, calls := range map[string]bool{"daemon calls ": true, "sotto calls ": false} {
			t.Run(name+cmp.Or(codec, "opus"), func(t *testing.T) {
				t.Parallel()
				lab.testDigits(t, linphoneConfig{Daemon: true, Codec: codec, Answer: !calls}, allDigits)
			})
		}
	}
}

// testDigits makes a call with a Linphone that sends theirs, and ends it when
// both have heard all.
func (l lab) testDigits(t *testing.T, phoneIs linphoneConfig, theirs string) {
	phoneIs.Name, phoneIs.Play = "linphone", l.theirs.Path
	phone := startLinphone(t, l.free, phoneIs)
	cfg := l.sottoConfig(t)
	cfg.In, cfg.Digits, cfg.Duration = "silence", allDigits, time.Minute
	media := startCapture(t, phone.rtp)
	us := l.dial(t, cfg, phone)
	us.awaitEvent(t, "secured", patience)
	phone.awaitSecured(t)
	phone.sendDigits(t, theirs)
	phone.awaitDigits(t, len(allDigits))
	for range theirs {
		us.awaitEvent(t, "digit", patience)
	}
	phone.hangUp(t)
	us.awaitEnded(t, patience)
	phone.awaitEnded(t, patience)
	checkSealed(t, media.stop(t), phone.rtp)
	if got := us.digits(); got != theirs {
		t.Errorf("sotto heard the digits %q", got)
	}
	if got := phone.digits(); got != allDigits {
		t.Errorf("Linphone heard the digits %q", got)
	}
	if answered := us.event("answered"); answered.Codec != cmp.Or(phoneIs.Codec, "opus") {
		t.Errorf("sotto speaks %s", answered.Codec)
	}
}

// testCalls makes two calls: linphonec hangs up the first, sotto
// the second, in which both say what they have to say.
func (l lab) testCalls(t *testing.T, cfg sottoConfig, phone *linphone) {
	us := l.dial(t, cfg, phone)
	secured := us.sameSecure(t, phone, false)
	if !strings.Contains(secured.Suite, cfg.KeyAgreement) || secured.SASType != cfg.SAS || secured.PeerZID == "" {
		t.Errorf("sotto agreed %s", secured.line)
	}
	phone.setVerified(t)
	phone.hangUp(t)
	phone.awaitEnded(t, patience)
	us.awaitEnded(t, patience)

	l.testTalk(t, cfg, phone, func() *sotto {
		us := l.dial(t, cfg, phone)
		us.sameSecure(t, phone, true)
		return us
	})
	if !phone.printed("MSOpusDec") || !phone.printed("MSOpusEnc") {
		t.Error("linphonec spoke another codec than Opus")
	}
}

// testTalk makes a call with dial, in which both say what they have to say and
// then sotto hangs up, and checks what was sent and what was heard. If sotto
// counts that the machine did not keep up with the call, it is made again.
func (l lab) testTalk(t *testing.T, cfg sottoConfig, phone *linphone, dial func() *sotto) {
	t.Helper()
	for tries := 5; tries > 0; tries-- {
		media := startCapture(t, phone.rtp)
		us := dial()
		ended := us.awaitEnded(t, cfg.Duration+patience)
		phone.awaitEnded(t, patience)
		checkSealed(t, media.stop(t), phone.rtp)
		if ended.Stats.keptUp(cfg.Duration) {
			break
		}
		t.Logf("%+v", ended.Stats)
	}
	phone.quit(t)
	checkHeard(t, phone.heard(t), l.ours, l.theirs)
	checkHeard(t, cfg.heard(t), l.theirs, l.ours)
}

// sameSecure waits until both sides have agreed keys and fails the test unless
// they report the same.
func (s *sotto) sameSecure(t *testing.T, phone *linphone, verified bool) sottoEvent {
	t.Helper()
	ours := s.awaitEvent(t, "secured", patience)
	theirs := phone.awaitSecured(t)
	if ours.SAS != theirs.SAS || ours.SAS == "" {
		t.Errorf("sotto shows SAS %q, linphonec %q", ours.SAS, theirs.SAS)
	}
	if want := inLinphonesWords(t, ours.Suite); theirs.Suite != want {
		t.Errorf("sotto agreed %q, Linphone %q", want, theirs.Suite)
	}
	if ours.Verified != verified || theirs.Verified != verified {
		t.Errorf("verified: want %t, sotto says %t, linphonec %t", verified, ours.Verified, theirs.Verified)
	}
	return ours
}

// checkSealed fails the test unless what sotto sent to linphonec's media ports
// is ZRTP first and then SRTP of one size that looks random.
func checkSealed(t *testing.T, packets []datagram, rtp int) {
	t.Helper()
	agreed, sizes, voice := false, map[int]int{}, []datagram{}
	for _, d := range packets {
		kind := d.zrtpType()
		agreed = agreed || kind == "Confirm1" || kind == "Confirm2"
		switch {
		case int(d.To) != rtp && int(d.To) != rtp+1, kind != "":
		case d.isRTCP():
			// The encrypted bit of SRTCP, before the index and the tag of
			// 80 bits (RFC 3711 §3.4).
			if at := len(d.Payload) - 14; !agreed || at < 8 || d.Payload[at]>>7 != 1 {
				t.Errorf("clear RTCP: %x", d.Payload)
			}
		case !d.isRTP():
			t.Errorf("sotto sent something strange: %x", d.Payload)
		case !agreed:
			t.Error("sotto sent RTP before the keys were agreed")
		default:
			sizes[len(d.Payload)]++
			voice = append(voice, d)
		}
	}
	t.Logf("sotto sent %d SRTP packets, of sizes %v", len(voice), sizes)
	if len(sizes) != 1 {
		t.Errorf("sotto's voice packets have sizes %v (and how often)", sizes)
	}
	if len(voice) < 100 || !looksRandom(voice) {
		t.Errorf("%d voice packets are too few or look like clear Opus", len(voice))
	}
}

// TestPlainRefused has sotto meet a linphonec that speaks no ZRTP: the call
// ends as not secure, and linphonec hears nothing at all.
func TestPlainRefused(t *testing.T) {
	const notSecure = 3
	lab := newLab(t, 24000)
	plain := linphoneConfig{Name: "plain", KeyAgreement: "X255", SAS: "B32", Plain: true, Play: lab.theirs.Path}
	refused := func(t *testing.T, us *sotto, phone *linphone, media *capture) {
		t.Helper()
		if code := us.exitCode(t, 2*patience); code != notSecure {
			t.Errorf("sotto ended with code %d", code)
		}
		phone.awaitEnded(t, patience) // not left hanging
		for _, e := range us.events() {
			if e.Event == "secured" {
				t.Errorf("sotto believes to be secure: %s", e.line)
			}
		}
		var voice []datagram
		for _, d := range media.stop(t) {
			toPhone := int(d.To) == phone.rtp || int(d.To) == phone.rtp+1
			if toPhone && d.zrtpType() == "" {
				voice = append(voice, d)
			}
		}
		if len(voice) > 0 {
			t.Errorf("sotto sent linphonec %d packets that are not ZRTP, first %x", len(voice), voice[0].Payload)
		}
	}
	t.Run("sotto calls", func(t *testing.T) {
		t.Parallel()
		cfg := plain
		cfg.Answer = true
		phone := startLinphone(t, lab.free, cfg)
		media := startCapture(t, phone.rtp)
		refused(t, lab.sottoConfig(t).call(t, lab.sotto, phone.uri()), phone, media)
	})
	t.Run("linphonec calls", func(t *testing.T) {
		t.Parallel()
		phone := startLinphone(t, lab.free, plain)
		media := startCapture(t, phone.rtp)
		cfg := lab.sottoConfig(t)
		us := cfg.listen(t, lab.sotto)
		phone.call(t, cfg.uri())
		refused(t, us, phone, media)
	})
}
