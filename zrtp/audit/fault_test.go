package audit

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"sotto/zrtp/wire"
)

// TestFaults damages or forges one message of a handshake in which A is the
// initiator, and wants to hear of it, and of nothing else.
func TestFaults(t *testing.T) {
	_, h := recorded(t, "x255")
	const hvi, h2, zid, cipher, h1 = 76, 12, 44, 60, 12
	for _, c := range []struct {
		name   string
		typ    wire.Type
		fromA  bool
		change func([]byte)
		seen   wire.Type // of the message that shows it
		seenA  bool
		want   string
	}{
		{"wrong hvi", wire.TypeCommit, true, remac(image(h.H0I, 1), flip(hvi+31)), wire.TypeDHPart2, true, "hvi of Commit #"},
		{"another public value", wire.TypeDHPart2, true, flip(80), wire.TypeDHPart2, true, "hvi of Commit #"},
		{"broken chain, H2", wire.TypeCommit, false, flip(h2), wire.TypeCommit, false, "H2 does not fit H3 of Hello #"},
		{"broken chain, H1", wire.TypeDHPart1, false, flip(h1), wire.TypeDHPart1, false, "H1 does not fit H2 of Commit #"},
		{"MAC of Hello", wire.TypeHello, true, flip(-1), wire.TypeCommit, true, "MAC of Hello #1 is wrong"},
		{"client in Hello", wire.TypeHello, true, flip(20), wire.TypeCommit, true, "MAC of Hello #1 is wrong"},
		{"MAC of Commit", wire.TypeCommit, true, flip(-1), wire.TypeDHPart2, true, "MAC of Commit #"},
		{"hvi of the loser", wire.TypeCommit, false, flip(hvi + 31), wire.TypeDHPart1, false, "MAC of Commit #"},
		{"ZID in Commit", wire.TypeCommit, false, remac(image(h.H0R, 1), flip(zid)), wire.TypeCommit, false, "is not that of Hello #"},
		{"not offered", wire.TypeCommit, false, remac(image(h.H0R, 1), func(m []byte) { copy(m[cipher:], "2FS3") }), wire.TypeCommit, false, "chooses 2FS3, which A does not offer"},
		{"length word", wire.TypeConfirm1, false, flip(3), wire.TypeConfirm1, false, "words announced"},
		{"preamble", wire.TypeConfirm1, false, flip(0), wire.TypeConfirm1, false, "no preamble"},
		{"role", wire.TypeConfirm2, true, func(m []byte) { copy(m[4:], "Confirm1") }, wire.TypeConfirm2, true, "A sends it, but A is the initiator"},
		{"acknowledged by the initiator", wire.TypeConfirm2, true, nil, wire.TypeConfirm2, true, "A sends it, but A is the initiator"},
		{"too many algorithms", wire.TypeHello, false, func(m []byte) { m[77] = 0x0f }, wire.TypeHello, false, "algorithms of a kind"},
	} {
		t.Run(c.name, func(t *testing.T) {
			packets, _ := recorded(t, "x255")
			at := find(t, packets, c.typ, c.fromA)
			shown := find(t, packets, c.seen, c.seenA)
			if c.change == nil {
				packets[at].seal(t, wire.AppendACK(nil, wire.TypeConf2ACK))
			} else {
				change(t, packets, at, c.change)
			}
			if c.typ == wire.TypeHello && !c.fromA {
				packets = packets[:at+1] // what builds upon it can't be checked
			}
			wantFault(t, play(t, New(), packets), shown+1, c.want)
		})
	}
}

// The chain of a side that has not committed is held against its Hello.
func TestBrokenChainWithoutCommit(t *testing.T) {
	packets, _ := recorded(t, "x255")
	at := find(t, packets, wire.TypeCommit, false)
	packets = slices.Delete(packets, at, at+1)
	at = find(t, packets, wire.TypeDHPart1, false)
	change(t, packets, at, flip(12))
	wantFault(t, play(t, New(), packets), at+1, "H1 does not fit H3 of Hello #")
}

// Damage to the packet itself.
func TestDamage(t *testing.T) {
	whole, _ := recorded(t, "x255")
	at := find(t, whole, wire.TypeConfirm1, false)
	confirm := whole[at]
	for _, c := range []struct {
		name    string
		payload func() []byte
		want    string
	}{
		{"a bit of the message", func() []byte { b := bytes.Clone(confirm.payload); b[40] ^= 4; return b }, "CRC is wrong"},
		{"a bit of the CRC", func() []byte { b := bytes.Clone(confirm.payload); b[len(b)-1] ^= 1; return b }, "CRC is wrong"},
		{"the SSRC", func() []byte { b := bytes.Clone(confirm.payload); b[9] ^= 1; return b }, "CRC is wrong"},
		{"truncated by a word", func() []byte { return confirm.payload[:len(confirm.payload)-4] }, "CRC is wrong"},
		{"truncated by a byte", func() []byte { return confirm.payload[:len(confirm.payload)-1] }, "truncated"},
		{"truncated to its head", func() []byte { return confirm.payload[:8] }, "truncated"},
		{"truncated, with a right CRC", func() []byte {
			p := confirm
			p.seal(t, confirm.message()[:40])
			return p.payload
		}, "words announced"},
	} {
		packets := slices.Clone(whole)
		packets[at].payload = c.payload()
		all := play(t, New(), packets)
		wantFault(t, all, at+1, c.want)
		if all[at].Stream != 1 || all[at].Side != "B" {
			t.Errorf("%s: put down to %d%s", c.name, all[at].Stream, all[at].Side)
		}
	}
	m, err := New().Add(Datagram{From: addressA, To: addressB, Payload: confirm.payload[:40], Missing: 52})
	if err != nil || m.Stream != 0 || len(m.Faults) != 1 || !strings.Contains(m.Faults[0], "the last 52 bytes were not captured") {
		t.Errorf("cut by the capture: %+v, %v", m, err)
	}
}

// A message that comes twice and differs is not one endpoint's.
func TestDiffers(t *testing.T) {
	for _, c := range []struct {
		typ   wire.Type
		fromA bool
	}{
		{wire.TypeHello, true}, {wire.TypeHello, false}, {wire.TypeCommit, true}, {wire.TypeDHPart1, false},
		{wire.TypeDHPart2, true}, {wire.TypeConfirm1, false}, {wire.TypeConfirm2, true},
	} {
		packets, _ := recorded(t, "x255")
		at := find(t, packets, c.typ, c.fromA)
		forged := packets[at]
		changed := bytes.Clone(forged.message())
		flip(-1)(changed)
		forged.seal(t, changed)
		wantFault(t, play(t, New(), slices.Insert(packets, at+1, forged)), at+2, "differs from")
	}
}

// Somebody else's chain under a known SSRC, before or after the true Hello.
func TestForgedHello(t *testing.T) {
	packets, _ := recorded(t, "x255")
	other, _ := recorded(t, "x255_aux")
	all := play(t, New(), slices.Insert(packets, 0, other[0]))
	if len(faults(all)) == 0 || all[1].Faults == nil {
		t.Errorf("a forged Hello first: %q", faults(all))
	}
}

func TestEqualSides(t *testing.T) {
	packets, _ := recorded(t, "x255")
	a, b := find(t, packets, wire.TypeHello, true), find(t, packets, wire.TypeHello, false)
	change(t, packets, b, func(m []byte) { copy(m[64:76], packets[a].message()[64:76]) })
	wantFault(t, play(t, New(), packets[:b+1]), b+1, "both sides have ZID")

	packets, _ = recorded(t, "x255")
	for i := range packets[:b+1] {
		copy(packets[i].payload[8:], "same")
		packets[i].seal(t, packets[i].message())
	}
	wantFault(t, play(t, New(), packets[:b+1]), b+1, "both sides have SSRC")
}

func TestPublicValueLength(t *testing.T) {
	packets, _ := recorded(t, "x255")
	other, _ := recorded(t, "x448")
	at := find(t, packets, wire.TypeDHPart1, false)
	packets[at].seal(t, other[find(t, other, wire.TypeDHPart1, true)].message())
	wantFault(t, play(t, New(), packets[:at+1]), at+1, "a public value of 56 bytes, X255 has 32")

	packets, _ = recorded(t, "x255_2streams")
	at = len(packets) - 3 // Confirm1 of the second stream
	packets[at].seal(t, packets[find(t, packets, wire.TypeDHPart1, true)].message())
	wantFault(t, play(t, New(), packets[:at+1]), at+1, "no place in an exchange without Diffie-Hellman")
}

// Who gives up says so, and both may begin anew with another chain.
func TestError(t *testing.T) {
	packets, _ := recorded(t, "x255_cache1")
	next, _ := recorded(t, "x255_aux")
	at := find(t, packets, wire.TypeDHPart1, true)
	packets[at].seal(t, (&wire.Error{Code: wire.ErrorHVI}).Append(nil))
	a := New()
	all := play(t, a, append(packets[:at+1:at+1], next...))
	wantFault(t, all, at+1, "A gives up")
	if got := all[at].Fields; len(got) != 2 || got[0].Value != "0x62" {
		t.Errorf("%v", got)
	}
	sums := a.Summaries()
	if len(sums) != 2 || sums[0].Outcome != Failed || sums[1].Outcome != Complete {
		t.Errorf("%+v", sums)
	}
}

// TestEveryBit changes each byte of each message that the checks cover, with a
// right checksum: none of that may end as a complete and wholly checked stream about
// which there is nothing to say. (A message of unknown type is said to be one.)
func TestEveryBit(t *testing.T) {
	whole, _ := recorded(t, "x255")
	for i, p := range whole {
		if p.typ() != wire.TypeHello && p.typ() != wire.TypeCommit && p.typ() != wire.TypeDHPart2 {
			continue
		}
		for at := range p.message() {
			packets := slices.Clone(whole)
			change(t, packets, i, flip(at))
			a := New()
			all := play(t, a, packets)
			if s := a.Summaries()[0]; faults(all) == nil && !strings.Contains(strings.Join(all[i].Notes, ""), "unknown type") && s.Outcome == Complete && s.Unchecked == nil {
				t.Errorf("%s of A %t: byte %d can be changed unnoticed", p.typ(), p.fromA, at)
			}
		}
	}
}
