package sip

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/emiago/sipgo/sip"

	"sotto/internal/netsim"
)

// FuzzDatagrams sends an agent datagrams, which === separates, while it takes
// every call and every offer. {tag} stands for the tag that it last gave
// itself. Whatever comes, nothing panics or gets stuck, and every request that
// the agent makes is well formed.
func FuzzDatagrams(f *testing.F) {
	s := &script{at: aliceAt, to: bobAt}
	say := func(texts ...string) {
		var all [][]byte
		for _, text := range texts {
			all = append(all, s.expand(text))
		}
		f.Add(bytes.Join(all, []byte("===")))
	}
	ack, bye := within("ACK", "{tag}", 1, ""), within("BYE", "{tag}", 9, "")
	say(invite("", offerSDP), ack, within("UPDATE", "{tag}", 2, bodied(offerSDP)), bye)
	say(invite("", offerSDP), invite("", offerSDP), bye, ack)
	say(invite("", offerSDP), replaceMethod(invite("", offerSDP), "CANCEL"), replaceMethod(invite("", offerSDP), "ACK"))
	say(invite("", offerSDP), ack, within("INVITE", "{tag}", 3, bodied(offerSDP)), within("INVITE", "{tag}", 4, bodied(offerSDP)))
	say(invite("Require: timer\nRecord-Route: <sip:192.0.2.1;lr>, <sip:x;lr>\n", []byte("v=0")), other("OPTIONS"), other("MESSAGE"))
	say("SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKx\nFrom: <sip:a@b>;tag=x\nTo: <sip:b@c>;tag={tag}\nCall-ID: x\nCSeq: 1 INVITE")
	say("OPTIONS sip:[::1]:5060;transport=tcp?a=b SIP/2.0\nv: SIP / 2.0 / UDP [::1]:9;branch=;received=;rport=1\nf: \"a \\\" b\" <tel:1>;tag=1\nt: *\ni: 1\nCSeq: 0 OPTIONS")
	f.Fuzz(func(t *testing.T, input []byte) {
		synctest.Test(t, func(t *testing.T) { fuzzAgent(t, input) })
	})
}

func fuzzAgent(t *testing.T, input []byte) {
	w := newWorld(t, netsim.Config{})
	tag := "none"
	w.net.Tap = func(from, _ netip.AddrPort, b []byte) {
		if from != bobAt {
			return
		}
		m, err := sip.ParseMessage(b)
		if err != nil {
			// A response may echo the headers of a request that is not well made.
			if !bytes.HasPrefix(b, []byte("SIP/2.0 ")) {
				t.Errorf("the agent sends %q: %v", b, err)
			}
			return
		}
		if _, ok := m.(*sip.Response); ok && m.To() != nil && tagOf(m.To().Params) != "" {
			tag = tagOf(m.To().Params)
		}
	}
	bob := w.agent(bobAt)
	s := w.script(aliceAt, bob)
	go func() {
		for d, err := bob.Accept(t.Context()); err == nil; d, err = bob.Accept(t.Context()) {
			go takeCall(t, d)
		}
	}()
	for text := range strings.SplitSeq(string(input), "===") {
		s.write([]byte(strings.ReplaceAll(text, "{tag}", tag)))
		synctest.Wait()
	}
	bob.Close()
}

// takeCall answers a call and every offer in it until it ends.
func takeCall(t *testing.T, d *Dialog) {
	d.Ring()
	d.Answer(answerSDP)
	offers := 0
	for {
		e, err := d.Next(t.Context())
		if err != nil {
			return
		}
		switch e.(type) {
		case Offer:
			if offers++; offers%2 == 0 {
				d.RejectOffer(488)
			} else {
				d.AnswerOffer(answerSDP)
			}
		case Ended:
			return
		}
	}
}
