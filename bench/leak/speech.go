package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sotto/media/audio"
)

// language is one of those that are to be told apart, with what is said in it.
type language struct {
	name, voice string
	sentences   []string
}

// variants are the speakers: the same in all languages, so that a speaker tells
// nothing of the language.
var variants = []string{"+m1", "+m3", "+f2", "+f4"}

// utterance is one sentence of one speaker.
type utterance struct {
	language, sentence int
	pcm                []int16 // 48 kHz
}

// synthesizer is espeak-ng.
type synthesizer struct {
	path, version string
}

func newSynthesizer() (*synthesizer, error) {
	path, err := exec.LookPath("espeak-ng")
	if err != nil {
		return nil, errors.New("espeak-ng is missing, which speaks what is measured: it is Debian's package espeak-ng")
	}
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("espeak-ng --version: %w", err)
	}
	version, _, _ := strings.Cut(strings.TrimSpace(string(out)), "  Data")
	return &synthesizer{path, version}, nil
}

// speak has every sentence of every language said by every speaker.
func (s *synthesizer) speak() ([]utterance, error) {
	dir, err := os.MkdirTemp("", "leak")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var all []utterance
	for l, language := range languages {
		for n, sentence := range language.sentences {
			for _, variant := range variants {
				pcm, err := s.say(filepath.Join(dir, "said.wav"), language.voice+variant, sentence)
				if err != nil {
					return nil, err
				}
				all = append(all, utterance{l, n, pcm})
			}
		}
	}
	return all, nil
}

func (s *synthesizer) say(file, voice, sentence string) ([]int16, error) {
	var stderr bytes.Buffer
	cmd := exec.Command(s.path, "-v", voice, "-w", file, sentence)
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("espeak-ng -v %s: %w: %s", voice, err, stderr.String())
	}
	wav, err := audio.OpenWAV(file)
	if err != nil {
		return nil, err
	}
	pcm, err := audio.ReadAll(wav)
	return pcm, errors.Join(err, wav.Close())
}

// pcmSource is a source of samples that are at hand.
type pcmSource struct{ pcm []int16 }

// ReadFrame gives silence after the end.
func (s *pcmSource) ReadFrame(frame []int16) error {
	n := copy(frame, s.pcm)
	clear(frame[n:])
	s.pcm = s.pcm[n:]
	return nil
}
