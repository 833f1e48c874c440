package codecs

import (
	"math"
	"testing"
)

func TestTable(t *testing.T) {
	want := []Codec{
		{Name: "opus", ClockRate: 48000, Channels: 2, SampleRate: 48000, StaticPayloadType: -1},
		{Name: "G722", ClockRate: 8000, Channels: 1, SampleRate: 16000, StaticPayloadType: 9},
		{Name: "PCMU", ClockRate: 8000, Channels: 1, SampleRate: 8000, StaticPayloadType: 0},
		{Name: "PCMA", ClockRate: 8000, Channels: 1, SampleRate: 8000, StaticPayloadType: 8},
	}
	got := Table()
	if len(got) != len(want) {
		t.Fatalf("%d codecs, want %d", len(got), len(want))
	}
	for i, c := range got {
		found, ok := Lookup(c.Name)
		if !ok || found != c {
			t.Errorf("Lookup(%q) is %+v", c.Name, found)
		}
		if c.impl = nil; c != want[i] {
			t.Errorf("row %d is %+v, want %+v", i, c, want[i])
		}
	}
	got[0].Name = "changed"
	if Table()[0].Name != "opus" {
		t.Error("the table can be changed from outside")
	}
	if c, ok := Lookup("OPUS"); !ok || c.Name != "opus" {
		t.Error("names are told apart by case")
	}
	for _, name := range []string{"", "G723", "opus ", "telephone-event"} {
		c, ok := Lookup(name)
		if ok || c != (Codec{}) {
			t.Errorf("Lookup(%q) found %+v", name, c)
		}
		if enc, err := c.NewEncoder(Options{}); err == nil || enc != nil {
			t.Errorf("encoder of no codec: %v", err)
		}
		if dec, err := c.NewDecoder(); err == nil || dec != nil {
			t.Errorf("decoder of no codec: %v", err)
		}
	}
}

func TestOptions(t *testing.T) {
	c, _ := Lookup("opus")
	if enc, err := c.NewEncoder(Options{Bitrate: 1}); err == nil || enc != nil {
		t.Errorf("opus at 1 bit/s: %v, %v", enc, err)
	}
	enc, err := c.NewEncoder(Options{Bitrate: 16000})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := enc.Encode(make([]byte, 1500), make([]int16, c.PacketSamples(Options{}))); n != 40 || err != nil {
		t.Errorf("16 kbit/s: %d bytes, %v", n, err)
	}
}

// TestEveryCodec: what all encoders and decoders promise.
func TestEveryCodec(t *testing.T) {
	for _, c := range Table() {
		t.Run(c.Name, func(t *testing.T) {
			enc, err := c.NewEncoder(Options{})
			if err != nil {
				t.Fatal(err)
			}
			dec, err := c.NewDecoder()
			if err != nil {
				t.Fatal(err)
			}
			size := c.PacketSamples(Options{})
			if size*50 != c.SampleRate || c.MaxSamples() != 6*size {
				t.Fatalf("frames of %d, packets of %d", size, c.MaxSamples())
			}
			pcm, keep := make([]int16, size), make([]int16, size)
			for i := range pcm {
				pcm[i] = int16(8000 * math.Sin(2*math.Pi*400*float64(i)/float64(c.SampleRate)))
			}
			copy(keep, pcm)
			pkt, dst := make([]byte, 1500), make([]int16, c.MaxSamples())
			frame := func() {
				n, err := enc.Encode(pkt, pcm)
				if err != nil || n == 0 {
					t.Fatal(n, err)
				}
				if k, err := dec.Decode(dst, pkt[:n]); k != size || err != nil {
					t.Fatalf("decoded %d samples, %v", k, err)
				}
				if k, err := dec.DecodeFEC(dst[:size], pkt[:n]); k != size || err != nil {
					t.Fatalf("recovered %d samples, %v", k, err)
				}
				if k, err := dec.Conceal(dst[:size]); k != size || err != nil {
					t.Fatalf("concealed %d samples, %v", k, err)
				}
			}
			frame()
			for i := range pcm {
				if pcm[i] != keep[i] {
					t.Fatal("the encoder changed its input")
				}
			}
			if _, err := enc.Encode(pkt[:1:1], pcm); err == nil {
				t.Error("encoded into one byte")
			}
			if _, err := dec.Decode(dst, nil); err == nil {
				t.Error("decoded nothing")
			}
			if raceEnabled {
				t.Skip("allocations are not counted under the race detector")
			}
			if n := testing.AllocsPerRun(50, frame); n != 0 {
				t.Errorf("%v allocations a frame", n)
			}
		})
	}
}

type fixed struct{ Encoder }

func (fixed) Encode(dst []byte, _ []int16) (int, error) { return copy(dst, "fixed"), nil }

func TestWith(t *testing.T) {
	pcmu, _ := Lookup("PCMU")
	c := pcmu.With(func(Options) (Encoder, error) { return fixed{}, nil }, pcmu.NewDecoder)
	var pkt [160]byte
	enc, err := c.NewEncoder(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := enc.Encode(pkt[:], nil); string(pkt[:n]) != "fixed" || err != nil {
		t.Errorf("encoded as %q, %v", pkt[:n], err)
	}
	dec, err := c.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := dec.Decode(make([]int16, c.MaxSamples()), pkt[:]); n != 160 || err != nil {
		t.Errorf("decoded %d samples, %v", n, err)
	}
	if again, _ := Lookup("PCMU"); again != pcmu || again == c {
		t.Error("the table has changed")
	}
}

// Comfort noise is heard and not made.
func TestComfortNoise(t *testing.T) {
	if enc, err := ComfortNoise.NewEncoder(Options{}); enc != nil || err == nil {
		t.Error("there is an encoder")
	}
	if n := ComfortNoise.PacketBytes(Options{}); n != 0 {
		t.Errorf("packets of %d bytes", n)
	}
	if redundant, quiet := ComfortNoise.Inspect([]byte{40}); redundant || !quiet {
		t.Errorf("redundant %v, quiet %v", redundant, quiet)
	}
	dec, err := ComfortNoise.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := dec.Decode(make([]int16, ComfortNoise.MaxSamples()), []byte{40}); n != 160 || err != nil {
		t.Errorf("decoded %d samples, %v", n, err)
	}
}
