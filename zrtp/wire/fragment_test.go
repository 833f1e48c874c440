package wire_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"sotto/internal/kat"
	"sotto/zrtp/wire"
)

// fragmentsOf cuts msg into packets of so many words each.
func fragmentsOf(msg []byte, id uint16, words int) (packets []wire.Packet) {
	for at := 0; at < len(msg); at += 4 * words {
		packets = append(packets, wire.Packet{
			Message:  msg[at:min(at+4*words, len(msg))],
			Fragment: wire.Fragment{ID: id, Total: uint16(len(msg) / 4), Offset: uint16(at / 4)},
		})
	}
	return packets
}

func message(n int) []byte {
	msg := make([]byte, n)
	for i := range msg {
		msg[i] = byte(i ^ i>>8)
	}
	return msg
}

// What the other implementation cut is put together, and is a message.
func TestRecordedFragments(t *testing.T) {
	whole := 0
	for _, h := range kat.KEMHandshakes() {
		for _, side := range [][]kat.Hex{h.PacketsA, h.PacketsB} {
			var a wire.Assembler
			for _, b := range side {
				p, err := wire.ParsePacket(b)
				if err != nil {
					t.Fatal(err)
				}
				if again := wire.AppendPacket(nil, p); !bytes.Equal(again, b) {
					t.Fatalf("%x appended as %x", b, again)
				}
				if p.Fragment == (wire.Fragment{}) {
					continue
				}
				if msg := a.Add(p); msg != nil {
					whole++
					if _, err := wire.MessageType(msg); err != nil {
						t.Error(err)
					}
				}
			}
		}
	}
	if whole < 2 {
		t.Errorf("%d messages put together", whole)
	}
}

// Any order, with repetitions and overlaps, gives the message.
func TestAssembler(t *testing.T) {
	msg := message(1740)
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		parts := slices.Concat(fragmentsOf(msg, 7, 1+r.IntN(200)), fragmentsOf(msg, 7, 1+r.IntN(200)))
		r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		var a wire.Assembler
		for i, p := range parts {
			if got := a.Add(p); got != nil {
				if !bytes.Equal(got, msg) {
					t.Fatalf("seed %d: another message", seed)
				}
				break
			} else if i == len(parts)-1 {
				t.Fatalf("seed %d: never whole", seed)
			}
		}
	}
}

// A forged fragment does no lasting harm: with the next repetition the message
// is whole.
func TestAssemblerRecovers(t *testing.T) {
	msg := message(1740)
	parts := fragmentsOf(msg, 7, 100)
	for name, forged := range map[string]wire.Packet{
		"content": {Message: make([]byte, 400), Fragment: parts[1].Fragment},
		"total":   {Message: make([]byte, 4), Fragment: wire.Fragment{ID: 7, Total: 500, Offset: 499}},
		"id":      {Message: make([]byte, 4), Fragment: wire.Fragment{ID: 8, Total: parts[0].Fragment.Total}},
		"length":  {Message: make([]byte, 4), Fragment: wire.Fragment{ID: 7, Total: 0xffff, Offset: 0xfffe}},
	} {
		var a wire.Assembler
		a.Add(parts[0])
		a.Add(forged)
		recovered := false
		for range 2 {
			for _, p := range parts {
				recovered = recovered || bytes.Equal(a.Add(p), msg)
			}
		}
		if !recovered {
			t.Errorf("%s: lost for good", name)
		}
	}
}

// Halves of two messages make none, of whatever length.
func TestAssemblerKeepsMessagesApart(t *testing.T) {
	for _, second := range []int{800, 796} {
		var a wire.Assembler
		first, other := fragmentsOf(message(800), 1, 100), fragmentsOf(message(second), 2, 100)
		if a.Add(first[0]) != nil || a.Add(other[1]) != nil {
			t.Error("one message of two")
		}
		if got := a.Add(other[0]); !bytes.Equal(got, message(second)) {
			t.Errorf("%d bytes", len(got))
		}
	}
}

// A message longer than any is not begun, so that memory stays bounded.
func TestAssemblerBound(t *testing.T) {
	msg := message(wire.MaxMessageLen + 4)
	var a wire.Assembler
	for _, p := range fragmentsOf(msg, 1, 100) {
		if a.Add(p) != nil {
			t.Error("put together")
		}
	}
	if !reflect.DeepEqual(a, wire.Assembler{}) {
		t.Error("something is kept")
	}
}

// FuzzAssembler feeds fragments of any shape, each as a packet may have it.
func FuzzAssembler(f *testing.F) {
	for _, p := range fragmentsOf(message(800), 3, 70) {
		f.Add(wire.AppendPacket(nil, p), wire.AppendPacket(nil, p))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var a wire.Assembler
		for _, b := range [][]byte{first, second, first} {
			p, err := wire.ParsePacket(b)
			if err != nil || p.Fragment == (wire.Fragment{}) {
				continue
			}
			if msg := a.Add(p); len(msg) > wire.MaxMessageLen || msg != nil && len(msg) != 4*int(p.Fragment.Total) {
				t.Fatalf("%d bytes of %+v", len(msg), p.Fragment)
			}
		}
	})
}

// A fragment that says nothing, or lies outside its message, is refused.
func TestFragmentBounds(t *testing.T) {
	good := fragmentsOf(message(400), 1, 50)[1]
	for name, f := range map[string]wire.Fragment{
		"beyond the end": {ID: 1, Total: 100, Offset: 51},
		"total zero":     {ID: 1},
		"at the end":     {ID: 1, Total: 50, Offset: 50},
		"wrapping":       {ID: 1, Total: 100, Offset: 0xffff},
	} {
		p := good
		p.Fragment = f
		if f == (wire.Fragment{ID: 1}) {
			p.Fragment.Total = 0
		}
		if got, err := wire.ParsePacket(wire.AppendPacket(nil, p)); !errors.Is(err, wire.ErrLength) || !isZero(got) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	b := wire.AppendPacket(nil, good)
	if _, err := wire.ParsePacket(b); err != nil {
		t.Error(err)
	}
	for _, words := range []byte{0, 1, 49, 51, 255} { // where there are 50
		b[12+7] = words
		fixCRC(b)
		if got, err := wire.ParsePacket(b); !errors.Is(err, wire.ErrLength) || !isZero(got) {
			t.Errorf("%d words announced: %+v, %v", words, got, err)
		}
	}
}
