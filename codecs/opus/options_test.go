package opus

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// everyOption is each length of packets at each of some bit rates.
func everyOption(yield func(Options) bool) {
	for _, packetTime := range PacketTimes {
		for _, bitrate := range []int{8000, 32000, 128000} {
			if !yield(Options{Bitrate: bitrate, PacketTime: packetTime}) {
				return
			}
		}
	}
}

// Whatever is said and whatever loss is expected: packets of one size, from the
// first one on, and decoding gives as much as went in.
func TestOneSizeWithAnyOptions(t *testing.T) {
	speech := slices.Concat(voice(60)...)
	dst := make([]int16, maxPacketSamples)
	for o := range everyOption {
		t.Run(fmt.Sprint(o.PacketTime, " ", o.Bitrate), func(t *testing.T) {
			enc, err := NewEncoder(o)
			if err != nil {
				t.Fatal(err)
			}
			dec, err := NewDecoder()
			if err != nil {
				t.Fatal(err)
			}
			samples := int(o.PacketTime * SampleRate / time.Second)
			want := o.Bitrate / 8 * samples / SampleRate
			if n := PacketBytes(o); n != want {
				t.Errorf("packets of %d bytes, want %d", n, want)
			}
			pkt := make([]byte, 1500)
			for i, pcm := 0, speech; len(pcm) >= samples; i, pcm = i+1, pcm[samples:] {
				if i%5 == 4 {
					if err := enc.ExpectLoss([]int{0, 10, 30, 100}[i/5%4]); err != nil {
						t.Fatal(err)
					}
				}
				n, err := enc.Encode(pkt, pcm[:samples])
				if n != want || err != nil {
					t.Fatalf("packet %d has %d bytes, %v", i, n, err)
				}
				if n, err := dec.Decode(dst, pkt[:n]); n != samples || err != nil {
					t.Fatalf("packet %d holds %d samples, %v", i, n, err)
				}
			}
		})
	}
}

// ExpectLoss is what decides whether packets repair others.
func TestExpectLoss(t *testing.T) {
	enc, err := NewEncoder(Options{ExpectedLoss: Off})
	if err != nil {
		t.Fatal(err)
	}
	pkt := make([]byte, 80)
	redundant := func(loss int) (n int) {
		if err := enc.ExpectLoss(loss); err != nil {
			t.Fatal(err)
		}
		for _, f := range voice(100) {
			if _, err := enc.Encode(pkt, f); err != nil {
				t.Fatal(err)
			}
			if r, _ := Inspect(pkt); r {
				n++
			}
		}
		return n
	}
	if n := redundant(0); n != 0 {
		t.Errorf("%d packets repair others where no loss is expected", n)
	}
	if n := redundant(20); n < 30 {
		t.Errorf("%d of 100 packets repair others where a fifth is lost", n)
	}
	if n := redundant(0); n > 1 {
		t.Errorf("%d packets repair others where no loss is expected any more", n)
	}
	if err := enc.ExpectLoss(101); err == nil {
		t.Error("101 % loss was expected")
	}
}

// With VBR the length follows what is said, with DTX pauses have packets that
// need not be sent. They are what secure mode never uses.
func TestVaries(t *testing.T) {
	frames := append(voice(100), make([][]int16, 50)...)
	for i := range frames[100:] {
		frames[100+i] = make([]int16, frameSamples)
	}
	sizes := func(o Options) (all []int, quiet int) {
		enc, err := NewEncoder(o)
		if err != nil {
			t.Fatal(err)
		}
		if n := PacketBytes(o); n != 0 {
			t.Errorf("%+v: packets of %d bytes", o, n)
		}
		pkt := make([]byte, 1500)
		for _, f := range frames {
			n, err := enc.Encode(pkt, f)
			if err != nil {
				t.Fatal(err)
			}
			if _, q := Inspect(pkt[:n]); q {
				quiet++
			}
			all = append(all, n)
		}
		slices.Sort(all)
		return slices.Compact(all), quiet
	}
	if s, quiet := sizes(Options{VBR: true}); len(s) < 20 || quiet != 0 {
		t.Errorf("VBR: %d sizes, %d pauses", len(s), quiet)
	}
	if _, quiet := sizes(Options{DTX: true}); quiet < 20 {
		t.Errorf("DTX: %d pauses", quiet)
	}
}

func TestOptionsCheck(t *testing.T) {
	for _, good := range []Options{
		{}, {Complexity: Off, ExpectedLoss: Off}, {Complexity: 10, ExpectedLoss: 100, VBR: true, DTX: true},
	} {
		if err := good.Check(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
	for _, bad := range []Options{
		{Bitrate: 31999}, {Complexity: 11}, {Complexity: -2}, {ExpectedLoss: 101}, {ExpectedLoss: -2},
		{PacketTime: 5 * time.Millisecond}, {PacketTime: 20}, {PacketTime: -20 * time.Millisecond}, {PacketTime: 80 * time.Millisecond},
	} {
		if err := bad.Check(); err == nil {
			t.Errorf("%+v: accepted", bad)
		}
	}
}
