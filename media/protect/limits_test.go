package protect

import (
	"bytes"
	"errors"
	"testing"

	"sotto/media/protect/internal/tier"
)

// Counter mode counts a packet's blocks in sixteen bits (RFC 3711 §4.1.1): a
// longer packet would go on in the keystream of another index. What no IP datagram
// holds is neither sealed nor opened; what one just holds is.
func TestLongestPacket(t *testing.T) {
	eachProfile(t, func(t *testing.T, p Profile) {
		eachTier(t, func(t *testing.T, tier tier.Tier) {
			s, o := newTierPair(t, p, tier)
			for _, sealed := range []int{1<<20 + 64, maxPacket + 1} {
				n := sealed - p.TagLen()
				pkt := rtpPacket(testSSRC, 1, n-rtpHeaderLen)
				buf := room(pkt, p.TagLen())
				if m, err := s.Seal(buf, n); !errors.Is(err, ErrMalformed) || m != 0 || !bytes.Equal(buf[:n], pkt) {
					t.Errorf("%d bytes: sealed to %d, %v", n, m, err)
				}
				out := []Outgoing{{Sealer: s, Packet: buf, N: n}}
				if SealBatch(out); !errors.Is(out[0].Err, ErrMalformed) || out[0].N != 0 || !bytes.Equal(buf[:n], pkt) {
					t.Errorf("%d bytes in a batch: %v", n, out[0].Err)
				}
				wantError(t, o.Open, buf, ErrMalformed)

				n = sealed - p.RTCPOverhead()
				report := rtcpPacket(testSSRC, n-rtcpHeaderLen)
				buf = room(report, p.RTCPOverhead())
				if m, err := s.SealRTCP(buf, n); !errors.Is(err, ErrMalformed) || m != 0 || !bytes.Equal(buf[:n], report) {
					t.Errorf("%d bytes of RTCP: sealed to %d, %v", n, m, err)
				}
				buf[p.rtcpIndexAt(len(buf))] = 0x80 // encrypted
				wantError(t, o.OpenRTCP, buf, ErrMalformed)
			}
			pkt := rtpPacket(testSSRC, 1, maxPacket-p.TagLen()-rtpHeaderLen)
			wantOpen(t, o, seal(t, s, pkt), pkt)
			report := sealRTCP(t, s, rtcpPacket(testSSRC, maxPacket-p.RTCPOverhead()-rtcpHeaderLen))
			if _, err := o.OpenRTCP(report); err != nil {
				t.Error(err)
			}
		})
	})
}
