//go:build interop

package interop

import (
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

// TestCalls has sotto and linphonec call each other. In each subtest they talk
// twice: the first call's SAS is verified on both sides and both ends of the
// second call must remember that.
func TestCalls(t *testing.T) {
	lab := newLab(t, 22000)
	for _, s := range suites {
		t.Run("linphonec calls "+s.KeyAgreement+" "+s.SAS, func(t *testing.T) {
			t.Parallel()
			cfg := lab.sottoConfig(t)
			cfg.KeyAgreement, cfg.SAS, cfg.Verify = s.KeyAgreement, s.SAS, true
			phone := startLinphone(t, lab.free, linphoneConfig{
				Name: "linphone", KeyAgreement: s.KeyAgreement, SAS: s.SAS, Play: lab.theirs.Path})
			dial := func() *sotto {
				us := cfg.listen(t, lab.sotto)
				phone.call(t, cfg.uri())
				return us
			}
			lab.testCalls(t, cfg, phone, dial)
		})
		t.Run("sotto calls "+s.KeyAgreement+" "+s.SAS, func(t *testing.T) {
			t.Parallel()
			cfg := lab.sottoConfig(t)
			cfg.KeyAgreement, cfg.SAS, cfg.Verify = s.KeyAgreement, s.SAS, true
			phone := startLinphone(t, lab.free, linphoneConfig{
				Name: "linphone", KeyAgreement: s.KeyAgreement, SAS: s.SAS, Play: lab.theirs.Path, Answer: true})
			dial := func() *sotto { return cfg.call(t, lab.sotto, phone.uri("linphone")) }
			lab.testCalls(t, cfg, phone, dial)
		})
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
				lab.testTalk(t, cfg, phone, func() *sotto {
					if !calls {
						return cfg.call(t, lab.sotto, phone.uri("linphone"))
					}
					us := cfg.listen(t, lab.sotto)
					phone.call(t, cfg.uri())
					return us
				})
				if !phone.printed(theirs+"Dec") || !phone.printed(theirs+"Enc") {
					t.Errorf("linphonec spoke another codec than %s", codec)
				}
			})
		}
	}
}

// TestDigits has both send all digits in a secure call; what sotto sends then
// has the length of its voice. linphonec knows no letters, and takes a second
// for each digit.
func TestDigits(t *testing.T) {
	t.Parallel()
	lab := newLab(t, 30000)
	phone := startLinphone(t, lab.free, linphoneConfig{Name: "linphone", Play: lab.theirs.Path, Answer: true})
	lab.ours.Lead = 6 * time.Second // sotto hangs up when it has said all
	lab.ours.write(t)
	cfg := lab.sottoConfig(t)
	const theirs = "0123456789*#"
	cfg.Digits, cfg.Duration = allDigits, (time.Duration(len(theirs))+3)*time.Second
	media := startCapture(t, phone.rtp)
	us := cfg.call(t, lab.sotto, phone.uri("linphone"))
	us.awaitEvent(t, "secured", patience)
	phone.awaitSecured(t)
	phone.say(t, theirs)
	us.awaitEnded(t, cfg.Duration+patience)
	phone.awaitEnded(t, patience)
	checkSealed(t, media.stop(t), phone.rtp)
	if got := us.digits(); got != theirs {
		t.Errorf("sotto heard the digits %q", got)
	}
	if got := phone.digits(); got != allDigits {
		t.Errorf("linphonec heard the digits %q", got)
	}
}

// testCalls makes two calls with dial: linphonec hangs up the first, sotto
// the second, in which both say what they have to say.
func (l lab) testCalls(t *testing.T, cfg sottoConfig, phone *linphone, dial func() *sotto) {
	us := dial()
	secured := us.sameSecure(t, phone, false)
	if !strings.Contains(secured.Suite, cfg.KeyAgreement) || secured.SASType != cfg.SAS || secured.PeerZID == "" {
		t.Errorf("sotto agreed %s", secured.line)
	}
	phone.setVerified(t)
	phone.hangUp(t)
	phone.awaitEnded(t, patience)
	us.awaitEnded(t, patience)

	l.testTalk(t, cfg, phone, func() *sotto {
		us := dial()
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
	for tries := 3; tries > 0; tries-- {
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
		refused(t, lab.sottoConfig(t).call(t, lab.sotto, phone.uri("plain")), phone, media)
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
