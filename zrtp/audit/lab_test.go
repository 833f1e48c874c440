package audit

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"sotto/internal/kat"
	"sotto/zrtp/wire"
)

var (
	addressA = netip.MustParseAddrPort("127.0.0.1:5004")
	addressB = netip.MustParseAddrPort("127.0.0.1:5006")
)

// packet is one datagram of a recording.
type packet struct {
	fromA   bool
	payload []byte
}

func (p packet) typ() wire.Type { return wire.Type(p.payload[16:24]) }

// recorded is a handshake in an order in which it can have been seen: the
// recordings have each side's packets apart.
func recorded(t testing.TB, name string) ([]packet, kat.Handshake) {
	t.Helper()
	for _, h := range kat.Handshakes() {
		if h.Name == name {
			return inOrder(h), h
		}
	}
	t.Fatalf("there is no recording %s", name)
	return nil, kat.Handshake{}
}

func inOrder(h kat.Handshake) []packet {
	var all []packet
	add := func(fromA bool, sent []kat.Hex) {
		for _, b := range sent {
			all = append(all, packet{fromA, bytes.Clone(b)})
		}
	}
	add(true, h.PacketsA)
	add(false, h.PacketsB)
	if s := h.Stream2; s != nil {
		add(true, s.PacketsA)
		add(false, s.PacketsB)
	}
	order := []wire.Type{wire.TypeHello, wire.TypeHelloACK, wire.TypeCommit, wire.TypeDHPart1, wire.TypeDHPart2,
		wire.TypeConfirm1, wire.TypeConfirm2, wire.TypeConf2ACK}
	slices.SortStableFunc(all, func(p, q packet) int {
		return cmp.Or(
			cmp.Compare(p.payload[11], q.payload[11]), // the last byte of the SSRC tells the stream
			cmp.Compare(slices.Index(order, p.typ()), slices.Index(order, q.typ())))
	})
	return all
}

// play shows packets to an Auditor, numbered from 1.
func play(t testing.TB, a *Auditor, packets []packet) []*Message {
	t.Helper()
	var all []*Message
	for i, p := range packets {
		d := Datagram{Number: i + 1, From: addressA, To: addressB, Payload: p.payload}
		if !p.fromA {
			d.From, d.To = d.To, d.From
		}
		m, err := a.Add(d)
		if err != nil || m == nil {
			t.Fatalf("packet %d: %v, %v", i+1, m, err)
		}
		all = append(all, m)
	}
	return all
}

// faults are all faults, each after its message's type.
func faults(all []*Message) []string {
	var found []string
	for _, m := range all {
		for _, f := range m.Faults {
			found = append(found, m.Type+": "+f)
		}
	}
	return found
}

func wantNoFault(t *testing.T, all []*Message) {
	t.Helper()
	for _, f := range faults(all) {
		t.Error(f)
	}
}

// wantFault fails unless the message of that number alone has a fault, with
// that text in it.
func wantFault(t *testing.T, all []*Message, number int, text string) {
	t.Helper()
	for i, m := range all {
		if got := strings.Join(m.Faults, "; "); i+1 != number && got != "" || i+1 == number && !strings.Contains(got, text) {
			t.Errorf("%d %s: faults %q, want %q in %d", i+1, m.Type, got, text, number)
		}
	}
}

// find is the index of the first packet of a type from one side, either one if
// the type has only one sender.
func find(t testing.TB, packets []packet, typ wire.Type, fromA bool) int {
	t.Helper()
	i := slices.IndexFunc(packets, func(p packet) bool { return p.typ() == typ && p.fromA == fromA })
	if i < 0 {
		t.Fatalf("no %s from A: %t", typ, fromA)
	}
	return i
}

// message is the part of a packet that change may change.
func (p packet) message() []byte { return p.payload[12 : len(p.payload)-4] }

// seal sets the packet's checksum right.
func (p *packet) seal(t testing.TB, message []byte) {
	t.Helper()
	p.payload = wire.AppendPacket(nil, wire.Packet{
		Seq:  binary.BigEndian.Uint16(p.payload[2:]),
		SSRC: binary.BigEndian.Uint32(p.payload[8:]), Message: bytes.Clone(message),
	})
}

// change changes one message in place, checksum included.
func change(t testing.TB, packets []packet, i int, f func(message []byte)) {
	t.Helper()
	message := bytes.Clone(packets[i].message())
	f(message)
	packets[i].seal(t, message)
}

// flip is a change of one bit, at an offset from the end if it is negative.
func flip(at int) func([]byte) {
	return func(message []byte) {
		if at < 0 {
			at += len(message)
		}
		message[at] ^= 1
	}
}

// image is H1, H2 or H3 of a chain.
func image(h0 []byte, step int) []byte {
	for range step {
		h := sha256.Sum256(h0)
		h0 = h[:]
	}
	return h0
}

// remac is a change with the MAC put right, as only the sender itself can.
func remac(key []byte, f func([]byte)) func([]byte) {
	return func(message []byte) {
		f(message)
		end := len(message) - wire.MACLen
		mac := hmac.New(sha256.New, key)
		mac.Write(message[:end])
		copy(message[end:], mac.Sum(nil))
	}
}
