//go:build interop

package interop

import (
	"fmt"
	"strings"
	"testing"

	"sotto/zrtp/wire"
)

// daemonOffers are configurations of linphone-daemon and what comes of them.
// Linphone adds the mandatory algorithms and Multistream to what is configured
// and leaves out what its libbzrtp lacks. Where nothing
// is configured it offers the least.
var daemonOffers = []struct {
	Name   string
	Config linphoneConfig // algorithms only
	// What its Hello has: key agreements, hashes, ciphers, auth tags, SAS types.
	Hello string
	// Agreed is the suite of a call with a sotto that allows only this key
	// agreement and this SAS type. The initiator chooses the rest, and that is
	// sotto, which answers a Hello with a Commit at once, whereas Linphone waits
	// for its next tick.
	Agreed string
	// Chosen is what the daemon takes, as the initiator, from all that we have.
	Chosen string
}{
	{
		Name:   "nothing configured",
		Hello:  "[DH3k Mult] [S256] [AES1 AES3] [HS80 HS32] [B32]",
		Agreed: "DH3k/S256/AES3/HS80/B32",
		Chosen: "DH3k/S256/AES1/HS80/B32",
	},
	{
		Name:   "X255",
		Config: linphoneConfig{KeyAgreement: "X255", Hashes: "S256", Ciphers: "AES1", AuthTags: "HS80", SAS: "B32"},
		Hello:  "[X255 DH3k Mult] [S256] [AES1] [HS80 HS32] [B32]",
		Agreed: "X255/S256/AES1/HS80/B32",
		Chosen: "X255/S256/AES1/HS80/B32",
	},
	{
		Name:   "X448",
		Config: linphoneConfig{KeyAgreement: "X448", Hashes: "S384", Ciphers: "AES3", AuthTags: "HS80", SAS: "B256"},
		Hello:  "[X448 DH3k Mult] [S384 S256] [AES3 AES1] [HS80 HS32] [B256 B32]",
		Agreed: "X448/S384/AES3/HS80/B256",
		Chosen: "X448/S384/AES3/HS80/B256",
	},
	{
		Name:   "DH2k",
		Config: linphoneConfig{KeyAgreement: "DH2k", Hashes: "S256", Ciphers: "AES1", AuthTags: "HS32", SAS: "B256"},
		Hello:  "[DH2k DH3k Mult] [S256] [AES1] [HS32 HS80] [B256 B32]",
		Agreed: "DH2k/S256/AES1/HS80/B256",
		Chosen: "DH2k/S256/AES1/HS32/B256",
	},
	{
		Name: "all there is",
		Config: linphoneConfig{
			KeyAgreement: "EC38,EC25,X448,X255,DH3k,DH2k", Hashes: "S384,N256,S256", Ciphers: "2FS3,AES3,AES2,AES1",
			AuthTags: "SK64,HS80,HS32", SAS: "B256,B32",
		},
		Hello:  "[X448 X255 DH3k DH2k Mult] [S384 S256] [AES3 AES1] [HS80 HS32] [B256 B32]",
		Agreed: "X255/S384/AES3/HS80/B256",
		Chosen: "X448/S384/AES3/HS80/B256",
	},
}

// TestDaemon has sotto and linphone-daemon call each other twice with each of
// its offers. The daemon hangs up the first call, sotto the second, in which
// both say what they have to say. The daemon has no command by which its user
// could say that the SAS is the same, so the second call continues the first
// without being verified.
func TestDaemon(t *testing.T) {
	lab := newLab(t, 29000)
	for _, offer := range daemonOffers {
		for _, caller := range []string{"sotto", "daemon"} {
			t.Run(caller+" calls, "+offer.Name, func(t *testing.T) {
				t.Parallel()
				part := strings.Split(offer.Agreed, "/")
				cfg := lab.sottoConfig(t)
				cfg.KeyAgreement, cfg.SAS, cfg.Verify = part[0], part[4], true
				phoneIs := offer.Config
				phoneIs.Name, phoneIs.Daemon, phoneIs.Play, phoneIs.Answer = "daemon", true, lab.theirs.Path, caller == "sotto"
				phone := startLinphone(t, lab.free, phoneIs)

				media := startCapture(t, phone.rtp)
				us := lab.dial(t, cfg, phone)
				secured := us.sameSecure(t, phone, false)
				if secured.Suite != offer.Agreed {
					t.Errorf("agreed %s, want %s", secured.line, offer.Agreed)
				}
				phone.hangUp(t)
				phone.awaitEnded(t, patience)
				us.awaitEnded(t, patience)
				same(t, "Hello", helloOf(t, media.stop(t), phone.rtp), offer.Hello)

				lab.testTalk(t, cfg, phone, func() *sotto {
					us := lab.dial(t, cfg, phone)
					if again := us.sameSecure(t, phone, false); again.Level != "continued" {
						t.Errorf("a further call: %s", again.line)
					}
					return us
				})
			})
		}
	}
}

// helloOf is what the Hello messages sent from a port offer, all the same.
func helloOf(t *testing.T, packets []datagram, port int) string {
	t.Helper()
	offer := ""
	for _, d := range packets {
		if int(d.From) != port || d.zrtpType() != string(wire.TypeHello[:]) {
			continue
		}
		p, err := wire.ParsePacket(d.Payload)
		if err != nil {
			t.Fatal(err)
		}
		hello, err := wire.ParseHello(p.Message)
		if err != nil {
			t.Fatal(err)
		}
		now := fmt.Sprint(hello.KeyAgreements, hello.Hashes, hello.Ciphers, hello.AuthTags, hello.SASTypes)
		if offer != "" && now != offer {
			t.Errorf("one Hello offers %s, another %s", offer, now)
		}
		offer = now
	}
	return offer
}
