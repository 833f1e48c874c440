package audio_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sotto/media/audio"
	"sotto/media/audio/speech"
)

// wavFile describes a WAV file to be made for a test.
type wavFile struct {
	encoding, channels, bits, rate int
	extensible                     bool
	before                         []byte // chunks between the format and the samples
	size                           uint32 // of the data chunk, if not its real one
}

func (w wavFile) make(samples []byte) []byte {
	le := binary.LittleEndian
	var f []byte
	encoding := w.encoding
	if w.extensible {
		encoding = 0xfffe
	}
	f = le.AppendUint16(f, uint16(encoding))
	f = le.AppendUint16(f, uint16(w.channels))
	f = le.AppendUint32(f, uint32(w.rate))
	f = le.AppendUint32(f, uint32(w.rate*w.channels*w.bits/8))
	f = le.AppendUint16(f, uint16(w.channels*w.bits/8))
	f = le.AppendUint16(f, uint16(w.bits))
	if w.extensible {
		f = append(f, 22, 0, byte(w.bits), 0, 4, 0, 0, 0, byte(w.encoding), 0)
		f = append(f, "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"...)
	}
	body := append([]byte("WAVE"), chunk("fmt ", f)...)
	body = append(body, w.before...)
	data := chunk("data", samples)
	if w.size != 0 {
		le.PutUint32(data[4:], w.size)
	}
	return chunk("RIFF", append(body, data...))
}

func chunk(name string, body []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(name), uint32(len(body)))
	b = append(b, body...)
	if len(body)%2 == 1 {
		b = append(b, 0)
	}
	return b
}

// encode makes samples of a tone in every channel; what the channels hold
// differs, but its mean does not.
func (w wavFile) encode(pcm []int16) []byte {
	le := binary.LittleEndian
	var b []byte
	for _, v := range pcm {
		for c := range w.channels {
			x := float64(v) / 32768
			if w.channels == 2 {
				x *= []float64{1.5, 0.5}[c]
			}
			switch {
			case w.encoding == 3:
				b = le.AppendUint32(b, math.Float32bits(float32(x)))
			case w.bits == 8:
				b = append(b, byte(math.Round(x*128)+128))
			case w.bits == 16:
				b = le.AppendUint16(b, uint16(int16(math.Round(x*32768))))
			case w.bits == 24:
				b = append(b, le.AppendUint32(nil, uint32(int32(x*(1<<23))))[:3]...)
			case w.bits == 32:
				b = le.AppendUint32(b, uint32(int32(x*(1<<31))))
			}
		}
	}
	return b
}

func TestWAVEncodings(t *testing.T) {
	list := chunk("LIST", []byte("odd")) // of odd length, so padded
	for name, w := range map[string]wavFile{
		"8 bits":              {encoding: 1, channels: 1, bits: 8, rate: 48000},
		"16 bits":             {encoding: 1, channels: 1, bits: 16, rate: 48000},
		"16 bits stereo":      {encoding: 1, channels: 2, bits: 16, rate: 48000},
		"24 bits":             {encoding: 1, channels: 1, bits: 24, rate: 48000},
		"24 bits extensible":  {encoding: 1, channels: 6, bits: 24, rate: 48000, extensible: true},
		"32 bits":             {encoding: 1, channels: 2, bits: 32, rate: 48000},
		"float":               {encoding: 3, channels: 1, bits: 32, rate: 48000},
		"float extensible":    {encoding: 3, channels: 2, bits: 32, rate: 48000, extensible: true},
		"other chunks":        {encoding: 1, channels: 1, bits: 16, rate: 48000, before: list},
		"size never filled":   {encoding: 1, channels: 1, bits: 16, rate: 48000, size: math.MaxUint32},
		"8 kHz":               {encoding: 1, channels: 1, bits: 16, rate: 8000},
		"44.1 kHz stereo":     {encoding: 1, channels: 2, bits: 24, rate: 44100},
		"96 kHz, cut short":   {encoding: 1, channels: 1, bits: 16, rate: 96000, size: 1 << 28},
		"192 kHz float":       {encoding: 3, channels: 8, bits: 32, rate: 192000},
		"11.025 kHz, 8 bits":  {encoding: 1, channels: 1, bits: 8, rate: 11025},
		"an uncommon rate":    {encoding: 1, channels: 1, bits: 16, rate: 12347},
		"32 channels":         {encoding: 1, channels: 32, bits: 16, rate: 48000},
		"many samples a tone": {encoding: 1, channels: 1, bits: 16, rate: 32000},
	} {
		t.Run(name, func(t *testing.T) {
			got := decode(t, w.make(w.encode(sine(1000, w.rate, w.rate/2, 16000))))
			if len(got) != 24000 {
				t.Fatalf("half a second gave %d samples", len(got))
			}
			// The tone is where it belongs, down to its phase.
			want := sine(1000, 48000, 24000, 16000)
			diff := make([]int16, 0, len(want))
			for i := 1000; i < len(want)-1000; i++ {
				diff = append(diff, got[i]-want[i])
			}
			floor := -70.0
			if w.bits == 8 {
				floor = -42
			}
			if level := rms(diff); level > floor {
				t.Errorf("differs by %.1f dB", level)
			}
		})
	}
}

func TestWAVErrors(t *testing.T) {
	good := wavFile{encoding: 1, channels: 1, bits: 16, rate: 8000}
	samples := make([]byte, 3200)
	with := func(f func(*wavFile)) []byte {
		w := good
		f(&w)
		return w.make(samples)
	}
	whole := good.make(samples)
	for name, test := range map[string]struct {
		wav  []byte
		says string
	}{
		"empty":              {nil, "not a WAV file"},
		"text":               {[]byte("This is just some text, and no sound at all."), "not a WAV file"},
		"big-endian":         {append([]byte("RIFX"), whole[4:]...), "not a WAV file"},
		"no chunks":          {whole[:12], "without samples"},
		"no data chunk":      {whole[:36], "without samples"},
		"no samples":         {whole[:44], "without samples"},
		"half a sample":      {whole[:45], "without samples"},
		"size of nothing":    {append(append([]byte(nil), whole[:40]...), make([]byte, 100)...), "without samples"},
		"cut format":         {whole[:30], "broken format"},
		"short format":       {append([]byte("RIFF\x00\x00\x00\x00WAVE"), chunk("fmt ", make([]byte, 14))...), "broken format"},
		"endless format":     {append([]byte("RIFF\x00\x00\x00\x00WAVE"), chunk("fmt ", make([]byte, 100000))...), "broken format"},
		"data before format": {append([]byte("RIFF\x00\x00\x00\x00WAVE"), chunk("data", samples)...), "before their format"},
		"mu-law":             {with(func(w *wavFile) { w.encoding, w.bits = 7, 8 }), "encoding 7"},
		"12 bits":            {with(func(w *wavFile) { w.bits = 12 }), "12 bits"},
		"double":             {with(func(w *wavFile) { w.encoding, w.bits = 3, 64 }), "encoding 3 of 64 bits"},
		"no channel":         {with(func(w *wavFile) { w.channels = 0 }), "0 channels"},
		"too many channels":  {with(func(w *wavFile) { w.channels = 33 }), "33 channels"},
		"rate 0":             {with(func(w *wavFile) { w.rate = 0 }), "0 samples a second"},
		"rate too high":      {with(func(w *wavFile) { w.rate = 384000 }), "384000 samples"},
	} {
		s, err := audio.NewWAVSource(bytes.NewReader(test.wav))
		if err == nil || s != nil || !strings.Contains(err.Error(), test.says) || !strings.HasPrefix(err.Error(), "audio: ") {
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
	}
}

func TestWAVFileErrors(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.wav")
	if err := os.WriteFile(text, []byte("no sound"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing.wav")
	for _, path := range []string{text, missing, dir} {
		_, err := audio.OpenWAV(path)
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("open %s: %v", path, err)
		}
	}
	if _, err := audio.OpenWAV(missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := audio.CreateWAV(filepath.Join(missing, "out.wav")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("create in a missing folder: %v", err)
	}
}

// failing yields its bytes and then an error that is not the end.
type failing struct{ r io.Reader }

var errDisk = errors.New("disk on fire")

func (f failing) Read(b []byte) (int, error) {
	n, err := f.r.Read(b)
	if err == io.EOF {
		err = errDisk
	}
	return n, err
}

func TestWAVReadError(t *testing.T) {
	s, err := audio.NewWAVSource(failing{bytes.NewReader(speech.Caller()[:20000])})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := audio.ReadAll(s); !errors.Is(err, errDisk) {
		t.Errorf("got %v", err)
	}
}

func TestWAVSink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.wav")
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err) // what was there before must be gone
	}
	sink, err := audio.CreateWAV(path)
	if err != nil {
		t.Fatal(err)
	}
	want := noise(120 * audio.FrameSamples)
	for i := range 120 {
		frame := want[i*audio.FrameSamples:][:audio.FrameSamples]
		if i > 100 { // in halves
			if err := sink.WriteFrame(frame[:audio.FrameSamples/2]); err != nil {
				t.Fatal(err)
			}
			frame = frame[audio.FrameSamples/2:]
		}
		if err := sink.WriteFrame(frame); err != nil {
			t.Fatal(err)
		}
	}
	// As it would be found if the process died now: good but for the last
	// second.
	left, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := decode(t, left); !slices.Equal(got, want[:100*audio.FrameSamples]) {
		t.Errorf("before Close: %d samples, want %d", len(got), 100*audio.FrameSamples)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := audio.OpenWAV(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := audio.ReadAll(s)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("after Close: %d samples, want %d (%v)", len(got), len(want), err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := sink.WriteFrame(want[:100]); err == nil {
		t.Error("a short frame was taken")
	}
	if err := sink.WriteFrame(want[:audio.FrameSamples]); !errors.Is(err, os.ErrClosed) {
		t.Errorf("write after Close: %v", err)
	}
	if err := sink.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
}

// TestWAVSinkIsPrivate: what was said in private is not for other users.
func TestWAVSinkIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.wav")
	sink, err := audio.CreateWAV(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestSpeechClips(t *testing.T) {
	for name, wav := range map[string][]byte{"caller": speech.Caller(), "callee": speech.Callee()} {
		pcm := decode(t, wav)
		if seconds := float64(len(pcm)) / audio.SampleRate; seconds < 6 || seconds > 8 {
			t.Errorf("%s: %.1f s", name, seconds)
		}
		if level := rms(pcm); level < -30 || level > -10 {
			t.Errorf("%s: %.1f dB", name, level)
		}
	}
}

func FuzzWAV(f *testing.F) {
	tone := sine(1000, 8000, 800, 16000)
	for _, w := range []wavFile{
		{encoding: 1, channels: 1, bits: 8, rate: 8000},
		{encoding: 1, channels: 2, bits: 16, rate: 48000},
		{encoding: 1, channels: 1, bits: 24, rate: 44100, extensible: true},
		{encoding: 3, channels: 2, bits: 32, rate: 16000, before: chunk("LIST", []byte("odd"))},
	} {
		f.Add(w.make(w.encode(tone)))
	}
	f.Fuzz(func(t *testing.T, wav []byte) {
		if len(wav) > 1<<16 {
			return
		}
		s, err := audio.NewWAVSource(bytes.NewReader(wav))
		if err != nil {
			if s != nil {
				t.Fatal("a source beside an error")
			}
			return
		}
		pcm, err := audio.ReadAll(s)
		if err != nil {
			t.Fatal(err) // reading memory does not fail
		}
		if len(pcm) == 0 || len(pcm) > 6*len(wav)+2*audio.FrameSamples {
			t.Fatalf("%d bytes gave %d samples", len(wav), len(pcm))
		}
	})
}
