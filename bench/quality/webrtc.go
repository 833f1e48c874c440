package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"net/netip"
	"strings"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"

	"sotto/media/protect"
)

// webrtc is our end of a WebRTC call over loopback, as little of it as a stream of
// packets needs that were made beforehand: it answers the checks of the other
// end's ICE, is the server of its DTLS-SRTP, and sends.
type webrtc struct {
	conn     *net.UDPConn
	fragment string // ICE's
	password string
	identity tls.Certificate
	peer     chan netip.AddrPort // of the first check
	// The DTLS server has a socket of its own, to which near hands what is DTLS.
	dtls, near *net.UDPConn
}

func newWebRTC() (w *webrtc, err error) {
	w = &webrtc{fragment: rand.Text()[:8], password: rand.Text(), peer: make(chan netip.AddrPort, 1)}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.identity, err = selfsign.GenerateSelfSigned(); err != nil {
		return nil, err
	}
	loopback := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
	if w.conn, err = net.ListenUDP("udp4", loopback); err != nil {
		return nil, err
	}
	if w.dtls, err = net.ListenUDP("udp4", loopback); err != nil {
		return nil, err
	}
	w.near, err = net.DialUDP("udp4", nil, w.dtls.LocalAddr().(*net.UDPAddr))
	return w, err
}

// close ends its goroutines, too.
func (w *webrtc) close() {
	for _, c := range []*net.UDPConn{w.conn, w.dtls, w.near} {
		if c != nil {
			_ = c.Close() // nothing is lost
		}
	}
}

// answer is the SDP that answers an offer to receive audio only.
func (w *webrtc) answer() string {
	print := sha256.Sum256(w.identity.Certificate[0])
	var pairs []string
	for _, b := range print {
		pairs = append(pairs, fmt.Sprintf("%02X", b))
	}
	port := w.conn.LocalAddr().(*net.UDPAddr).Port
	return strings.Join([]string{
		"v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0", "a=ice-lite",
		fmt.Sprintf("m=audio %d UDP/TLS/RTP/SAVPF %d", port, payloadType),
		"c=IN IP4 127.0.0.1", "a=mid:0", "a=sendonly", "a=rtcp-mux", "a=setup:passive",
		"a=ice-ufrag:" + w.fragment, "a=ice-pwd:" + w.password,
		"a=fingerprint:sha-256 " + strings.Join(pairs, ":"),
		fmt.Sprintf("a=rtpmap:%d opus/48000/2", payloadType),
		fmt.Sprintf("a=fmtp:%d minptime=10;useinbandfec=1", payloadType),
		"a=msid:speech speech", fmt.Sprintf("a=ssrc:%d cname:speech", ssrc),
		fmt.Sprintf("a=candidate:1 1 udp 2130706431 127.0.0.1 %d typ host", port), "a=end-of-candidates", "",
	}, "\r\n")
}

// connect waits for the other end and agrees the keys with it. The goroutines end
// with close.
func (w *webrtc) connect(ctx context.Context) (*protect.Sealer, netip.AddrPort, error) {
	go w.read()
	var peer netip.AddrPort
	select {
	case peer = <-w.peer:
	case <-ctx.Done():
		return nil, peer, fmt.Errorf("libwebrtc does not connect: %w", ctx.Err())
	}
	go w.forward(peer)
	server, err := dtls.ServerWithOptions(w.dtls, w.near.LocalAddr(),
		dtls.WithCertificates(w.identity), dtls.WithSRTPProtectionProfiles(dtls.SRTP_AES128_CM_HMAC_SHA1_80))
	if err != nil {
		return nil, peer, err
	}
	if err = server.HandshakeContext(ctx); err != nil {
		return nil, peer, err
	}
	state, ok := server.ConnectionState()
	if !ok {
		return nil, peer, errors.New("no state of DTLS")
	}
	// As DTLS-SRTP has them: the client's key, ours, the client's salt, ours.
	const key, salt = 16, 14
	material, err := state.ExportKeyingMaterial("EXTRACTOR-dtls_srtp", nil, 2*(key+salt))
	if err != nil {
		return nil, peer, err
	}
	sealer, err := protect.NewSealer(protect.AESCM128HMACSHA1_80, material[key:2*key], material[2*key+salt:])
	return sealer, peer, err
}

// read takes what arrives until the socket is closed. What a packet is, its first
// byte says; RTCP is of no interest.
func (w *webrtc) read() {
	var b [1500]byte
	for {
		n, from, err := w.conn.ReadFromUDPAddrPort(b[:])
		switch {
		case err != nil:
			return
		case n > 0 && b[0] >= 20 && b[0] < 64:
			_, _ = w.near.Write(b[:n]) // DTLS repeats what is lost
		case n >= 20 && b[0] == 0 && b[1] == 1:
			_, _ = w.conn.WriteToUDPAddrPort(w.agree(b[:n], from), from) // and so does ICE
			select {
			case w.peer <- from:
			default:
			}
		}
	}
}

// forward sends what the DTLS server says, until that or the socket is closed.
func (w *webrtc) forward(peer netip.AddrPort) {
	var b [1500]byte
	for {
		n, err := w.near.Read(b[:])
		if err != nil { // the server has ended
			return
		}
		_, _ = w.conn.WriteToUDPAddrPort(b[:n], peer) // DTLS repeats what is lost
	}
}

// agree is the answer to a check, which is a Binding request of STUN.
func (w *webrtc) agree(request []byte, from netip.AddrPort) []byte {
	const cookie = 0x2112A442
	b := []byte{1, 1, 0, 0}
	b = append(b, request[4:20]...)                    // cookie and transaction
	b = binary.BigEndian.AppendUint32(b, 0x0020<<16|8) // XOR-MAPPED-ADDRESS
	b = binary.BigEndian.AppendUint16(b, 1)            // IPv4
	b = binary.BigEndian.AppendUint16(b, from.Port()^cookie>>16)
	ip := from.Addr().Unmap().As4()
	b = binary.BigEndian.AppendUint32(b, binary.BigEndian.Uint32(ip[:])^cookie)

	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-20+24))
	mac := hmac.New(sha1.New, []byte(w.password))
	mac.Write(b)
	b = binary.BigEndian.AppendUint32(b, 0x0008<<16|20) // MESSAGE-INTEGRITY
	b = mac.Sum(b)

	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-20+8))
	sum := crc32.ChecksumIEEE(b) ^ 0x5354554e
	b = binary.BigEndian.AppendUint32(b, 0x8028<<16|4) // FINGERPRINT
	return binary.BigEndian.AppendUint32(b, sum)
}
