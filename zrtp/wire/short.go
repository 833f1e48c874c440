package wire

import (
	"encoding/binary"
	"fmt"
)

// ParseACK reads a message of which MessageType says everything: HelloACK, Conf2ACK, ErrorACK,
// ClearACK or RelayACK (RFC 6189 §5.3, RFC 6189 §5.8, RFC 6189 §5.10,
// RFC 6189 §5.12, RFC 6189 §5.14). It returns which.
func ParseACK(msg []byte) (Type, error) {
	t, err := MessageType(msg)
	if err != nil {
		return Type{}, err
	}
	if !isACK(t) {
		return Type{}, fmt.Errorf("%w: %q is no acknowledgement", ErrMalformed, t)
	}
	return t, nil
}

// AppendACK appends an acknowledgement of one of ParseACK's types to dst.
func AppendACK(dst []byte, t Type) []byte {
	if !isACK(t) {
		panic(fmt.Sprintf("wire: %q is no acknowledgement", t))
	}
	return appendMessage(dst, t, nil)
}

func isACK(t Type) bool {
	switch t {
	case TypeHelloACK, TypeConf2ACK, TypeErrorACK, TypeClearACK, TypeRelayACK:
		return true
	}
	return false
}

// GoClear asks to return to clear RTP (RFC 6189 §5.11).
type GoClear struct{ ClearMAC [MACLen]byte }

// ParseGoClear reads a GoClear.
func ParseGoClear(msg []byte) (GoClear, error) {
	var g GoClear
	err := parseMessage(msg, TypeGoClear, [][]byte{g.ClearMAC[:]})
	return g, err
}

// Append appends the message to dst.
func (g *GoClear) Append(dst []byte) []byte {
	return appendMessage(dst, TypeGoClear, [][]byte{g.ClearMAC[:]})
}

// Ping is how a proxy finds ZRTP endpoints (RFC 6189 §5.15).
type Ping struct {
	Version      [4]byte
	EndpointHash [8]byte
}

func (p *Ping) fields() [][]byte { return [][]byte{p.Version[:], p.EndpointHash[:]} }

// ParsePing reads a Ping.
func ParsePing(msg []byte) (Ping, error) {
	var p Ping
	err := parseMessage(msg, TypePing, p.fields())
	return p, err
}

// Append appends the message to dst.
func (p *Ping) Append(dst []byte) []byte { return appendMessage(dst, TypePing, p.fields()) }

// PingACK answers a Ping (RFC 6189 §5.16).
type PingACK struct {
	Version          [4]byte
	EndpointHash     [8]byte // of the sender
	PeerEndpointHash [8]byte // from the Ping
	PeerSSRC         uint32  // from the Ping's packet
}

func (p *PingACK) fields(ssrc *[4]byte) [][]byte {
	return [][]byte{p.Version[:], p.EndpointHash[:], p.PeerEndpointHash[:], ssrc[:]}
}

// ParsePingACK reads a PingACK.
func ParsePingACK(msg []byte) (PingACK, error) {
	var p PingACK
	var ssrc [4]byte
	err := parseMessage(msg, TypePingACK, p.fields(&ssrc))
	p.PeerSSRC = binary.BigEndian.Uint32(ssrc[:])
	return p, err
}

// Append appends the message to dst.
func (p *PingACK) Append(dst []byte) []byte {
	var ssrc [4]byte
	binary.BigEndian.PutUint32(ssrc[:], p.PeerSSRC)
	return appendMessage(dst, TypePingACK, p.fields(&ssrc))
}
