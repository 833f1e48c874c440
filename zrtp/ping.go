package zrtp

import (
	"crypto/sha256"

	"sotto/zrtp/wire"
)

// onPing answers a proxy that looks for ZRTP endpoints (RFC 6189 §5.16). It
// may carry any SSRC and touches nothing of the handshake.
func (s *Session) onPing(p wire.Packet) error {
	ping, err := wire.ParsePing(p.Message)
	if err != nil {
		return err
	}
	if s.state < Discovery || s.state >= ErrorSent {
		return errUnexpected
	}
	sum := sha256.Sum256(s.cfg.ZID[:])
	ack := wire.PingACK{
		Version: version, EndpointHash: [8]byte(sum[:8]),
		PeerEndpointHash: ping.EndpointHash, PeerSSRC: p.SSRC,
	}
	s.send(ack.Append(nil))
	return nil
}
