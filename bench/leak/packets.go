package main

import (
	"bytes"
	"math"
	"runtime"
	"sync"

	"sotto/codecs"
	"sotto/media"
	"sotto/media/audio"
	"sotto/media/protect"
	"sotto/media/route"
)

// mode is a way to send.
type mode struct {
	name   string
	secure bool
	coding codecs.Options
	// leaks says that it has to, as a control.
	leaks bool
}

var modes = []mode{
	{name: "secure mode", secure: true},
	{name: "VBR", coding: codecs.Options{VBR: true}, leaks: true},
	{name: "VBR and DTX", coding: codecs.Options{VBR: true, DTX: true}, leaks: true},
}

// seen is what somebody on the wire sees of an utterance, packet by packet, and
// beside it what he does not: the energy of the frame in each.
type seen struct {
	utterance
	sizes  []int     // 0: no packet
	energy []float64 // dB
}

// newSender makes a Sender of a call in this mode, of SRTP in each, so that
// lengths are those of the wire.
func (m mode) newSender(source audio.Source, write func([]byte) error) (*media.Sender, error) {
	codec, _ := codecs.Lookup("opus")
	sender, err := media.NewSender(media.SenderConfig{
		Source: source, Codec: codec, Coding: m.coding, PayloadType: 96, TelephoneEvent: 101, EventClock: 48000,
		SSRC: 1, Write: write, Secure: m.secure,
	})
	if err != nil {
		return nil, err
	}
	const profile = protect.AESCM128HMACSHA1_80
	sealer, err := protect.NewSealer(profile, bytes.Repeat([]byte{1}, profile.KeyLen()), bytes.Repeat([]byte{2}, profile.SaltLen()))
	if err != nil {
		return nil, err
	}
	verified, err := route.Policy{}.Verify(route.Route{Class: route.Internal})
	if err != nil {
		return nil, err
	}
	return sender, sender.Release(verified, sealer)
}

// watch sends an utterance, to its last frame.
func (m mode) watch(u utterance) (seen, error) {
	s := seen{utterance: u}
	var size int
	sender, err := m.newSender(&pcmSource{u.pcm}, func(pkt []byte) error {
		size = len(pkt)
		return nil
	})
	if err != nil {
		return seen{}, err
	}
	for pcm := u.pcm; len(pcm) >= audio.FrameSamples; pcm = pcm[audio.FrameSamples:] {
		size = 0
		if err := sender.Tick(); err != nil {
			return seen{}, err
		}
		s.sizes = append(s.sizes, size)
		s.energy = append(s.energy, energy(pcm[:audio.FrameSamples]))
	}
	return s, nil
}

// watchAll sends them all, one after the other on each processor.
func (m mode) watchAll(utterances []utterance) ([]seen, error) {
	all, errs := make([]seen, len(utterances)), make([]error, len(utterances))
	next := make(chan int)
	var workers sync.WaitGroup
	for range runtime.NumCPU() {
		workers.Go(func() {
			for i := range next {
				all[i], errs[i] = m.watch(utterances[i])
			}
		})
	}
	for i := range utterances {
		next <- i
	}
	close(next)
	workers.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// busy sends what else there is in a call: a pause, a muted microphone that
// hears speech, every digit. It returns the lengths.
func (m mode) busy(u utterance) ([]int, error) {
	var sizes []int
	source := &pcmSource{u.pcm}
	sender, err := m.newSender(source, func(pkt []byte) error {
		sizes = append(sizes, len(pkt))
		return nil
	})
	if err != nil {
		return nil, err
	}
	ticks := func(n int) error {
		for range n {
			if err := sender.Tick(); err != nil {
				return err
			}
		}
		return nil
	}
	if err := ticks(50); err != nil {
		return nil, err
	}
	sender.Mute(true)
	if err := ticks(50); err != nil {
		return nil, err
	}
	sender.Mute(false)
	if err := sender.SendDigits("0123456789*#ABCD"); err != nil {
		return nil, err
	}
	source.pcm = append(source.pcm[:0:0], u.pcm...)
	return sizes, ticks(16*20 + 100) // and silence when the speech is over
}

// energy is the level of a frame in dB, of full scale.
func energy(pcm []int16) float64 {
	var sum float64
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	return 10 * math.Log10((sum/float64(len(pcm))+1)/(1<<30))
}
