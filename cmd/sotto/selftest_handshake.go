package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"sotto/zrtp"
	"sotto/zrtp/wire"
)

// agreeing is one of two ends that agree keys in the self-test.
type agreeing struct {
	*zrtp.Session
	secured       *zrtp.Secured
	send, receive *zrtp.SRTPKeys
}

func (a *agreeing) done() bool { return a.secured != nil && a.send != nil && a.receive != nil }

// checkHandshake has two Sessions agree keys, in virtual time.
func checkHandshake(keyAgreement, sas string) error {
	now := time.Unix(0, 0)
	var ends [2]agreeing
	for i := range ends {
		s, err := zrtp.New(zrtp.Config{
			Rand: rand.Reader, ZID: wire.ZID{byte(i + 1)}, SSRC: uint32(i + 1), ClientID: "self-test",
			Policy: zrtp.Policy{Offer: zrtp.Offer{KeyAgreements: []wire.Algo{wire.A(keyAgreement)}, SASTypes: []wire.Algo{wire.A(sas)}}},
		})
		if err != nil {
			return err
		}
		ends[i].Session = s
		defer ends[i].end()
		s.Start(now)
	}
	for range 1000 {
		if ends[0].done() && ends[1].done() {
			return sameKeys(&ends[0], &ends[1])
		}
		quiet := true
		for i := range ends {
			passed, err := ends[i].pass(now, ends[1-i].Session)
			if err != nil {
				return err
			}
			quiet = quiet && !passed
		}
		if quiet {
			now = now.Add(10 * time.Millisecond)
			ends[0].HandleTimeout(now)
			ends[1].HandleTimeout(now)
		}
	}
	return errors.New("the two ends come to no end")
}

// pass hands a's packets to the other end and takes a's events.
func (a *agreeing) pass(now time.Time, to *zrtp.Session) (passed bool, err error) {
	for {
		packet, ok := a.AppendPacket(nil)
		if !ok {
			break
		}
		passed = true
		_ = to.HandlePacket(now, packet) // what comes too early is repeated
	}
	for event := a.NextEvent(); event != nil; event = a.NextEvent() {
		switch e := event.(type) {
		case zrtp.KeysReady:
			if e.Send != nil {
				a.send = e.Send
			}
			if e.Receive != nil {
				a.receive = e.Receive
			}
		case zrtp.Secured:
			a.secured = &e
		case zrtp.Failed:
			return passed, fmt.Errorf("failed with %v: %w", e.Code, e.Err)
		}
	}
	return passed, nil
}

// end wipes what a has.
func (a *agreeing) end() {
	a.Close()
	for _, k := range []*zrtp.SRTPKeys{a.send, a.receive} {
		if k != nil {
			k.Wipe()
		}
	}
}

// sameKeys compares what two ends came to.
func sameKeys(a, b *agreeing) error {
	if a.secured.SAS != b.secured.SAS || a.secured.Suite != b.secured.Suite {
		return errors.New("the two ends show a different SAS")
	}
	for _, k := range [][2]*zrtp.SRTPKeys{{a.send, b.receive}, {b.send, a.receive}} {
		if !k[0].Key.Equal(k[1].Key) || !k[0].Salt.Equal(k[1].Salt) {
			return errors.New("the two ends have different keys")
		}
	}
	return nil
}
