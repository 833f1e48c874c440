//go:build consttime

package zrtp

import (
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"sotto/internal/dudect"
	"sotto/internal/hmac"
	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

// The time may not tell how close a guess came: the classes differ in which byte
// of a MAC or an ID is wrong, the first or the last. That a guess is right shows
// anyway, in the answer or in the length of what s0 is a hash of
// (RFC 6189 §4.4.1.4).

func TestConstantTimeMAC(t *testing.T) {
	key := [32]byte{1}
	right := appendMAC(make([]byte, 100), key)
	msg := make([]byte, len(right))
	accepted := false
	dudect.Constant(t, dudect.Case{
		Name: "checkMAC", Samples: 20_000, Repeat: 4,
		Prepare: func(class int) {
			copy(msg, right)
			msg[len(msg)-macLen+(macLen-1)*class]++
		},
		Run: func() { accepted = accepted || checkMAC(msg, key) == nil },
	})

	s := &Session{role: Initiator, suite: Suite{Hash: wire.A("S256")}, keys: &sessionKeys{}}
	s.keys.mac[side(Responder)] = secret.Copy(key[:])
	body := make([]byte, 40)
	tag := [macLen]byte(hmac.Sum(sha256.New, key[:], body))
	sent := tag
	dudect.Constant(t, dudect.Case{
		Name: "Confirm's MAC", Samples: 20_000, Repeat: 4,
		Prepare: func(class int) {
			sent = tag
			sent[(macLen-1)*class]++
		},
		Run: func() { accepted = accepted || s.authentic(sent, body) },
	})
	if accepted || !s.authentic(tag, body) || checkMAC(right, key) != nil {
		t.Error("a wrong MAC was accepted, or a right one was not")
	}
}

func TestConstantTimeIDs(t *testing.T) {
	fresh := func() *secret.Bytes {
		b := make([]byte, 32)
		rand.Read(b)
		return secret.From(b)
	}
	r := retained{aux: fresh()}
	r.record.RS1, r.record.RS2, r.record.PBXSecret = fresh(), fresh(), fresh()
	expected := r.idsOf(sha256.New, Responder, [32]byte{})
	var received secretIDs
	var found shared
	dudect.Constant(t, dudect.Case{
		Name: "secret IDs", Samples: 20_000, Repeat: 50,
		Prepare: func(class int) {
			received = expected
			for _, id := range []*[8]byte{&received.rs1, &received.rs2, &received.aux, &received.pbx} {
				id[7*class]++
			}
		},
		Run: func() { found = r.match(Initiator, expected, received) },
	})
	if found != (shared{}) {
		t.Error("found what is not shared")
	}
}
