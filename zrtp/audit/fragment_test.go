package audit

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"sotto/zrtp/wire"
)

// kem turns the recorded handshake into one whose Commit of A carries a public
// value of that many bytes, under the name of a KEM. Only what is covered by
// hashes is put right.
func kem(t *testing.T, publicLen int) []packet {
	t.Helper()
	packets, h := recorded(t, "x255")
	commit := &packets[find(t, packets, wire.TypeCommit, true)]
	c, err := wire.ParseCommit(commit.message())
	if err != nil {
		t.Fatal(err)
	}
	for _, fromA := range []bool{true, false} {
		chain := map[bool][]byte{true: h.H0I, false: h.H0R}[fromA]
		at := find(t, packets, wire.TypeHello, fromA)
		change(t, packets, at, remac(image(chain, 2), func(m []byte) {
			if i := bytes.Index(m, []byte("X255")); i > 0 {
				copy(m[i:], "X1M1")
			} else {
				t.Fatal("no X255 in the Hello")
			}
		}))
	}
	copy(c.KeyAgreement[:], "X1M1")
	part2 := packets[find(t, packets, wire.TypeDHPart2, true)].message()
	sum := newHash(c.Hash)
	sum.Write(part2)
	sum.Write(packets[find(t, packets, wire.TypeHello, false)].message())
	copy(c.HVI[:], sum.Sum(nil))
	c.PV = bytes.Repeat([]byte{7}, publicLen)
	long := c.Append(nil)
	remac(image(h.H0I, 1), func([]byte) {})(long)
	commit.seal(t, long)
	loser := find(t, packets, wire.TypeCommit, false)
	return slices.Delete(packets, loser, loser+1)
}

// split is a packet in parts of at most so many words.
func split(p packet, id uint16, words int) (parts []packet) {
	message := p.message()
	for at := 0; at < len(message); at += 4 * words {
		parts = append(parts, packet{p.fromA, wire.AppendPacket(nil, wire.Packet{
			Seq: uint16(at), SSRC: binary.BigEndian.Uint32(p.payload[8:]), Message: message[at:min(at+4*words, len(message))],
			Fragment: wire.Fragment{ID: id, Total: uint16(len(message) / 4), Offset: uint16(at / 4)},
		})})
	}
	return parts
}

func TestKEM(t *testing.T) {
	packets := kem(t, 832)
	a := New()
	all := play(t, a, packets)
	wantNoFault(t, all)
	if s := a.Summaries()[0]; s.Outcome != Complete || s.Unchecked != nil || s.Suite != "X1M1 S256 AES1 HS32 B32" {
		t.Errorf("%+v", s)
	}
	at := find(t, packets, wire.TypeCommit, true)
	change(t, packets, at, flip(500)) // of the public value
	wantFault(t, play(t, New(), packets), find(t, packets, wire.TypeDHPart2, true)+1, "MAC of Commit #")
}

// A public value where none belongs is refused.
func TestLongCommit(t *testing.T) {
	for _, name := range []string{"X255", "Mult", "Prsh"} {
		packets := kem(t, 832)
		at := find(t, packets, wire.TypeCommit, true)
		change(t, packets, at, func(m []byte) { copy(m[68:], name) })
		if got := play(t, New(), packets[:at+1])[at].Faults; len(got) != 1 || !strings.Contains(got[0], "ommit of 9") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestFragments(t *testing.T) {
	packets := kem(t, 832)
	at := find(t, packets, wire.TypeCommit, true)
	parts := split(packets[at], 9, 100)
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	parts[0], parts[2] = parts[2], parts[0]
	parts = slices.Insert(parts, 1, parts[0]) // twice, which does no harm
	a := New()
	all := play(t, a, slices.Concat(packets[:at], parts, packets[at+1:]))
	wantNoFault(t, all)
	if all[at].Type != "fragment" || all[at+3].Type != "Commit" || all[at+3].Notes[0] != "put together from 4 fragments" {
		t.Errorf("%+v, %+v", all[at], all[at+3])
	}
	if s := a.Summaries()[0]; s.Outcome != Complete || s.Unchecked != nil {
		t.Errorf("%+v", s)
	}
}

func TestFragmentFaults(t *testing.T) {
	packets := kem(t, 832)
	at := find(t, packets, wire.TypeCommit, true)
	const words, offset, length, content = 2, 4, 6, 8
	for _, c := range []struct {
		name   string
		change func(second []byte)
		want   string
	}{
		{"its length", func(b []byte) { b[length+1]-- }, "no ZRTP packet"},
		{"nothing", func(b []byte) { clear(b[length : length+2]) }, "no ZRTP packet"},
		{"beyond the end", func(b []byte) { b[offset] = 0xff }, "no ZRTP packet"},
		{"too long", func(b []byte) { b[words] = 0xff }, "too long"},
		{"another length", func(b []byte) { b[words+1]++ }, "in another part"},
		{"another content", func(b []byte) { b[offset+1]--; b[content] ^= 1 }, "differs from one that came before"},
	} {
		parts := split(packets[at], 9, 100)
		second := bytes.Clone(parts[1].payload)
		c.change(second[12:])
		parts[1].payload = resealed(second)
		wantFault(t, play(t, New(), slices.Concat(packets[:at], parts[:2])), at+2, c.want)
	}
}
