//go:build interop

package interop

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sotto/internal/secret"
	"sotto/zrtp"
	"sotto/zrtp/wire"
	"sotto/zrtp/zidcache"
)

// handshake is one kind of run of our Session against bzrtp_peer.
type handshake struct {
	t     *testing.T
	bin   string   // bzrtp_peer
	flags []string // of bzrtp_peer
	more  []int    // our port of a second stream, if any
}

// secure runs a handshake that must succeed and returns both views of it, after
// checking that they agree. The peer is still running.
func (h handshake) secure(cfg zrtp.Config) (*endpoint, zrtp.Secured, *bzrtp, bzrtpSecure) {
	h.t.Helper()
	e := newEndpoint(h.t, cfg)
	peer := e.meet(h.t, h.bin, h.more, h.flags...)
	e.run(h.t, ended)
	secured, ok := eventOf[zrtp.Secured](e)
	if !ok {
		h.t.Fatalf("events %+v", e.events)
	}
	theirs := serveUntil(h.t, e, peer.awaitSecured)
	h.compare(e, secured, theirs)
	return e, secured, peer, theirs
}

// compare fails the test unless both sides ended with the same secrets.
func (h handshake) compare(e *endpoint, ours zrtp.Secured, theirs bzrtpSecure) {
	h.t.Helper()
	h.compareKeys(e, ours, theirs)
	same(h.t, "other role", map[zrtp.Role]string{zrtp.Initiator: "responder", zrtp.Responder: "initiator"}[ours.Role], theirs.Role)
	same(h.t, "exported key", e.derivedKey(ours), theirs.Exported)
}

// compareKeys is what there is to compare of any stream.
func (h handshake) compareKeys(e *endpoint, ours zrtp.Secured, theirs bzrtpSecure) {
	h.t.Helper()
	same(h.t, "suite", ours.Suite.String(), theirs.Suite)
	same(h.t, "SAS", ours.SAS, theirs.SAS)
	send, receive := e.srtpKeys(h.t)
	same(h.t, "sent key", hexOf(send.Key), theirs.RecvKey)
	same(h.t, "sent salt", hexOf(send.Salt), theirs.RecvSalt)
	same(h.t, "received key", hexOf(receive.Key), theirs.SendKey)
	same(h.t, "received salt", hexOf(receive.Salt), theirs.SendSalt)
}

func same(t *testing.T, what, ours, theirs string) {
	t.Helper()
	if ours != theirs {
		t.Errorf("%s: ours %s, bzrtp's %s", what, ours, theirs)
	}
}

// srtpKeys are the keys of both directions, from one event or two.
func (e *endpoint) srtpKeys(t *testing.T) (send, receive *zrtp.SRTPKeys) {
	t.Helper()
	for _, event := range e.events {
		if k, ok := event.(zrtp.KeysReady); ok {
			if k.Send != nil {
				send = k.Send
			}
			if k.Receive != nil {
				receive = k.Receive
			}
		}
	}
	if send == nil || receive == nil {
		t.Fatalf("no keys for both directions in %+v", e.events)
	}
	return send, receive
}

func hexOf(b *secret.Bytes) string { return hex.EncodeToString(b.Reveal()) }

// derivedKey does to our exported key what bzrtp_exportKey does to its own
// before it shows it: one more run of the KDF of RFC 6189 §4.5.1, with a label
// of the application. The context is put together from the packets seen.
func (e *endpoint) derivedKey(ours zrtp.Secured) string {
	initiator, responder := e.sent, e.heard
	if ours.Role == zrtp.Responder {
		initiator, responder = e.heard, e.sent
	}
	newHash := map[string]func() hash.Hash{"S256": sha256.New, "S384": sha512.New384}[ours.Suite.Hash.String()]
	total := newHash()
	for _, message := range [][]byte{
		responder[wire.TypeHello], initiator[wire.TypeCommit], responder[wire.TypeDHPart1], initiator[wire.TypeDHPart2],
	} {
		total.Write(message)
	}
	const zid = 64 // offset of the ZID in a Hello (RFC 6189 §5.2)
	mac := hmac.New(newHash, e.session.ExportedKey().Reveal())
	mac.Write([]byte{0, 0, 0, 1})
	mac.Write([]byte("interop-test\x00"))
	mac.Write(initiator[wire.TypeHello][zid : zid+12])
	mac.Write(responder[wire.TypeHello][zid : zid+12])
	mac.Write(total.Sum(nil))
	binary.Write(mac, binary.BigEndian, uint32(256))
	return hex.EncodeToString(mac.Sum(nil)[:32])
}

// offer is the Offer of exactly one suite.
func offer(s zrtp.Suite) zrtp.Offer {
	one := func(a wire.Algo) []wire.Algo { return []wire.Algo{a} }
	return zrtp.Offer{
		Hashes: one(s.Hash), Ciphers: one(s.Cipher), AuthTags: one(s.AuthTag), KeyAgreements: one(s.KeyAgreement), SASTypes: one(s.SAS),
	}
}

// TestBzrtpSuites agrees keys with every suite that we share with libbzrtp, as
// initiator, as responder, and with both sides sending a Commit.
func TestBzrtpSuites(t *testing.T) {
	t.Parallel()
	bin := buildBzrtpPeer(t)
	for _, keyAgreement := range []string{"X255", "X448", "DH3k", "DH2k"} {
		for _, hash := range []string{"S256", "S384"} {
			for _, cipher := range []string{"AES1", "AES3"} {
				for _, authTag := range []string{"HS32", "HS80"} {
					for _, sas := range []string{"B32", "B256"} {
						name := strings.Join([]string{keyAgreement, hash, cipher, authTag, sas}, "/")
						t.Run(name, func(t *testing.T) {
							t.Parallel()
							testRoles(t, bin, suite(name))
						})
					}
				}
			}
		}
	}
}

// roles are the ways in which the two sides find out who is the initiator.
var roles = []struct {
	Name    string
	Role    zrtp.Role // ours; zero: either
	Passive bool      // we only respond
	Flags   []string  // of bzrtp_peer
}{
	{Name: "initiator", Role: zrtp.Initiator, Flags: []string{"--responder"}},
	{Name: "responder", Role: zrtp.Responder, Passive: true},
	{Name: "contention"},
}

func testRoles(t *testing.T, bin string, s zrtp.Suite) {
	for _, r := range roles {
		t.Run(r.Name, func(t *testing.T) {
			cfg := zrtp.Config{Policy: zrtp.Policy{Offer: offer(s)}, Passive: r.Passive}
			_, ours, _, _ := handshake{t: t, bin: bin, flags: slices.Concat(bzrtpFlags(s), r.Flags)}.secure(cfg)
			if ours.Suite != s {
				t.Errorf("agreed %v", ours.Suite)
			}
			if r.Role != 0 && ours.Role != r.Role {
				t.Errorf("we are %v", ours.Role)
			}
		})
	}
}

// TestBzrtpDefaults lets both sides offer all they have.
func TestBzrtpDefaults(t *testing.T) {
	t.Parallel()
	_, ours, _, _ := handshake{t: t, bin: buildBzrtpPeer(t)}.secure(zrtp.Config{})
	t.Logf("agreed %v", ours.Suite)
}

// TestBzrtpRetained calls the same peer again and again: retained secrets make
// the calls one chain, and verified flags survive (RFC 6189 §4.3). Both sides
// offer all they have: libbzrtp finds retained secrets only under the hash that
// it would have chosen itself, even if our Commit names another.
func TestBzrtpRetained(t *testing.T) {
	t.Parallel()
	bin := buildBzrtpPeer(t)
	for _, r := range roles {
		t.Run(r.Name, func(t *testing.T) {
			db := filepath.Join(t.TempDir(), "peer.sqlite")
			h := handshake{t: t, bin: bin, flags: slices.Concat(r.Flags, []string{"--verify", "--db", db})}
			cache := zidcache.NewMemory()
			defer cache.Close()
			call := func() (zrtp.Secured, bzrtpSecure) {
				t.Helper()
				return h.retainedCall(zrtp.Config{
					ZID: cache.ZID(), Store: cache.Store("sip:sotto@127.0.0.1", "sip:bzrtp@127.0.0.1"), Passive: r.Passive})
			}

			ours, theirs := call()
			if ours.Continued || ours.Verified || ours.CacheMismatch || theirs.Verified != "0" {
				t.Errorf("first call: ours %+v, bzrtp's %+v", ours, theirs)
			}
			for range 2 {
				ours, theirs = call()
				if !ours.Continued || !ours.Verified || ours.CacheMismatch || theirs.Verified != "1" || theirs.CacheMismatch != "0" {
					t.Errorf("later call: ours %+v, bzrtp's %+v", ours, theirs)
				}
			}

			h.flags[len(h.flags)-1] = db + ".new" // a new ZID: a stranger
			if ours, _ = call(); ours.Continued || ours.CacheMismatch || ours.Verified {
				t.Errorf("stranger: ours %+v", ours)
			}
		})
	}
}

// retainedCall is a whole call in which both users verify the SAS.
func (h handshake) retainedCall(cfg zrtp.Config) (zrtp.Secured, bzrtpSecure) {
	h.t.Helper()
	e, ours, peer, theirs := h.secure(cfg)
	if err := e.session.SetVerified(true); err != nil {
		h.t.Error(err)
	}
	e.session.Close()
	e.conn.Close()
	peer.stop(h.t)
	return ours, theirs
}

// TestBzrtpLostCache has each side forget what the other remembers: the one
// that remembers must notice (RFC 6189 §4.3.2).
func TestBzrtpLostCache(t *testing.T) {
	t.Parallel()
	bin := buildBzrtpPeer(t)
	for _, r := range roles {
		t.Run(r.Name, func(t *testing.T) {
			db := filepath.Join(t.TempDir(), "peer.sqlite")
			h := handshake{t: t, bin: bin, flags: slices.Concat(r.Flags, []string{"--verify", "--db", db})}
			first, second := zidcache.NewMemory(), zidcache.NewMemory()
			defer first.Close()
			defer second.Close()
			call := func(c *zidcache.Cache) (zrtp.Secured, bzrtpSecure) {
				t.Helper()
				return h.retainedCall(zrtp.Config{
					ZID: first.ZID(), Store: c.Store("sip:sotto@127.0.0.1", "sip:bzrtp@127.0.0.1"), Passive: r.Passive})
			}

			call(first)
			ours, theirs := call(second)
			if ours.Continued || ours.CacheMismatch || theirs.CacheMismatch != "1" || theirs.Verified != "0" {
				t.Errorf("we forgot: ours %+v, bzrtp's %+v", ours, theirs)
			}
			// Both users compared the SAS, so bzrtp has replaced its secret;
			// our first memory still holds the old one.
			ours, theirs = call(first)
			if ours.Continued || !ours.CacheMismatch || ours.Verified || theirs.CacheMismatch != "1" {
				t.Errorf("the peer forgot: ours %+v, bzrtp's %+v", ours, theirs)
			}
			if ours, theirs = call(first); !ours.Verified || theirs.Verified != "1" {
				t.Errorf("healed: ours %+v, bzrtp's %+v", ours, theirs)
			}
		})
	}
}

// TestBzrtpAuxSecret mixes in a secret agreed outside ZRTP (RFC 6189 §4.3).
func TestBzrtpAuxSecret(t *testing.T) {
	t.Parallel()
	bin := buildBzrtpPeer(t)
	for _, r := range roles {
		for theirs, mismatch := range map[string]bool{"a-secret": false, "another": true} {
			t.Run(r.Name+" "+theirs, func(t *testing.T) {
				flags := slices.Concat(r.Flags, []string{"--aux", theirs})
				cfg := zrtp.Config{AuxSecret: secret.From([]byte("a-secret")), Passive: r.Passive}
				_, ours, _, peer := handshake{t: t, bin: bin, flags: flags}.secure(cfg)
				want := map[bool]string{false: "0", true: "1"}[mismatch]
				if ours.AuxMismatch != mismatch || peer.AuxMismatch != want {
					t.Errorf("ours %+v, bzrtp's %+v", ours, peer)
				}
			})
		}
	}
}

// TestBzrtpHelloHash binds each side to the Hello that the other's signalling
// announces (RFC 6189 §8.1).
func TestBzrtpHelloHash(t *testing.T) {
	t.Parallel()
	bin := buildBzrtpPeer(t)
	wrong := strings.Repeat("5a", 32)

	t.Run("right", func(t *testing.T) {
		t.Parallel()
		e := newEndpoint(t, zrtp.Config{})
		own := e.session.HelloHash()
		peer := e.meet(t, bin, nil, "--peer-hello-hash", fmt.Sprintf("%s %x", e.session.Version(), own))
		e.expectHello(t, peer.helloHash(t))
		e.run(t, ended)
		if _, ok := eventOf[zrtp.Secured](e); !ok {
			t.Errorf("events %+v", e.events)
		}
	})
	t.Run("wrong for us", func(t *testing.T) {
		t.Parallel()
		e := newEndpoint(t, zrtp.Config{})
		e.expectHello(t, "1.10 "+wrong)
		peer := e.meet(t, bin, nil)
		e.run(t, ended)
		if none, ok := eventOf[zrtp.NoPeer](e); !ok || !none.HelloMismatch {
			t.Errorf("events %+v", e.events)
		}
		if peer.stop(t) == 0 {
			t.Error("the peer believes to be secure")
		}
	})
	t.Run("wrong for the peer", func(t *testing.T) {
		t.Parallel()
		e := newEndpoint(t, zrtp.Config{})
		peer := e.meet(t, bin, nil, "--peer-hello-hash", "1.10 "+wrong)
		e.run(t, ended)
		if _, ok := eventOf[zrtp.Secured](e); ok {
			t.Error("secure with a peer that expects somebody else")
		}
		if peer.stop(t) == 0 {
			t.Error("the peer believes to be secure")
		}
	})
}

// expectHello takes the value of the peer's a=zrtp-hash attribute.
func (e *endpoint) expectHello(t *testing.T, attribute string) {
	t.Helper()
	version, digits, _ := strings.Cut(attribute, " ")
	sum, err := hex.DecodeString(digits)
	if err != nil || len(sum) != 32 || version != e.session.Version() {
		t.Fatalf("zrtp-hash %q: %v", attribute, err)
	}
	e.session.SetPeerHelloHash(time.Now(), [32]byte(sum))
}

// TestBzrtpEvilPublicValue has the peer send public values that give the
// secret away.
func TestBzrtpEvilPublicValue(t *testing.T) {
	t.Parallel()
	bin := buildBzrtpPeer(t)
	for _, keyAgreement := range []string{"X255", "DH3k"} {
		for _, value := range []string{"zero", "one", "pminus1"} {
			for _, passive := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s passive %t", keyAgreement, value, passive), func(t *testing.T) {
					s := suite(keyAgreement + "/S256/AES1/HS80/B32")
					e := newEndpoint(t, zrtp.Config{Policy: zrtp.Policy{Offer: offer(s)}, Passive: passive})
					flags := append(bzrtpFlags(s), "--evil-pv", value)
					if !passive {
						flags = append(flags, "--responder")
					}
					e.meet(t, bin, nil, flags...)
					e.run(t, ended)
					failed, ok := eventOf[zrtp.Failed](e)
					if !ok || failed.Code != wire.ErrorPublicValue || failed.Remote {
						t.Errorf("events %+v", e.events)
					}
				})
			}
		}
	}
}
