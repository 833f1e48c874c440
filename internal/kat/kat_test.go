package kat

import (
	"bytes"
	"testing"
)

// TestHandshakes checks what the recordings promise, so that a test built on
// them can't pass for lack of data.
func TestHandshakes(t *testing.T) {
	names := map[string]bool{}
	var previous Handshake
	for _, h := range Handshakes() {
		names[h.Name] = true
		hashLen := map[string]int{"sha256": 32, "sha384": 48}[h.Hash]
		for field, b := range map[string]Hex{"TotalHash": h.TotalHash, "S0": h.S0, "ZRTPSess": h.ZRTPSess,
			"MACKeyI": h.MACKeyI, "MACKeyR": h.MACKeyR, "ExportedKey": h.ExportedKey} {
			if len(b) != hashLen || hashLen == 0 {
				t.Errorf("%s: %s has %d bytes, %s has %d", h.Name, field, len(b), h.Hash, hashLen)
			}
		}
		for field, b := range map[string]Hex{"H0I": h.H0I, "H0R": h.H0R, "SASHash": h.SASHash, "RetainedSecret": h.RetainedSecret} {
			if len(b) != 32 {
				t.Errorf("%s: %s has %d bytes", h.Name, field, len(b))
			}
		}
		if !bytes.HasPrefix(h.ConfirmIPlain, h.H0I) || !bytes.HasPrefix(h.ConfirmRPlain, h.H0R) {
			t.Errorf("%s: the Confirms don't begin with H0", h.Name)
		}
		if h.RoleA != "initiator" && h.RoleA != "responder" || h.SAS == "" {
			t.Errorf("%s: role %q, SAS %q", h.Name, h.RoleA, h.SAS)
		}
		if len(h.PacketsA) < 5 || len(h.PacketsB) < 5 {
			t.Errorf("%s: %d and %d packets", h.Name, len(h.PacketsA), len(h.PacketsB))
		}
		if h.Name == "x255_cache2_retained" && !bytes.Equal(h.S1, previous.RetainedSecret) {
			t.Error("x255_cache2_retained does not go on from the handshake before it")
		}
		if (h.Stream2 != nil) != (h.Name == "x255_2streams") {
			t.Errorf("%s: second stream %v", h.Name, h.Stream2)
		}
		if s := h.Stream2; s != nil && (len(s.TotalHash) != hashLen || len(s.S0) != hashLen || len(s.SRTPKeyI) != 16) {
			t.Errorf("%s: in the second stream TotalHash has %d bytes, S0 %d, SRTPKeyI %d", h.Name, len(s.TotalHash), len(s.S0), len(s.SRTPKeyI))
		}
		previous = h
	}
	if len(names) != handshakeCount {
		t.Errorf("%d different names", len(names))
	}
}

// TestKEMHandshakes checks the same of those in KEM mode.
func TestKEMHandshakes(t *testing.T) {
	names := map[string]bool{}
	fragments := 0
	for _, h := range KEMHandshakes() {
		names[h.KeyAgreement] = true
		hashLen := map[string]int{"sha256": 32, "sha512": 64}[h.Hash]
		if len(h.TotalHash) != hashLen || len(h.S0) != hashLen || len(h.SASHash) != 32 || hashLen == 0 {
			t.Errorf("%s: TotalHash has %d bytes, S0 %d, SASHash %d; %s has %d",
				h.Name, len(h.TotalHash), len(h.S0), len(h.SASHash), h.Hash, hashLen)
		}
		if h.RoleA != "initiator" && h.RoleA != "responder" || len(h.SAS) != 4 {
			t.Errorf("%s: role %q, SAS %q", h.Name, h.RoleA, h.SAS)
		}
		initiator, responder := h.PacketsA, h.PacketsB
		if h.RoleA == "responder" {
			initiator, responder = responder, initiator
		}
		if !sent(initiator, h.PublicKey) || !sent(responder, h.Ciphertext) {
			t.Errorf("%s: the public key or the ciphertext was never sent", h.Name)
		}
		for _, p := range append(h.PacketsA, h.PacketsB...) {
			if p[0] == 0x11 {
				fragments++
			}
		}
	}
	for _, name := range []string{"K255", "X1M1", "X3M3"} {
		if !names[name] {
			t.Errorf("no handshake with %s", name)
		}
	}
	if fragments == 0 {
		t.Error("no packet is a fragment")
	}
}

// TestOrder checks that the packets of each side are those of one stream, none
// missing, and that the responder is who acknowledges at the end.
func TestOrder(t *testing.T) {
	check := func(name, roleA string, a, b []Hex) {
		responder := a
		if roleA == "initiator" {
			responder = b
		}
		if last := responder[len(responder)-1]; !bytes.Equal(last[16:24], []byte("Conf2ACK")) {
			t.Errorf("%s: the responder ends with %q", name, last[16:24])
		}
		for _, packets := range [][]Hex{a, b} {
			for i, p := range packets {
				first := packets[0]
				if !bytes.Equal(p[8:12], first[8:12]) || int(p[2])<<8|int(p[3]) != i+(int(first[2])<<8|int(first[3])) {
					t.Errorf("%s: packet %d has SSRC %x and sequence number %x after %x", name, i, p[8:12], p[2:4], first[2:4])
				}
			}
		}
	}
	for _, h := range Handshakes() {
		check(h.Name, h.RoleA, h.PacketsA, h.PacketsB)
		if s := h.Stream2; s != nil {
			check(h.Name+" second stream", h.RoleA, s.PacketsA, s.PacketsB)
		}
	}
	for _, h := range KEMHandshakes() {
		check(h.Name, h.RoleA, h.PacketsA, h.PacketsB)
	}
}

// sent reports whether the packets carried value, the fragments put together.
func sent(packets []Hex, value []byte) bool {
	const head, fragmentHead, crc = 12, 20, 4
	var all []byte
	for _, p := range packets {
		skip := head
		if p[0] == 0x11 {
			skip = fragmentHead
		}
		all = append(all, p[skip:len(p)-crc]...)
	}
	return len(value) > 0 && bytes.Contains(all, value)
}
