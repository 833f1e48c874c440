// Package sip is a SIP user agent, RFC 3261, for calls of one voice stream:
// INVITE, ACK, CANCEL, BYE, OPTIONS, and re-INVITE and UPDATE for changes such
// as hold, over UDP and TCP on one port.
//
// An [Agent] is one identity at one address. [Agent.Invite] and [Agent.Accept]
// give a [Dialog], which is one call. What happens in it is pulled with
// [Dialog.Next], in the order in which it happened; what is to happen is said
// with its other methods. Session descriptions go in and out as bytes, and
// those that come out are known to parse with package sdp.
//
//	d, err := agent.Invite(ctx, "sip:bob@192.0.2.2", offer)
//	for {
//		e, err := d.Next(ctx)
//		switch e := e.(type) {
//		case sip.Ringing:
//		case sip.Answered: // e.SDP
//		case sip.Offer:    // d.AnswerOffer or d.RejectOffer, at once
//		case sip.Ended:    // e.Reason says why, for people and for programs
//		}
//	}
//
// # Order
//
// One reader a socket parses what arrives and puts it into the queue of the
// one dialog it belongs to, and one goroutine a dialog works its queue off.
// So nothing overtakes anything: a BYE right behind an ACK is handled after
// it, every time. Where the network itself has swapped the two, the BYE waits
// half a second for its ACK. sipgo, from which the message syntax comes, would
// start one goroutine a message; that is why its transport and transactions
// are not used, and because its timers are variables of the whole program.
//
// # Offers
//
// A call has at most one offer open at a time, in either direction, as
// RFC 3261 §14 demands. An INVITE without an offer is refused: the answer
// would be up before anybody could look at what the peer wants.
//
// # Strangers
//
// Anybody can send to an agent, and what they can have it keep is bounded:
// dialogs, and the transactions and events of each; connections, of which those
// on which nobody speaks make room for others and those of calls stay; what is
// remembered of a call that was refused; lines of the log. ICMP errors, which
// anybody can send too, fail no offer within a call.
//
// # Goroutines
//
//	name              owner   stops when             waited for by
//	readDatagrams     Agent   its socket closes      Agent.Close
//	acceptStreams     Agent   its socket closes      Agent.Close
//	readStream        Agent   its connection closes  Agent.Close
//	Dialog.run        Agent   the call is over       Agent.Close
//	look-up and dial  Dialog  done, or Agent.Close   Agent.Close
package sip
