package main

import (
	"encoding/binary"
	"fmt"
	"time"

	"sotto/codecs"
	"sotto/media"
	"sotto/media/audio"
	"sotto/zrtp/wire"
)

// traffic counts what one side sent over the wire.
type traffic struct {
	ZRTP  int `json:"zrtp"`
	SRTP  int `json:"srtp"`
	SRTCP int `json:"srtcp"`
	// Clear is everything else: voice that was not encrypted, reports that
	// were not, and what is none of these.
	Clear int `json:"clear"`
}

// voice is how many packets were about voice, protected or not.
func (t traffic) voice() int { return t.SRTP + t.SRTCP + t.Clear }

// Lengths of SRTP's authentication tag that ZRTP can choose (RFC 6189 §5.1.4).
const (
	shortTag = 4
	longTag  = 10
)

// clearCheck finds packets that are not encrypted. One counts as SRTP only if
// nothing speaks against it:
//
//   - ZRTP had reached its Confirm messages before; earlier nobody has keys.
//   - Its payload has the one length of our Opus packets and a tag; a clear one
//     is shorter.
//   - Nowhere in it is a piece of what the spoken words are encoded to. The
//     encoder is deterministic, so the clear packets are known beforehand.
//   - In its stream, the first bytes of the payloads differ as those of
//     random bytes do. In the clear they are Opus's table of contents, which
//     hardly changes (RFC 6716 §3.1).
//
// The third catches even a single clear packet of the right length; the fourth
// catches words that nobody knows beforehand.
type clearCheck struct {
	frameLen int
	spoken   map[[snippet]byte]bool // the beginnings of all clear frames
}

// snippet is how many bytes of a frame are looked for: too many to turn up in
// a random packet by chance.
const snippet = 16

// newClearCheck knows all the voice that the two sides are going to send.
func newClearCheck(clips ...[]int16) (*clearCheck, error) {
	opus, ok := codecs.Lookup("opus")
	if !ok {
		return nil, fmt.Errorf("no Opus codec")
	}
	c := &clearCheck{spoken: map[[snippet]byte]bool{}}
	for _, pcm := range clips {
		encoder, err := opus.NewEncoder(codecs.Options{})
		if err != nil {
			return nil, err
		}
		var frame [1500]byte
		for ; len(pcm) >= audio.FrameSamples; pcm = pcm[audio.FrameSamples:] {
			n, err := encoder.Encode(frame[:], pcm[:audio.FrameSamples])
			if err != nil {
				return nil, err
			}
			c.frameLen = n
			c.spoken[[snippet]byte(frame[:])] = true
		}
	}
	return c, nil
}

// judge sorts what passed the wire. secure is the time from the first Hello to
// the first SRTP packet or Conf2ACK, 0 if it did not come to that.
func (c *clearCheck) judge(seen []datagram) (sent [2]traffic, secure time.Duration) {
	var hello time.Time
	confirmed := false
	var firstBytes [2]map[byte]bool
	for s := range firstBytes {
		firstBytes[s] = map[byte]bool{}
	}
	for _, d := range seen {
		t, keyed := &sent[d.from], false
		message := zrtpType(d.b)
		payload := rtpPayload(d.b)
		switch kind := media.Classify(d.b); {
		case c.leaks(d.b):
			t.Clear++
		case kind == media.KindZRTP && message != wire.Type{}:
			t.ZRTP++
			if message == wire.TypeHello && hello.IsZero() {
				hello = d.at
			}
			confirmed = confirmed || message == wire.TypeConfirm1 || message == wire.TypeConfirm2
			keyed = message == wire.TypeConf2ACK
		case kind == media.KindRTP && confirmed && c.sealedLength(len(payload)):
			t.SRTP++
			firstBytes[d.from][payload[0]] = true
			keyed = true
		case kind == media.KindRTCP && confirmed && !plainRTCP(d.b):
			t.SRTCP++
		default:
			t.Clear++
		}
		if keyed && secure == 0 && !hello.IsZero() {
			secure = d.at.Sub(hello)
		}
	}
	for s := range sent {
		sent[s].distrust(len(firstBytes[s]))
	}
	return sent, secure
}

// distrust takes a whole stream for clear if there are too few values among
// the first bytes of its payloads: of n random bytes, a quarter of min(n, 256)
// differ with a certainty that leaves no doubt.
func (t *traffic) distrust(values int) {
	if t.SRTP >= 16 && values < min(t.SRTP, 256)/4 {
		t.Clear += t.SRTP
		t.SRTP = 0
	}
}

func (c *clearCheck) sealedLength(n int) bool {
	return n == c.frameLen+shortTag || n == c.frameLen+longTag
}

// leaks reports whether a piece of the spoken words is anywhere in b.
func (c *clearCheck) leaks(b []byte) bool {
	for ; len(b) >= snippet; b = b[1:] {
		if c.spoken[[snippet]byte(b)] {
			return true
		}
	}
	return false
}

// fragment stands for the type of a message of which a packet holds a part.
var fragment = wire.Type{'f', 'r', 'a', 'g', 'm', 'e', 'n', 't'}

// zrtpType is the type of the ZRTP message in b, zero if there is none.
func zrtpType(b []byte) wire.Type {
	p, err := wire.ParsePacket(b)
	if err != nil {
		return wire.Type{}
	}
	if p.Fragment != (wire.Fragment{}) {
		return fragment
	}
	t, err := wire.MessageType(p.Message)
	if err != nil {
		return wire.Type{}
	}
	return t
}

// rtpPayload is what follows the header (RFC 3550 §5.1), which SRTP leaves in
// the clear; nil if there is nothing.
func rtpPayload(b []byte) []byte {
	if len(b) < 12 {
		return nil
	}
	start := 12 + 4*int(b[0]&0x0f)
	if b[0]&0x10 != 0 {
		if len(b) < start+4 {
			return nil
		}
		start += 4 + 4*int(binary.BigEndian.Uint16(b[start+2:]))
	}
	if len(b) <= start {
		return nil
	}
	return b[start:]
}

// plainRTCP reports whether b is nothing but RTCP packets one after another
// (RFC 3550 §6.1). SRTCP has a trailer that does not fit into that (RFC 3711
// §3.4).
func plainRTCP(b []byte) bool {
	for len(b) >= 4 {
		n := 4 + 4*int(binary.BigEndian.Uint16(b[2:]))
		if b[0]>>6 != 2 || n > len(b) {
			return false
		}
		b = b[n:]
	}
	return len(b) == 0
}
