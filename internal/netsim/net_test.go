package netsim_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sotto/internal/netsim"
)

var (
	alice = netip.MustParseAddrPort("192.0.2.1:5004")
	bob   = netip.MustParseAddrPort("192.0.2.2:5004")
)

func listen(t *testing.T, n *netsim.Net, addr netip.AddrPort) *netsim.Conn {
	t.Helper()
	c, err := n.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, c *netsim.Conn, to netip.AddrPort, b []byte) {
	t.Helper()
	if n, err := c.WriteToUDPAddrPort(b, to); n != len(b) || err != nil {
		t.Fatalf("wrote %d of %d: %v", n, len(b), err)
	}
}

func read(t *testing.T, c *netsim.Conn) (string, netip.AddrPort) {
	t.Helper()
	b := make([]byte, 100)
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n]), from
}

func TestNetCarries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netsim.NewNet(netsim.Config{Delay: 50 * time.Millisecond})
		var tapped []string
		n.Tap = func(from, to netip.AddrPort, b []byte) {
			tapped = append(tapped, fmt.Sprintf("%v>%v %s", from, to, b))
		}
		a, b := listen(t, n, alice), listen(t, n, bob)
		start := time.Now()
		go func() {
			got, from := read(t, b)
			write(t, b, from, []byte("re: "+got))
		}()
		hello := []byte("hello")
		write(t, a, bob, hello)
		clear(hello)
		got, from := read(t, a)
		if got != "re: hello" || from != bob {
			t.Errorf("got %q from %v", got, from)
		}
		if took := time.Since(start); took != 100*time.Millisecond {
			t.Errorf("there and back took %v", took)
		}
		want := []string{"192.0.2.1:5004>192.0.2.2:5004 hello", "192.0.2.2:5004>192.0.2.1:5004 re: hello"}
		if !slices.Equal(tapped, want) {
			t.Errorf("tapped %q", tapped)
		}
	})
}

// TestNetUDPManners checks what a caller of a real socket may rely on.
func TestNetUDPManners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netsim.NewNet(netsim.Config{})
		a, b := listen(t, n, alice), listen(t, n, bob)

		write(t, a, bob, []byte("truncated"))
		write(t, a, netip.MustParseAddrPort("[::ffff:192.0.2.2]:5004"), nil)
		write(t, a, netip.MustParseAddrPort("192.0.2.9:9"), []byte("nobody"))
		short := make([]byte, 5)
		if got, from, err := b.ReadFromUDPAddrPort(short); got != 5 || from != alice || err != nil || string(short) != "trunc" {
			t.Errorf("%d %v %v %q", got, from, err, short)
		}
		if got, _ := read(t, b); got != "" {
			t.Errorf("got %q, want the empty datagram", got)
		}
		if _, err := a.WriteToUDPAddrPort(make([]byte, 65508), bob); !errors.Is(err, syscall.EMSGSIZE) {
			t.Errorf("oversized: %v", err)
		}
		if _, err := a.WriteToUDPAddrPort(nil, netip.AddrPort{}); err == nil {
			t.Error("wrote to nowhere")
		}
		if got := a.LocalAddr().String(); got != alice.String() {
			t.Errorf("local address %s", got)
		}
	})
}

func TestNetListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netsim.NewNet(netsim.Config{})
		a := listen(t, n, alice)
		if _, err := n.Listen(alice); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("port in use: %v", err)
		}
		for _, addr := range []string{"0.0.0.0:5004", "[::]:5004"} {
			if _, err := n.Listen(netip.MustParseAddrPort(addr)); !errors.Is(err, syscall.EADDRNOTAVAIL) {
				t.Errorf("%s: %v", addr, err)
			}
		}
		x := listen(t, n, netip.AddrPortFrom(alice.Addr(), 0))
		y := listen(t, n, netip.AddrPortFrom(alice.Addr(), 0))
		if x.LocalAddr().String() == y.LocalAddr().String() {
			t.Error("one free port given twice")
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		listen(t, n, alice) // its address is free again
	})
}

func TestNetDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netsim.NewNet(netsim.Config{Delay: time.Second})
		a, b := listen(t, n, alice), listen(t, n, bob)
		start := time.Now()
		expect := func(at time.Duration) {
			t.Helper()
			_, _, err := b.ReadFromUDPAddrPort(make([]byte, 9))
			var timeout net.Error
			if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Fatalf("got %v", err)
			}
			if took := time.Since(start); took != at {
				t.Fatalf("ended after %v, want %v", took, at)
			}
		}
		deadline := func(at time.Duration) {
			t.Helper()
			if err := b.SetReadDeadline(start.Add(at)); err != nil {
				t.Fatal(err)
			}
		}
		deadline(300 * time.Millisecond)
		expect(300 * time.Millisecond) // with nothing on the way
		write(t, a, bob, []byte("late"))
		deadline(400 * time.Millisecond)
		expect(400 * time.Millisecond) // before the datagram arrives
		expect(400 * time.Millisecond) // and at once when it has passed

		// A deadline that comes while the read waits ends it too.
		deadline(time.Hour)
		time.AfterFunc(100*time.Millisecond, func() { deadline(600 * time.Millisecond) })
		expect(600 * time.Millisecond)

		if err := b.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if got, _ := read(t, b); got != "late" || time.Since(start) != 1300*time.Millisecond {
			t.Fatalf("got %q after %v", got, time.Since(start))
		}
	})
}

func TestNetClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netsim.NewNet(netsim.Config{Delay: time.Millisecond})
		a, b := listen(t, n, alice), listen(t, n, bob)
		var readers sync.WaitGroup
		for range 3 {
			readers.Go(func() {
				if _, _, err := b.ReadFromUDPAddrPort(make([]byte, 9)); !errors.Is(err, net.ErrClosed) {
					t.Errorf("read: %v", err)
				}
			})
		}
		synctest.Wait()
		write(t, a, bob, []byte("lost"))
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		readers.Wait()
		if _, err := b.WriteToUDPAddrPort(nil, alice); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write: %v", err)
		}
		if err := b.SetReadDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("deadline: %v", err)
		}
		if err := b.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second close: %v", err)
		}
		// The next one on that address starts with nothing.
		b = listen(t, n, bob)
		if err := b.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.ReadFromUDPAddrPort(make([]byte, 9)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a datagram for the one before: %v", err)
		}
	})
}

// collect sends count datagrams from alice to bob, one a millisecond, beside
// noise from elsewhere, and gives what arrives with its times.
func collect(t *testing.T, cfg netsim.Config, count, noise int) []string {
	var got []string
	synctest.Test(t, func(t *testing.T) {
		n := netsim.NewNet(cfg)
		a, b := listen(t, n, alice), listen(t, n, bob)
		c := listen(t, n, netip.MustParseAddrPort("192.0.2.3:5004"))
		start := time.Now()
		if err := b.SetReadDeadline(start.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		go func() {
			for i := range count {
				write(t, a, bob, binary.BigEndian.AppendUint32(nil, uint32(i)))
				for range noise {
					write(t, c, bob, []byte("noise"))
				}
				<-time.After(time.Millisecond) // virtual
			}
		}()
		for {
			buf := make([]byte, 9)
			m, from, err := b.ReadFromUDPAddrPort(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if from == alice {
				got = append(got, fmt.Sprintf("%v %x", time.Since(start), buf[:m]))
			}
		}
	})
	return got
}

func TestNetDeterministic(t *testing.T) {
	quiet := collect(t, bad, 300, 0)
	if !slices.Equal(quiet, collect(t, bad, 300, 0)) {
		t.Error("one seed, two runs")
	}
	if !slices.Equal(quiet, collect(t, bad, 300, 3)) {
		t.Error("one path's traffic changed another's fate")
	}
	other := bad
	other.Seed++
	if slices.Equal(quiet, collect(t, other, 300, 0)) {
		t.Error("two seeds, one run")
	}
	if want := 300 * 0.8 * 1.2; math.Abs(float64(len(quiet))-want) > 40 {
		t.Errorf("%d arrived, want about %v", len(quiet), want)
	}
}
