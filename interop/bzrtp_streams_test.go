//go:build interop

package interop

import (
	"crypto/rand"
	"slices"
	"testing"

	"sotto/zrtp"
	"sotto/zrtp/wire"
)

// TestBzrtpTwoStreams keys a second stream from the first one's agreement
// (RFC 6189 §4.4.3).
func TestBzrtpTwoStreams(t *testing.T) {
	t.Parallel()
	bin := buildBzrtpPeer(t)
	for _, name := range []string{"X255/S256/AES1/HS32/B32", "X448/S384/AES3/HS80/B256", "DH3k/S256/AES3/HS80/B32"} {
		s := suite(name)
		for _, r := range roles {
			t.Run(name+" "+r.Name, func(t *testing.T) {
				t.Parallel()
				cfg := zrtp.Config{Policy: zrtp.Policy{Offer: offer(s)}, Passive: r.Passive}
				cfg.Policy.Offer.KeyAgreements = append(cfg.Policy.Offer.KeyAgreements, wire.Multistream)
				rand.Read(cfg.ZID[:])
				conn := listenUDP(t)
				h := handshake{t: t, bin: bin, flags: slices.Concat(bzrtpFlags(s), r.Flags), more: []int{portOf(conn)}}
				first, _, peer, theirFirst := h.secure(cfg)

				cfg.First = first.session
				second := endpointAt(t, conn, cfg)
				second.callTo(peer.ports[1])
				second.run(t, ended)
				ours, ok := eventOf[zrtp.Secured](second)
				if !ok {
					t.Fatalf("events %+v", second.events)
				}
				theirs := serveUntil(t, second, peer.awaitSecond)
				h.compareKeys(second, ours, theirs)
				want := s
				want.KeyAgreement = wire.Multistream
				if ours.Suite != want || ours.SAS != "" || r.Role != 0 && ours.Role != r.Role {
					t.Errorf("the second stream: %+v", ours)
				}
				if theirs.SendKey == theirFirst.SendKey || theirs.SendKey == theirFirst.RecvKey {
					t.Error("both streams have the same key")
				}
				if peer.stop(t) != 0 {
					t.Error("the peer ended as insecure")
				}
			})
		}
	}
}
