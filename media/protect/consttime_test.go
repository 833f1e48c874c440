//go:build consttime

package protect

import (
	"bytes"
	"crypto/subtle"
	"testing"

	"sotto/internal/dudect"
	"sotto/media/protect/internal/tier"
)

// How close a forged tag came may not show in the time: the classes differ in which
// byte of it is wrong, the first or the last. Preparing one reads and writes the same
// places as preparing the other: what was done to the tag right before the clock
// starts shows when the tag is read.
func TestConstantTimeTag(t *testing.T) {
	for _, p := range []Profile{AESCM128HMACSHA1_80, AESCM128HMACSHA1_32, AEADAES128GCM, AEADAES256GCM} {
		for _, tier := range tier.Available() {
			s, o := newTierPair(t, p, tier)
			wantOpen(t, o, seal(t, s, rtpPacket(testSSRC, 1, 40)), rtpPacket(testSSRC, 1, 40)) // the source is known
			right := seal(t, s, rtpPacket(testSSRC, 2, 40))
			report := sealRTCP(t, s, rtcpPacket(testSSRC, 40))
			pkt, control := bytes.Clone(right), bytes.Clone(report)
			jobs := make([]Incoming, 8)
			for i := range jobs {
				jobs[i] = Incoming{Opener: o, Packet: pkt} // refused, so that they may share it
			}
			accepted := false
			name := p.String() + " on " + tier.String()
			measure := func(what string, pkt, right []byte, first, last, repeat int, run func()) {
				early, late := bytes.Clone(right), bytes.Clone(right)
				early[first]++
				late[last]++
				dudect.Constant(t, dudect.Case{
					Name: name + what, Samples: 10_000, Repeat: repeat, Run: run,
					Prepare: func(class int) {
						copy(pkt, early)
						subtle.ConstantTimeCopy(class, pkt, late)
					},
				})
			}
			tag := len(right) - p.TagLen()
			measure("", pkt, right, tag, len(right)-1, 16, func() { _, err := o.Open(pkt); accepted = accepted || err == nil })
			measure(", batch", pkt, right, tag, len(right)-1, 2, func() {
				OpenBatch(jobs)
				for i := range jobs {
					accepted = accepted || jobs[i].Err == nil
				}
			})
			last := len(report) - 1 // behind the index, or before it (RFC 7714 §9.2)
			if p.aead() {
				last -= rtcpIndexLen
			}
			first := last + 1 - (p.RTCPOverhead() - rtcpIndexLen)
			measure(", RTCP", control, report, first, last, 16, func() { _, err := o.OpenRTCP(control); accepted = accepted || err == nil })
			if n, err := o.OpenRTCP(report); accepted || err != nil || n == 0 {
				t.Errorf("%s: a wrong tag was accepted, or a right one was not: %v", name, err)
			}
			wantOpen(t, o, right, rtpPacket(testSSRC, 2, 40))
		}
	}
}
