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
		previous = h
	}
	if len(names) != handshakeCount {
		t.Errorf("%d different names", len(names))
	}
}
