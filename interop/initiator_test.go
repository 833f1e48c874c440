//go:build interop

package interop

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"sotto/media/protect"
	"sotto/sip"
	"sotto/sip/sdp"
	"sotto/zrtp"
	"sotto/zrtp/wire"
)

// TestLinphoneInitiates has linphone-daemon be the initiator of the key
// agreement and choose the suite, which against sotto it isn't: a passive
// Session that offers everything takes sotto's place. The daemon's voice shows
// that both sides have the same keys.
func TestLinphoneInitiates(t *testing.T) {
	free := &ports{next: 30000}
	_, theirs := utterances(t)
	for _, offer := range daemonOffers {
		for _, caller := range []string{"we call", "daemon calls"} {
			t.Run(caller+", "+offer.Name, func(t *testing.T) {
				t.Parallel()
				phoneIs := offer.Config
				phoneIs.Name, phoneIs.Daemon, phoneIs.Play, phoneIs.Answer = "daemon", true, theirs.Path, caller == "we call"
				phone := startLinphone(t, free, phoneIs)
				all := []wire.Algo{wire.A("X448"), wire.A("X255"), wire.A("EC38"), wire.A("EC25"), wire.A("DH3k"), wire.A("DH2k")}
				e := newEndpoint(t, zrtp.Config{Passive: true, Policy: zrtp.Policy{Offer: zrtp.Offer{KeyAgreements: all}}})
				dialog := signal(t, e, phone, phoneIs.Answer)
				e.run(t, ended)
				ours, ok := eventOf[zrtp.Secured](e)
				if !ok {
					t.Fatalf("events %+v", e.events)
				}
				if ours.Role != zrtp.Responder {
					t.Errorf("we are %v", ours.Role)
				}
				same(t, "suite", ours.Suite.String(), offer.Chosen)
				there := serveUntil(t, e, phone.awaitSecured)
				same(t, "suite in words", inLinphonesWords(t, ours.Suite.String()), there.Suite)
				same(t, "SAS", ours.SAS, there.SAS)
				checkVoice(t, e, ours.Suite)
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				if err := dialog.Bye(ctx, ""); err != nil {
					t.Error(err)
				}
				phone.awaitEnded(t, patience)
				phone.quit(t)
			})
		}
	}
}

// signal sets the call up and tells the endpoint where the phone's media is,
// and which Hello to expect there.
func signal(t *testing.T, e *endpoint, phone *linphone, weCall bool) *sip.Dialog {
	t.Helper()
	agent, err := sip.New(sip.Config{Bind: "127.0.0.1:0", Identity: "sip:sotto@127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { agent.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	hash := e.session.HelloHash()
	local := sdp.Local{
		ID: 1, Address: netip.MustParseAddr("127.0.0.1"), Port: uint16(portOf(e.conn)), RTCPPort: uint16(portOf(listenUDP(t))),
		Codecs: sdp.Voice(), ZRTPHashes: []sdp.ZRTPHash{{Version: e.session.Version(), Hash: hash[:]}},
	}
	var dialog *sip.Dialog
	var ours, theirs *sdp.Session
	if weCall {
		ours = sdp.Offer(local)
		if dialog, err = agent.Invite(ctx, phone.uri(), ours.Append(nil)); err == nil {
			theirs, err = answered(ctx, dialog)
		}
	} else {
		phone.call(t, "sip:sotto@"+agent.Addr().String())
		if dialog, err = agent.Accept(ctx); err != nil {
			t.Fatal(err)
		}
		if theirs, err = sdp.Parse(dialog.RemoteOffer()); err == nil {
			ours, err = sdp.Answer(theirs, nil, local)
		}
		if err == nil {
			err = dialog.Answer(ours.Append(nil))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	agreed, err := sdp.Agree(ours, theirs)
	if err != nil || len(agreed.ZRTPHashes) != 1 {
		t.Fatalf("agreed %+v: %v", agreed, err)
	}
	e.callTo(int(agreed.Remote.Port()))
	e.session.SetPeerHelloHash(time.Now(), [32]byte(agreed.ZRTPHashes[0].Hash))
	return dialog
}

// answered waits for the answer to our call.
func answered(ctx context.Context, d *sip.Dialog) (*sdp.Session, error) {
	for {
		event, err := d.Next(ctx)
		if err != nil {
			return nil, err
		}
		switch e := event.(type) {
		case sip.Answered:
			return sdp.Parse(e.SDP)
		case sip.Ended:
			return nil, errors.New("ended: " + e.Reason.Error())
		}
	}
}

// checkVoice opens what the phone says after the key agreement.
func checkVoice(t *testing.T, e *endpoint, s zrtp.Suite) {
	t.Helper()
	profile := map[string]protect.Profile{
		"AES1/HS80": protect.AESCM128HMACSHA1_80, "AES1/HS32": protect.AESCM128HMACSHA1_32,
		"AES3/HS80": protect.AESCM256HMACSHA1_80, "AES3/HS32": protect.AESCM256HMACSHA1_32,
	}[s.Cipher.String()+"/"+s.AuthTag.String()]
	_, receive := e.srtpKeys(t)
	opener, err := protect.NewOpener(profile, receive.Key.Reveal(), receive.Salt.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	defer opener.Close()
	const enough = 25
	opened := serveUntil(t, e, func(t *testing.T) (opened int) {
		limit := time.After(patience)
		for opened < enough {
			select {
			case packet := <-e.voice:
				if _, err := opener.Open(packet); err != nil {
					t.Errorf("the daemon's packet %x: %v", packet[:12], err)
					return opened
				}
				opened++
			case <-limit:
				return opened
			}
		}
		return opened
	})
	if opened < enough {
		t.Errorf("only %d packets of voice", opened)
	}
}
