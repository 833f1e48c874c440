package protect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"sotto/media/protect/internal/tier"
)

// behind is all that v points to, and what that points to in turn.
func behind(v reflect.Value) (found []reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		if v.Kind() == reflect.Pointer {
			found = append(found, v.Elem())
		}
		return append(found, behind(v.Elem())...)
	case reflect.Struct:
		for _, field := range v.Fields() {
			found = append(found, behind(field)...)
		}
	}
	return found
}

// Close leaves nothing of the keys, nor of what the standard library made of them.
func TestCloseWipes(t *testing.T) {
	eachProfile(t, func(t *testing.T, p Profile) {
		eachTier(t, func(t *testing.T, tier tier.Tier) {
			s, o := newTierPair(t, p, tier)
			reportSealer, reportOpener := s.rtcp, o.rtcp
			all := []*sessionKeys{&s.keys, &reportSealer.keys, &o.keys, &reportOpener.keys}
			var std []reflect.Value
			for _, k := range all {
				std = append(std, behind(reflect.ValueOf(k).Elem())...)
			}
			if tier.String() == "go" && len(std) < len(all) {
				t.Errorf("the standard library has only %d parts of the keys", len(std))
			}
			for i, v := range std {
				if v.IsZero() {
					t.Errorf("part %d is not there", i)
				}
			}
			for i, k := range all {
				if k.high == 0 || reflect.ValueOf(k.cm).IsZero() == !p.aead() || reflect.ValueOf(k.gcm).IsZero() == p.aead() {
					t.Errorf("keys %d are not there", i)
				}
			}
			s.Close()
			o.Close()
			for i, k := range all {
				if !reflect.ValueOf(k).Elem().IsZero() {
					t.Errorf("keys %d were not wiped", i)
				}
			}
			for i, v := range std {
				if !v.IsZero() {
					t.Errorf("part %d, %v, was not wiped", i, v.Type())
				}
			}
		})
	})
}

// wantNoAllocations runs f, which returns the error it met, many times.
func wantNoAllocations(t *testing.T, what string, want error, f func() error) {
	t.Helper()
	if n := testing.AllocsPerRun(300, func() {
		if err := f(); !errors.Is(err, want) {
			t.Fatalf("%s: %v, want %v", what, err, want)
		}
	}); n != 0 {
		t.Errorf("%s allocates %v times", what, n)
	}
}

// Nothing allocates once keys are made: neither what is sealed and opened, alone
// or in batches, nor what is refused.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	eachProfile(t, func(t *testing.T, p Profile) {
		eachTier(t, func(t *testing.T, tier tier.Tier) {
			s, o := newTierPair(t, p, tier)
			plain, buf := rtpPacket(testSSRC, 0, 160), make([]byte, 256)
			seq := uint16(0)
			next := func() int {
				seq++
				copy(buf, plain)
				binary.BigEndian.PutUint16(buf[2:], seq)
				n, err := s.Seal(buf, len(plain))
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			wantNoAllocations(t, "Open", nil, func() error { _, err := o.Open(buf[:next()]); return err })
			old := bytes.Clone(buf[:next()])
			wantNoAllocations(t, "a wrong tag", ErrAuth, func() error { old[len(old)-1] ^= 1; _, err := o.Open(old); old[len(old)-1] ^= 1; return err })
			forged := bytes.Clone(old)
			forged[len(forged)-1] ^= 1
			wantNoAllocations(t, "another source", ErrAuth, func() error { forged[8]++; _, err := o.Open(forged); return err })
			if _, err := o.Open(bytes.Clone(old)); err != nil {
				t.Fatal(err)
			}
			wantNoAllocations(t, "a replay", ErrReplay, func() error { _, err := o.Open(old); return err })
			wantNoAllocations(t, "half a packet", ErrMalformed, func() error { _, err := o.Open(old[:15]); return err })
			wantNoAllocations(t, "a used index", ErrReuse, func() error { copy(buf[2:4], old[2:4]); _, err := s.Seal(buf, len(plain)); return err })

			report, room := rtcpPacket(testSSRC, 40), make([]byte, 128)
			sealReport := func() int {
				copy(room, report)
				n, err := s.SealRTCP(room, len(report))
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			wantNoAllocations(t, "OpenRTCP", nil, func() error { _, err := o.OpenRTCP(room[:sealReport()]); return err })
			oldReport := bytes.Clone(room[:sealReport()])
			wantNoAllocations(t, "a wrong tag of RTCP", ErrAuth, func() error {
				oldReport[9] ^= 1
				_, err := o.OpenRTCP(oldReport)
				oldReport[9] ^= 1
				return err
			})
			if _, err := o.OpenRTCP(bytes.Clone(oldReport)); err != nil {
				t.Fatal(err)
			}
			wantNoAllocations(t, "a replay of RTCP", ErrReplay, func() error { _, err := o.OpenRTCP(oldReport); return err })
		})
	})
}

// The same for batches, in which every fourth packet is forged and every fifth a
// replay.
func TestBatchAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	eachProfile(t, func(t *testing.T, p Profile) {
		eachTier(t, func(t *testing.T, tier tier.Tier) {
			const streams = 10
			out, in := make([]Outgoing, 4*streams), make([]Incoming, 4*streams)
			plain := rtpPacket(testSSRC, 0, 160)
			for i := range out {
				out[i].Packet = make([]byte, 256)
				if i < streams {
					out[i].Sealer, in[i].Opener = newTierPair(t, p, tier)
				} else {
					out[i].Sealer, in[i].Opener = out[i-streams].Sealer, in[i-streams].Opener
				}
			}
			seq := uint16(0)
			opened := 0
			wantNoAllocations(t, "a batch", nil, func() error {
				for i := range out {
					copy(out[i].Packet, plain)
					if i%streams == 0 {
						seq++
					}
					binary.BigEndian.PutUint16(out[i].Packet[2:], seq)
					out[i].N = len(plain)
				}
				SealBatch(out)
				for i := range in {
					if out[i].Err != nil {
						return out[i].Err
					}
					in[i].Packet = out[i].Packet[:out[i].N]
					if i%4 == 0 {
						in[i].Packet[30] ^= 1
					}
					if i%5 == 4 {
						copy(in[i].Packet, in[i-1].Packet)
					}
				}
				OpenBatch(in)
				for i := range in {
					if in[i].Err == nil {
						opened++
					}
				}
				return nil
			})
			if opened == 0 {
				t.Error("nothing opened")
			}
		})
	})
}

// Whoever prints a Sealer or an Opener, or logs one, sees nothing of its keys.
func TestPrintsNothing(t *testing.T) {
	s, o, _ := newPair(t, AESCM128HMACSHA1_80)
	for _, v := range []any{s, o} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%q", "%d"} {
			if got := fmt.Sprintf(verb, v); !strings.HasSuffix(got, "redacted") || len(got) > 40 {
				t.Errorf("%s: %s", verb, got)
			}
		}
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", v)
		if len(log.String()) > 400 || !strings.Contains(log.String(), "redacted") {
			t.Error(log.String())
		}
	}
}
