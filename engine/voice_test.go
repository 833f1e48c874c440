package engine

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"sotto/media"
	"sotto/zrtp"
)

// The peer may put RTCP on the port of RTP in mid-call, or take it off again: it
// gets our reports there, and its own are read on either port.
func TestRTCPChangesItsPort(t *testing.T) {
	l := playing(t, Config{AllowInsecure: true})
	l.onKeys(zrtp.NoPeer{}) // clear voice, as the test reads what is reported
	reports := l.voice.flow.Load().reports
	var peer [2]*net.UDPConn
	var at [2]netip.AddrPort
	for i := range peer {
		var err error
		if peer[i], err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			t.Fatal(err)
		}
		defer peer[i].Close()
		if err := peer[i].SetReadDeadline(time.Now().Add(limit)); err != nil {
			t.Fatal(err)
		}
		at[i] = peer[i].LocalAddr().(*net.UDPAddr).AddrPort()
	}
	for i, mux := range []bool{false, true, false} {
		a := l.agreed
		a.Remote, a.RemoteRTCP, a.Mux = at[0], at[1], mux
		from, to := portOf(l.voice.sockets.rtcp), peer[1]
		if mux {
			a.RemoteRTCP, from, to = at[0], portOf(l.voice.sockets.rtp), peer[0]
		}
		l.follow(a)
		if err := reports.Report(time.Now()); err != nil {
			t.Fatal(err)
		}
		pkt, sender := readRTCP(t, to)
		if sender.Port() != from {
			t.Errorf("mux %v: our report comes from port %d, want %d", mux, sender.Port(), from)
		}
		l.voice.onMedia(time.Now(), append([]byte(nil), pkt...))
		l.voice.onReport(time.Now(), pkt)
		if n := reports.Stats().ReportsReceived; n != uint64(2*(i+1)) {
			t.Errorf("mux %v: %d reports were read, want %d", mux, n, 2*(i+1))
		}
	}
}

// readRTCP is the next packet of RTCP at conn, and where it comes from.
func readRTCP(t *testing.T, conn *net.UDPConn) ([]byte, netip.AddrPort) {
	t.Helper()
	buf := make([]byte, 2048)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			t.Fatal(err)
		}
		if media.Classify(buf[:n]) == media.KindRTCP {
			return buf[:n], from
		}
	}
}
