//go:build consttime

package zrtp

import (
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"sotto/internal/dudect"
	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

// The time may not tell how close a guess came: the classes differ in which byte
// of a MAC or an ID is wrong. For MACs it may not tell either whether one is.
// Which secrets are shared shows anyway: s0 is then a hash of more bytes
// (RFC 6189 §4.4.1.4).

func TestConstantTimeMAC(t *testing.T) {
	key := [32]byte{1}
	right := appendMAC(make([]byte, 100), key)
	msg := make([]byte, len(right))
	forge := func(first, second int) func(int) {
		return func(class int) {
			copy(msg, right)
			if at := []int{first, second}[class]; at < macLen {
				msg[len(msg)-macLen+at]++
			}
		}
	}
	c := dudect.Case{Name: "checkMAC, first or last byte", Samples: 20_000, Repeat: 4, Prepare: forge(0, macLen-1)}
	c.Run = func() { _ = checkMAC(msg, key) }
	dudect.Constant(t, c)
	c.Name, c.Prepare = "checkMAC, wrong or right", forge(0, macLen)
	dudect.Constant(t, c)

	s := &Session{role: Initiator, suite: Suite{Hash: wire.A("S256")}, keys: &sessionKeys{}}
	s.keys.mac[side(Responder)] = secret.Copy(key[:])
	body := make([]byte, 40)
	tag := [macLen]byte(mac(sha256.New, key[:], body))
	sent := tag
	forged := func(first, second int) func(int) {
		return func(class int) {
			sent = tag
			if at := []int{first, second}[class]; at < macLen {
				sent[at]++
			}
		}
	}
	c = dudect.Case{Name: "Confirm's MAC, first or last byte", Samples: 20_000, Repeat: 4, Prepare: forged(0, macLen-1)}
	c.Run = func() { s.authentic(sent, body) }
	dudect.Constant(t, c)
	c.Name, c.Prepare = "Confirm's MAC, wrong or right", forged(0, macLen)
	dudect.Constant(t, c)
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
		Name: "secret IDs, first or last byte", Samples: 20_000, Repeat: 50,
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
