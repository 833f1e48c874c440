package audit

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"sotto/internal/kat"
	"sotto/zrtp/wire"
)

// What another implementation said is without fault, and everything that can
// be checked has been.
func TestRecorded(t *testing.T) {
	for _, h := range kat.Handshakes() {
		t.Run(h.Name, func(t *testing.T) {
			a := New()
			all := play(t, a, inOrder(h))
			wantNoFault(t, all)
			sums := a.Summaries()
			want := 1
			if h.Stream2 != nil {
				want = 2
			}
			if len(sums) != want {
				t.Fatalf("%d streams, want %d", len(sums), want)
			}
			initiator := map[string]string{"initiator": "A", "responder": "B"}[h.RoleA]
			for i, s := range sums {
				if s.Outcome != Complete || s.Initiator != initiator || s.Stream != i+1 || s.Repeats != 0 || len(s.Sides) != 2 {
					t.Errorf("%+v, want initiator %s", s, initiator)
				}
			}
			if sums[0].Unchecked != nil {
				t.Errorf("not checked: %v", sums[0].Unchecked)
			}
			part2 := all[slices.IndexFunc(all, func(m *Message) bool { return m.Type == "DHPart2" })]
			if got := strings.Join(part2.Passed, "; "); !strings.Contains(got, "H1 fits H2") || !strings.Contains(got, "MAC of") || !strings.Contains(got, "hvi of") {
				t.Errorf("DHPart2: %s", got)
			}
		})
	}
}

// In a Multistream exchange H1 is not revealed, and that is told.
func TestMultistream(t *testing.T) {
	packets, _ := recorded(t, "x255_2streams")
	a := New()
	play(t, a, packets)
	second := a.Summaries()[1]
	if second.Suite != "Mult S256 AES1 HS32 B32" || !slices.Equal(second.Unchecked, []string{"MAC of A's Commit", "MAC of B's Commit"}) {
		t.Errorf("%+v", second)
	}
}

// Both sides of every recording commit.
func TestContention(t *testing.T) {
	packets, h := recorded(t, "x255")
	all := play(t, New(), packets)
	second := find(t, packets, wire.TypeCommit, false)
	if got := strings.Join(all[second].Notes, ""); got != "both sides commit: A's wins, its hvi is higher" {
		t.Errorf("%q", got)
	}
	// With a higher hvi the other side would have won, and may not answer.
	change(t, packets, second, remac(image(h.H0R, 1), func(m []byte) { m[76] = 0xff }))
	all = play(t, New(), packets)
	if got := strings.Join(all[second].Notes, ""); got != "both sides commit: B's wins, its hvi is higher" {
		t.Errorf("%q", got)
	}
	if got := all[find(t, packets, wire.TypeDHPart1, false)].Faults; !slices.Equal(got, []string{"B sends it, but B is the initiator"}) {
		t.Errorf("%q", got)
	}
}

// The rules of RFC 6189 §4.2, one by one.
func TestContend(t *testing.T) {
	side := func(agreement string, value byte, pbx bool) *sender {
		s := &sender{choice: wire.Commit{KeyAgreement: wire.A(agreement)}, greeting: wire.Hello{MiTM: pbx}}
		if isDH(s.choice.KeyAgreement) {
			s.choice.HVI[0] = value
		} else {
			s.choice.Nonce[0] = value
		}
		return s
	}
	for _, c := range []struct {
		a, b *sender
		want string
	}{
		{side("X255", 2, false), side("DH3k", 1, false), "a"},
		{side("X255", 1, false), side("DH3k", 2, false), "b"},
		{side("X255", 1, false), side("X255", 1, false), ""},
		{side("X255", 1, false), side("Prsh", 2, false), "a"},
		{side("Prsh", 2, false), side("X255", 1, false), "b"},
		{side("Prsh", 2, false), side("Prsh", 1, false), "a"},
		{side("Prsh", 2, true), side("Prsh", 1, false), "b"},
		{side("Prsh", 1, false), side("Prsh", 2, true), "a"},
		{side("Mult", 1, false), side("Mult", 2, false), "b"},
		{side("Mult", 1, true), side("Mult", 1, false), ""},
		{side("Mult", 2, false), side("X255", 1, false), ""},
		{side("Prsh", 2, false), side("Mult", 1, false), ""},
	} {
		winner, why := contend(c.a, c.b)
		if got := map[*sender]string{c.a: "a", c.b: "b", nil: ""}[winner]; got != c.want || why == "" {
			t.Errorf("%s against %s: %q (%s), want %q", c.a.choice.KeyAgreement, c.b.choice.KeyAgreement, got, why, c.want)
		}
	}
}

func TestRepeats(t *testing.T) {
	packets, _ := recorded(t, "x255")
	at := find(t, packets, wire.TypeHello, false)
	again := packet{false, slices.Clone(packets[at].payload)}
	again.payload[3]++
	again.seal(t, again.message())
	packets = slices.Insert(packets, at+1, again, packets[at], again)
	a := New()
	all := play(t, a, packets)
	wantNoFault(t, all)
	if m := all[at+1]; m.RepeatOf != at+1 || m.Duplicate {
		t.Errorf("sent again: %+v", m)
	}
	if m := all[at+2]; m.RepeatOf != at+1 || !m.Duplicate {
		t.Errorf("duplicated: %+v", m)
	}
	if s := a.Summaries()[0]; s.Repeats != 3 || s.Messages != len(packets) || s.Outcome != Complete {
		t.Errorf("%+v", s)
	}
}

// Streams are told apart by addresses, even where the SSRCs are the same: on
// both sides of a relay, say.
func TestStreamsApart(t *testing.T) {
	packets, _ := recorded(t, "x255")
	relay1, relay2 := netip.MustParseAddrPort("127.0.0.1:6000"), netip.MustParseAddrPort("127.0.0.1:6002")
	a := New()
	for i, p := range packets {
		hops := [][2]netip.AddrPort{{addressA, relay1}, {relay2, addressB}}
		if !p.fromA {
			hops = [][2]netip.AddrPort{{addressB, relay2}, {relay1, addressA}}
		}
		for j, hop := range hops {
			m, err := a.Add(Datagram{Number: 2*i + j + 1, From: hop[0], To: hop[1], Payload: p.payload})
			if err != nil || m.Faults != nil || m.RepeatOf != 0 {
				t.Fatalf("%+v, %v", m, err)
			}
		}
	}
	sums := a.Summaries()
	if len(sums) != 2 || sums[0].Outcome != Complete || sums[1].Outcome != Complete || sums[1].Unchecked != nil {
		t.Errorf("%+v", sums)
	}
}

// With ICE the two directions can go over different addresses.
func TestAsymmetricAddresses(t *testing.T) {
	packets, _ := recorded(t, "x448")
	a := New()
	for i, p := range packets {
		d := Datagram{Number: i + 1, From: addressA, To: addressB, Payload: p.payload}
		if !p.fromA {
			d.From, d.To = netip.MustParseAddrPort("[fd00::2]:5006"), netip.MustParseAddrPort("[fd00::2]:5004")
		}
		if m, err := a.Add(d); err != nil || m.Faults != nil {
			t.Fatalf("%+v, %v", m, err)
		}
	}
	if sums := a.Summaries(); len(sums) != 1 || sums[0].Outcome != Complete || sums[0].Unchecked != nil {
		t.Errorf("%+v", sums)
	}
}

// A second call between the same sockets, with the same SSRCs.
func TestSecondCall(t *testing.T) {
	first, _ := recorded(t, "x255_cache1")
	second, _ := recorded(t, "x255_cache2_retained")
	a := New()
	wantNoFault(t, play(t, a, append(first, second...)))
	sums := a.Summaries()
	if len(sums) != 2 || sums[0].Outcome != Complete || sums[1].Outcome != Complete || sums[1].Unchecked != nil {
		t.Errorf("%+v", sums)
	}
}

// A capture that begins too late is no fault, and says what it leaves open.
func TestLateCapture(t *testing.T) {
	packets, _ := recorded(t, "x255")
	a := New()
	all := play(t, a, packets[find(t, packets, wire.TypeDHPart1, false):])
	wantNoFault(t, all)
	s := a.Summaries()[0]
	if s.Outcome != Complete || s.Initiator != "B" || len(s.Unchecked) != 3 || len(all[0].Notes) == 0 {
		t.Errorf("%+v", s)
	}
}

// After GoClear the same sides may agree keys again.
func TestGoClear(t *testing.T) {
	packets, _ := recorded(t, "x255")
	clear := packet{true, packets[0].payload}
	clear.seal(t, (&wire.GoClear{}).Append(nil))
	ack := packet{false, packets[find(t, packets, wire.TypeHello, false)].payload}
	ack.seal(t, wire.AppendACK(nil, wire.TypeClearACK))
	from := find(t, packets, wire.TypeCommit, true)
	all := play(t, New(), append(slices.Clone(packets), append([]packet{clear, ack}, packets[from:]...)...))
	wantNoFault(t, all)
	for _, m := range all[len(packets):] {
		if m.RepeatOf != 0 && m.Type != "Conf2ACK" {
			t.Errorf("%s is taken as repeated", m.Type)
		}
	}
}

// A Hello may come again with a lower version, and with nothing else changed.
func TestVersion(t *testing.T) {
	packets, h := recorded(t, "x255")
	at := find(t, packets, wire.TypeHello, true)
	newer := packet{true, packets[at].payload}
	changed := slices.Clone(newer.message())
	remac(image(h.H0I, 2), func(m []byte) { m[12] = '2' })(changed)
	newer.seal(t, changed)
	packets = slices.Insert(packets, at, newer)
	a := New()
	wantNoFault(t, play(t, a, packets))
	if s := a.Summaries()[0]; s.Unchecked != nil {
		t.Errorf("%+v", s)
	}
}

func TestNotZRTP(t *testing.T) {
	for _, b := range [][]byte{nil, {0x10}, make([]byte, 100), []byte("INVITE sip:bob@example.org SIP/2.0")} {
		if m, err := New().Add(Datagram{Payload: b}); m != nil || err != nil {
			t.Errorf("%x: %v, %v", b, m, err)
		}
	}
}

func TestUnknownType(t *testing.T) {
	packets, _ := recorded(t, "x255")
	at := find(t, packets, wire.TypeHelloACK, true)
	change(t, packets, at, func(m []byte) { copy(m[4:], "New\x1b[2J\n") })
	all := play(t, New(), packets)
	wantNoFault(t, all)
	if m := all[at]; m.Type != "New.[2J." || len(m.Notes) != 1 {
		t.Errorf("%+v", m)
	}
}

func TestTooMany(t *testing.T) {
	packets, _ := recorded(t, "x255")
	a := New()
	for i := range maxStreams + 1 {
		_, err := a.Add(Datagram{From: netip.AddrPortFrom(addressA.Addr(), uint16(i)), To: addressB, Payload: packets[0].payload})
		if errors.Is(err, ErrTooMany) != (i == maxStreams) {
			t.Fatalf("stream %d: %v", i+1, err)
		}
	}
}
