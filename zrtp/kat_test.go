package zrtp

import (
	"bytes"
	"slices"
	"testing"

	"sotto/internal/kat"
	"sotto/internal/pgpwords"
	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

// dhHandshakes are the recordings in DH mode: all there are.
var dhHandshakes = []string{
	"x255", "x255_cache1", "x255_cache2_retained", "x255_aux", "x255_2streams", "x448", "dh2k", "dh3k", "dh3k_s384_aes3_b256",
}

// recording is a recorded handshake with each message under its name.
type recording struct {
	kat.Handshake
	initiator, responder map[wire.Type][]byte
	commit               wire.Commit
}

func recordings(t *testing.T) map[string]recording {
	t.Helper()
	all := map[string]recording{}
	for _, h := range kat.Handshakes() {
		r := recording{Handshake: h, initiator: messagesOf(t, h.PacketsA), responder: messagesOf(t, h.PacketsB)}
		if h.RoleA == "responder" {
			r.initiator, r.responder = r.responder, r.initiator
		}
		var err error
		if r.commit, err = wire.ParseCommit(r.initiator[wire.TypeCommit]); err != nil {
			t.Fatal(err)
		}
		all[h.Name] = r
	}
	if len(all) != len(dhHandshakes) {
		t.Fatalf("%d recordings", len(all))
	}
	for _, name := range dhHandshakes {
		if _, ok := all[name]; !ok {
			t.Fatalf("recording %s is missing", name)
		}
	}
	return all
}

// messagesOf keeps the first message of each type: the first stream's.
func messagesOf(t *testing.T, packets []kat.Hex) map[wire.Type][]byte {
	t.Helper()
	m := map[wire.Type][]byte{}
	for _, pkt := range packets {
		p, err := wire.ParsePacket(pkt)
		if err != nil {
			t.Fatal(err)
		}
		mt, err := wire.MessageType(p.Message)
		if err != nil {
			t.Fatal(err)
		}
		if _, again := m[mt]; !again {
			m[mt] = p.Message
		}
	}
	return m
}

func hello(t *testing.T, msg []byte) wire.Hello {
	t.Helper()
	h, err := wire.ParseHello(msg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// The recorded handshakes give, step by step, what the other implementation
// computed.
func TestKnownAnswers(t *testing.T) {
	all := recordings(t)
	for _, name := range dhHandshakes {
		t.Run(name, func(t *testing.T) {
			r := all[name]
			hashOf := newHash(r.commit.Hash)
			h := hashOf()
			for _, m := range [][]byte{
				r.responder[wire.TypeHello], r.initiator[wire.TypeCommit],
				r.responder[wire.TypeDHPart1], r.initiator[wire.TypeDHPart2],
			} {
				h.Write(m)
			}
			totalHash := h.Sum(nil)
			equal(t, "total_hash", totalHash, r.TotalHash)
			context := kdfContext(r.commit.ZID, hello(t, r.responder[wire.TypeHello]).ZID, totalHash)
			s0 := deriveS0(hashOf, bytes.Clone(r.DHResult), context, shared{secret.Copy(r.S1), secret.Copy(r.S2), secret.Copy(r.S3)})
			equal(t, "s0", s0.Reveal(), r.S0)
			keys := newKDF(hashOf, s0, context).sessionKeys(suiteOf(&r.commit))
			equal(t, "sashash", keys.sashash[:], r.SASHash)
			if got := RenderSAS(r.commit.SAS, keys.sashash); got != r.SAS {
				t.Errorf("SAS %q, want %q", got, r.SAS)
			}
			i, rr := side(Initiator), side(Responder)
			equal(t, "srtpkeyi", keys.srtp[i].Reveal(), r.SRTPKeyI)
			equal(t, "srtpsalti", keys.salt[i].Reveal(), r.SRTPSaltI)
			equal(t, "srtpkeyr", keys.srtp[rr].Reveal(), r.SRTPKeyR)
			equal(t, "srtpsaltr", keys.salt[rr].Reveal(), r.SRTPSaltR)
			equal(t, "mackeyi", keys.mac[i].Reveal(), r.MACKeyI)
			equal(t, "mackeyr", keys.mac[rr].Reveal(), r.MACKeyR)
			equal(t, "zrtpkeyi", keys.confirm[i].Reveal(), r.ZRTPKeyI)
			equal(t, "zrtpkeyr", keys.confirm[rr].Reveal(), r.ZRTPKeyR)
			equal(t, "ZRTPSess", keys.zrtpSess.Reveal(), r.ZRTPSess)
			equal(t, "exported key", keys.exported.Reveal(), r.ExportedKey)
			equal(t, "retained secret", keys.rs.Reveal(), r.RetainedSecret)
		})
	}
}

func equal(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got %x, want %x", what, got, want)
	}
}

// A Session given the recorded state opens the recorded Confirms, and refuses
// every one of them with a bit flipped.
func TestKnownConfirms(t *testing.T) {
	all := recordings(t)
	for _, name := range dhHandshakes {
		for _, role := range []Role{Initiator, Responder} {
			t.Run(name+"/"+role.String(), func(t *testing.T) {
				r := all[name]
				msg, want := r.responder[wire.TypeConfirm1], r.ConfirmRPlain
				if role == Responder {
					msg, want = r.initiator[wire.TypeConfirm2], r.ConfirmIPlain
				}
				s := recordedSession(t, r, role)
				plain, ok, err := s.openConfirm(epoch, msg)
				if err != nil || !ok {
					t.Fatalf("recorded Confirm refused: %v", err)
				}
				equal(t, "plain Confirm", plain.Append(nil), want)
				flipped := bytes.Clone(msg)
				flipped[len(flipped)-1] ^= 1
				if _, ok, _ := s.openConfirm(epoch, flipped); ok {
					t.Error("changed Confirm accepted")
				}
			})
		}
	}
}

// recordedSession is a Session as it stands when the peer's Confirm arrives.
func recordedSession(t *testing.T, r recording, role Role) *Session {
	t.Helper()
	s, err := New(configA(1))
	if err != nil {
		t.Fatal(err)
	}
	peer, part := r.responder, wire.TypeDHPart1
	if role == Responder {
		peer, part = r.initiator, wire.TypeDHPart2
	}
	s.role, s.suite = role, suiteOf(&r.commit)
	s.theirs = messages{hello: peer[wire.TypeHello], dhPart: peer[part]}
	s.peer.h1 = dhPart(t, s).H1
	context := kdfContext(r.commit.ZID, hello(t, r.responder[wire.TypeHello]).ZID, r.TotalHash)
	s.keys = newKDF(newHash(r.commit.Hash), secret.Copy(r.S0), context).sessionKeys(s.suite)
	return s
}

// dhPart is what the peer has sent.
func dhPart(t *testing.T, s *Session) wire.DHPart {
	t.Helper()
	part, err := wire.ParseDHPart(s.theirs.dhPart)
	if err != nil {
		t.Fatal(err)
	}
	return part
}

// The hash chains, message MACs and commitments of the recordings hold.
func TestKnownChains(t *testing.T) {
	all := recordings(t)
	for _, name := range dhHandshakes {
		r := all[name]
		h := newHash(r.commit.Hash)()
		h.Write(r.initiator[wire.TypeDHPart2])
		h.Write(r.responder[wire.TypeHello])
		equal(t, name+" hvi", r.commit.HVI[:], h.Sum(nil)[:32])
		for who, side := range map[string]struct {
			h0   kat.Hex
			sent map[wire.Type][]byte
		}{"initiator": {r.H0I, r.initiator}, "responder": {r.H0R, r.responder}} {
			c := newChain([32]byte(side.h0))
			equal(t, name+" H3 of "+who, c.h[3][:], hello3(t, side.sent))
			for image, mt := range map[int][]wire.Type{
				2: {wire.TypeHello}, 1: {wire.TypeCommit}, 0: {wire.TypeDHPart1, wire.TypeDHPart2},
			} {
				for _, m := range mt {
					if msg, ok := side.sent[m]; ok && checkMAC(msg, c.h[image]) != nil {
						t.Errorf("%s: MAC of %s's %s", name, who, m)
					}
				}
			}
		}
	}
}

func hello3(t *testing.T, sent map[wire.Type][]byte) []byte {
	h := hello(t, sent[wire.TypeHello])
	return h.H3[:]
}

// The recorded secret IDs are what we compute for the retained and auxiliary
// secrets of the recordings.
func TestKnownSecretIDs(t *testing.T) {
	all := recordings(t)
	r := all["x255_cache2_retained"]
	known := retained{record: Record{RS1: secret.Copy(all["x255_cache1"].RetainedSecret)}}
	for _, role := range []Role{Initiator, Responder} {
		s := recordedSession(t, r, role)
		part := dhPart(t, s)
		received := secretIDs{rs1: part.RS1ID, rs2: part.RS2ID, aux: part.AuxSecretID, pbx: part.PBXSecretID}
		expected := known.idsOf(newHash(r.commit.Hash), role.other(), [32]byte{})
		got := known.match(role, expected, received)
		if !got.s1.Equal(known.record.RS1) || got.s2 != nil || got.s3 != nil {
			t.Errorf("%s: rs1 not recognised", role)
		}
		equal(t, "s1", got.s1.Reveal(), r.S1)
	}
	r = all["x255_aux"]
	known = retained{aux: secret.Copy(r.S2)}
	for _, role := range []Role{Initiator, Responder} {
		s := recordedSession(t, r, role)
		received := secretIDs{aux: dhPart(t, s).AuxSecretID}
		expected := known.idsOf(newHash(r.commit.Hash), role.other(), [32]byte(hello3(t, map[wire.Type][]byte{wire.TypeHello: s.theirs.hello})))
		if got := known.match(role, expected, received); got.s2 == nil {
			t.Errorf("%s: auxsecret not recognised", role)
		}
	}
}

func TestPGPWords(t *testing.T) {
	if len(pgpwords.Even) != 256 || len(pgpwords.Odd) != 256 {
		t.Fatalf("%d and %d words", len(pgpwords.Even), len(pgpwords.Odd))
	}
	for b := range 256 {
		want := pgpwords.Even[b] + ":" + pgpwords.Odd[255-b]
		if got := RenderSAS(wire.A("B256"), [32]byte{byte(b), byte(255 - b)}); got != want {
			t.Errorf("%d: %s", b, got)
		}
	}
}

func TestSelfTest(t *testing.T) {
	if err := SelfTest(); err != nil {
		t.Fatal(err)
	}
}

// kdfContext is KDF_Context (RFC 6189 §4.4.1.4).
func kdfContext(zidI, zidR wire.ZID, totalHash []byte) []byte {
	return slices.Concat(zidI[:], zidR[:], totalHash)
}
