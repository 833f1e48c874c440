package opus

import (
	"testing"

	"github.com/hraban/opus"
)

// Packets of libopus: those with error correction are recognised where there
// is speech, those without never.
func TestInspectRedundancy(t *testing.T) {
	for name, test := range map[string]struct {
		app       opus.Application
		channels  int
		samples   int
		fec       bool
		bandwidth opus.Bandwidth
		want      bool
	}{
		"20 ms":                {opus.AppVoIP, 1, 960, true, opus.Wideband, true},
		"20 ms, hybrid":        {opus.AppVoIP, 1, 960, true, opus.Fullband, true},
		"10 ms":                {opus.AppVoIP, 1, 480, true, opus.Wideband, true},
		"40 ms":                {opus.AppVoIP, 1, 1920, true, opus.Wideband, true},
		"60 ms":                {opus.AppVoIP, 1, 2880, true, opus.Wideband, true},
		"20 ms, stereo":        {opus.AppVoIP, 2, 960, true, opus.Wideband, true},
		"20 ms, none":          {opus.AppVoIP, 1, 960, false, opus.Wideband, false},
		"60 ms, stereo, none":  {opus.AppVoIP, 2, 2880, false, opus.Wideband, false},
		"CELT":                 {opus.AppRestrictedLowdelay, 1, 960, true, opus.Fullband, false},
		"2.5 ms, CELT as well": {opus.AppVoIP, 1, 120, true, opus.Fullband, false},
	} {
		for _, vbr := range []bool{true, false} { // padded packets, too
			enc, err := opus.NewEncoder(SampleRate, test.channels, test.app)
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range []error{
				enc.SetInBandFEC(test.fec), enc.SetPacketLossPerc(20), enc.SetVBR(vbr),
				enc.SetBitrate(28000), enc.SetMaxBandwidth(test.bandwidth),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			var pcm []int16
			for _, f := range voice(150) {
				for _, v := range f {
					for range test.channels {
						pcm = append(pcm, v)
					}
				}
			}
			with, packets, pkt := 0, 0, make([]byte, 1500)
			for step := test.samples * test.channels; len(pcm) >= step; pcm = pcm[step:] {
				n, err := enc.Encode(pcm[:step], pkt)
				if err != nil {
					t.Fatal(err)
				}
				redundant, quiet := Inspect(pkt[:n])
				if quiet {
					t.Errorf("%s: a packet of %d bytes is a pause", name, n)
				}
				if packets++; redundant {
					with++
				}
			}
			t.Logf("%s, VBR %v: %d of %d", name, vbr, with, packets)
			if test.want && with < packets/3 || !test.want && with > 0 {
				t.Errorf("%s, VBR %v: %d of %d packets with redundancy", name, vbr, with, packets)
			}
		}
	}
}

// A sender with DTX says that it pauses.
func TestInspectPause(t *testing.T) {
	enc, err := opus.NewEncoder(SampleRate, 1, opus.AppVoIP)
	if err != nil {
		t.Fatal(err)
	}
	if err := enc.SetDTX(true); err != nil {
		t.Fatal(err)
	}
	pkt, pauses := make([]byte, 1500), 0
	for _, f := range append(voice(30), make([][]int16, 100)...) {
		if f == nil {
			f = make([]int16, frameSamples)
		}
		n, err := enc.Encode(f, pkt)
		if err != nil {
			t.Fatal(err)
		}
		if _, quiet := Inspect(pkt[:n]); quiet {
			pauses++
		}
	}
	if pauses < 40 {
		t.Errorf("%d pauses", pauses)
	}
}

// What is cut short, or lies about its lengths, is read to its end and not
// beyond.
func TestInspectNonsense(t *testing.T) {
	for _, pkt := range [][]byte{
		nil, {}, {0x7b, 0x40, 255}, {0x03, 0xff, 255, 255, 255, 0}, {0x02, 252, 1}, {0x03, 0xbf, 252, 252},
		{0x03, 0x80, 1}, {0x0b, 0, 0xff}, {0x01, 0x10, 0x00}, {0x02, 255, 255},
	} {
		for n := range pkt {
			Inspect(pkt[:n])
		}
		Inspect(pkt)
	}
	// By hand: a SILK frame of 60 ms with redundancy in the second channel
	// only, behind two bytes of padding (RFC 6716 §3.2.5, §4.2.3).
	pkt := []byte{3<<3 | 1<<2 | 3, 0x41, 2, 0b0000_0001, 9, 9, 0, 0}
	if redundant, _ := Inspect(pkt); !redundant {
		t.Error("redundancy of the second channel is not seen")
	}
	if pkt[3] = 0b1110_1110; true {
		if redundant, _ := Inspect(pkt); redundant {
			t.Error("flags of voice are taken for redundancy")
		}
	}
}

// Where Inspect says that a packet carries the one before it, DecodeFEC is
// closer to that one than concealment is: much so for 20 ms, less for the
// longer packets, of which libopus carries no more than parts.
func TestInspectTellsWhatFECDoes(t *testing.T) {
	for _, samples := range []int{960, 1920, 2880} {
		enc, err := opus.NewEncoder(SampleRate, 1, opus.AppVoIP)
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{enc.SetInBandFEC(true), enc.SetPacketLossPerc(20), enc.SetBitrate(32000)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		var pcm []int16
		for _, f := range voice(300) {
			pcm = append(pcm, f...)
		}
		var pkts [][]byte
		for ; len(pcm) >= samples; pcm = pcm[samples:] {
			pkt := make([]byte, 1500)
			n, err := enc.Encode(pcm[:samples], pkt)
			if err != nil {
				t.Fatal(err)
			}
			pkts = append(pkts, pkt[:n])
		}
		// Two decoders lose the same packets; one recovers, one conceals.
		_, clean := newPair(t, 0)
		_, recovers := newPair(t, 0)
		_, conceals := newPair(t, 0)
		want, got, made := make([]int16, samples), make([]int16, samples), make([]int16, samples)
		var fec, plc, all float64
		told := 0
		for i, pkt := range pkts {
			_, _ = clean.Decode(want, pkt)
			if i%5 != 3 || i+1 == len(pkts) {
				_, _ = recovers.Decode(got, pkt)
				_, _ = conceals.Decode(made, pkt)
				continue
			}
			if n, err := recovers.DecodeFEC(got, pkts[i+1]); n != samples || err != nil {
				t.Fatalf("%d samples, %v", n, err)
			}
			if n, err := conceals.Conceal(made); n != samples || err != nil {
				t.Fatalf("%d samples, %v", n, err)
			}
			if redundant, _ := Inspect(pkts[i+1]); !redundant {
				continue
			}
			told++
			for k := range want {
				a, b, c := float64(want[k]), float64(got[k]), float64(made[k])
				fec, plc, all = fec+(b-a)*(b-a), plc+(c-a)*(c-a), all+a*a
			}
		}
		if told < 5 || fec > plc || samples == 960 && fec > plc/10 {
			t.Errorf("%d samples: %d packets, FEC %.3f, concealment %.3f of the power off", samples, told, fec/all, plc/all)
		}
	}
}
