package main

import (
	"sync"
	"time"
)

// air counts what would have been sent over the air.
type air struct {
	mu  sync.Mutex // guards what follows
	sum report
}

// report is what was on air.
type report struct {
	Packets int   `json:"packets"`
	Bytes   int   `json:"bytes"`
	Loud    int   `json:"loud"`    // packets that are not digital silence, or no SBC
	Samples int   `json:"samples"` // in frames of those that are not digital silence
	Last    int64 `json:"last"`    // when the last loud packet came, in ns since 1970
}

// count takes one packet: an RTP header, a byte, and frames of SBC.
func (a *air) count(packet []byte) {
	const headers = 13
	now := time.Now().UnixNano()
	loud, samples := true, 0
	if len(packet) > headers {
		loud, samples = listen(packet[headers:])
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sum.Packets++
	a.sum.Bytes += len(packet)
	if loud {
		a.sum.Last = now
		a.sum.Loud++
		a.sum.Samples += samples
	}
}

func (a *air) report() report {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sum
}

func (a *air) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sum = report{}
}

// listen says whether there is sound in frames of SBC (A2DP, appendix B), and
// how many samples the frames with sound have. A frame whose scale factors are
// all zero is digital silence; what is no frame counts as sound.
func listen(frames []byte) (loud bool, samples int) {
	for len(frames) > 0 {
		f, ok := parseFrame(frames)
		if !ok {
			return true, samples
		}
		if f.loud {
			loud = true
			samples += f.samples
		}
		frames = frames[f.size:]
	}
	return loud, samples
}

// frame is one frame of SBC.
type frame struct {
	size, samples int
	loud          bool
}

func parseFrame(b []byte) (frame, bool) {
	const sync, header = 0x9c, 4
	if len(b) < header || b[0] != sync || b[2] < 2 {
		return frame{}, false
	}
	blocks, mode, subbands, pool := 4*(int(b[1]>>4&3)+1), b[1]>>2&3, 4*(int(b[1]&1)+1), int(b[2])
	channels, joined := 2, 0
	switch mode {
	case 0: // mono
		channels = 1
	case 3: // joint stereo
		joined = subbands
	}
	bits := blocks * pool
	if mode == 0 || mode == 1 { // each channel has its own
		bits *= channels
	}
	f := frame{size: header + (joined+4*subbands*channels+bits+7)/8, samples: blocks * subbands}
	if len(b) < f.size {
		return frame{}, false
	}
	for i := range subbands * channels {
		at := 8*header + joined + 4*i
		if nibble := (uint16(b[at/8])<<8 | uint16(b[at/8+1])) >> (12 - at%8) & 0xf; nibble != 0 {
			f.loud = true
		}
	}
	return f, true
}
