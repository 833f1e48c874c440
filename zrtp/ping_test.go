package zrtp

import (
	"testing"

	"sotto/zrtp/wire"
)

// A Ping is answered whatever the handshake does, and changes nothing of it.
func TestPing(t *testing.T) {
	ping := wire.Ping{Version: version, EndpointHash: [8]byte{1, 2, 3}}
	pkt := wire.AppendPacket(nil, wire.Packet{Seq: 1, SSRC: 0x99, Message: ping.Append(nil)})
	for state := Idle; state <= Closed; state++ {
		s := sessionIn(t, state)
		err := s.HandlePacket(epoch, pkt)
		answered := state >= Discovery && state < ErrorSent
		if (err == nil) != answered || s.State() != state || s.NextEvent() != nil {
			t.Errorf("in %s: %v, now in %s", state, err, s.State())
		}
		if !answered {
			continue
		}
		if len(s.out) != 1 {
			t.Fatalf("in %s: %d answers", state, len(s.out))
		}
		ack, err := wire.ParsePingACK(s.out[0].msg)
		if err != nil || ack.PeerEndpointHash != ping.EndpointHash || ack.PeerSSRC != 0x99 || ack.EndpointHash == [8]byte{} {
			t.Errorf("in %s: %+v, %v", state, ack, err)
		}
	}
}
