package sip

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/emiago/sipgo/sip"
)

var errNotSDP = errors.New("sip: the body is no session description")

// maxForks bounds the answers of different phones to one INVITE.
const maxForks = 8

// outgoing prepares a call to an address. The peer's tag is not known yet.
func (d *Dialog) outgoing(to sip.Uri) {
	d.identity = publicIdentity(to)
	d.local = bare(d.agent.identity)
	d.remote = bare(to)
	d.peer = peer{target: to}
	d.seq = rand.Uint32N(1 << 16)
	t, _ := targetOf(to, false)
	d.tcp = t.tcp
}

// bare is what stands in From and To: no port, no parameters, RFC 3261 §19.1.1.
func bare(u sip.Uri) sip.Uri {
	if u.Scheme != "sip" {
		return *u.Clone()
	}
	return sip.Uri{Scheme: u.Scheme, User: u.User, Host: u.Host}
}

// invite sends the INVITE that makes the call.
func (d *Dialog) invite(offer []byte) {
	d.seq++
	d.initial = d.newClient(methodInvite, d.seq, d.peer)
	d.submit(time.Now(), d.initial, d.newOffer(d.initial, offer))
}

// newClient registers a client transaction to p.
func (d *Dialog) newClient(method string, seq uint32, p peer) *clientTx {
	t := &clientTx{method: method, seq: seq, branch: newBranch(), to: p}
	d.client = append(d.client, t)
	return t
}

// newRequest makes the request of t, or its ACK or CANCEL.
func (d *Dialog) newRequest(method string, t *clientTx) *sip.Request {
	r := sip.NewRequest(sip.RequestMethod(method), t.to.target)
	from := &sip.FromHeader{Address: d.local}
	from.Params.Add("tag", d.tag)
	to := &sip.ToHeader{Address: d.remote}
	if t.to.tag != "" {
		to.Params.Add("tag", t.to.tag)
	}
	callID := sip.CallIDHeader(d.callID)
	hops := sip.MaxForwardsHeader(70)
	r.AppendHeader(d.agent.via(t.branch))
	for _, u := range t.to.routes {
		r.AppendHeader(&sip.RouteHeader{Address: u})
	}
	r.AppendHeader(&hops)
	r.AppendHeader(from)
	r.AppendHeader(to)
	r.AppendHeader(&callID)
	r.AppendHeader(&sip.CSeqHeader{SeqNo: t.seq, MethodName: sip.RequestMethod(method)})
	r.AppendHeader(sip.NewHeader("User-Agent", d.agent.userAgent))
	r.SetBody(nil)
	return r
}

// newOffer makes an INVITE with a description.
func (d *Dialog) newOffer(t *clientTx, offer []byte) *sip.Request {
	r := d.newRequest(methodInvite, t)
	r.AppendHeader(d.agent.contact(d.tcp))
	r.AppendHeader(sip.NewHeader("Allow", allow))
	r.AppendHeader(sip.NewHeader("Content-Type", contentSDP))
	r.SetBody(offer)
	return r
}

// submit sends the request of t as soon as its way is known.
func (d *Dialog) submit(now time.Time, t *clientTx, r *sip.Request) {
	d.route(now, t.to.next(), len(r.String()), func(now time.Time, f flow, err error) {
		if t.state != idle {
			return // given up meanwhile
		}
		if err == nil {
			t.flow = f
			d.carriedBy(f)
			r.Via().Transport = f.network()
			t.wire = []byte(r.String())
			t.start(now)
			err = d.agent.transport.send(f, t.wire)
			if d.patient(t) {
				err = nil
			}
		}
		if err != nil {
			t.terminate()
			d.clientFailed(now, t, networkReason(err))
		}
	})
}

// route finds the way for a request and calls then on the dialog's goroutine:
// at once if nothing has to be looked up or dialled.
func (d *Dialog) route(now time.Time, next sip.Uri, size int, then func(now time.Time, f flow, err error)) {
	t, err := targetOf(next, d.tcp)
	if err != nil {
		then(now, flow{}, err)
		return
	}
	if addr, err := netip.ParseAddr(t.host); err == nil {
		peer := netip.AddrPortFrom(addr.Unmap(), t.port)
		if !t.tcp && size <= maxDatagram {
			then(now, flow{peer: peer}, nil)
			return
		}
		if f, ok := d.openStream(peer); ok {
			then(now, f, nil)
			return
		}
	}
	d.looking++
	d.agent.work.Go(func() {
		f, err := d.agent.reach(d.agent.ctx, t, size)
		select {
		case d.calls <- func(now time.Time) { d.looking--; then(now, f, err) }:
		case <-d.finished:
		}
	})
}

// openStream returns a connection to peer that is open. The one on which the
// peer called serves too if it comes from the same machine: what listens there,
// if anything does, may be out of our reach.
func (d *Dialog) openStream(peer netip.AddrPort) (flow, bool) {
	if f, ok := d.agent.transport.open(peer); ok {
		return f, true
	}
	if !d.home.reliable() || d.home.peer.Addr() != peer.Addr() {
		return flow{}, false
	}
	f, ok := d.agent.transport.open(d.home.peer)
	return f, ok && f == d.home
}

// networkReason says in terms of a call why a request did not get away.
func networkReason(err error) Reason {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return Reason{Kind: UnknownHost, Text: printable(dns.Name)}
	case errors.As(err, &dns):
		return Reason{Kind: Unreachable, Text: "the host name cannot be looked up"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return Reason{Kind: Refused}
	}
	return Reason{Kind: Unreachable, Text: printable(err.Error())}
}

// handleResponse finds the transaction of a response and acts on it.
func (d *Dialog) handleResponse(now time.Time, r *sip.Response) {
	branch, _ := r.Via().Params.Get("branch")
	i := slices.IndexFunc(d.client, func(t *clientTx) bool {
		return t.branch == branch && t.method == string(r.CSeq().MethodName)
	})
	if i < 0 {
		return
	}
	t := d.client[i]
	use, ack := t.receive(now, r.StatusCode)
	if ack {
		d.ackFailure(t, r)
	}
	switch {
	case !use:
	case t == d.initial:
		d.inviteResponse(now, t, r)
	case t.method == methodInvite:
		d.reofferResponse(now, t, r)
	}
}

// ackFailure confirms a failure of an INVITE, RFC 3261 §17.1.1.3: the same
// branch, the same way, and the tag that came with the failure.
func (d *Dialog) ackFailure(t *clientTx, r *sip.Response) {
	if t.ack == nil {
		confirmed := *t
		confirmed.to.tag = tagOf(r.To().Params)
		ack := d.newRequest("ACK", &confirmed)
		ack.Via().Transport = t.flow.network()
		t.ack = []byte(ack.String())
	}
	d.send(t.flow, t.ack)
}

// inviteResponse takes a response to our call.
func (d *Dialog) inviteResponse(now time.Time, t *clientTx, r *sip.Response) {
	switch code := r.StatusCode; {
	case code < 200:
		if t.cancel {
			d.sendCancel(now, t)
		}
		if code > 100 && d.state == dialing {
			preview, _ := answerOf(r) // a broken preview is none
			d.events.put(Ringing{Code: code, SDP: preview})
		}
	case code < 300:
		d.accepted(now, t, r)
	case d.state == dialing:
		d.end(now, statusReason(code, r.Reason))
	}
}

// accepted takes a 2xx to our call. Only the first counts, and only if we
// still want it: any other phone that answers is hung up on, RFC 3261 §13.2.2.4.
func (d *Dialog) accepted(now time.Time, t *clientTx, r *sip.Response) {
	p := peerOf(r, t.to)
	if d.confirmAgain(t, p.tag) {
		return
	}
	if d.state != dialing {
		d.confirm(now, t, p, func(now time.Time) { d.sendBye(now, p, "") })
		return
	}
	d.peer = p
	answer, err := answerOf(r)
	if answer == nil {
		d.confirm(now, t, p, func(now time.Time) { d.sendBye(now, p, "malformed session description") })
		d.end(now, malformedAnswer(err))
		return
	}
	d.confirm(now, t, p, func(time.Time) {})
	d.state = up
	d.events.put(Answered{answer})
}

// malformedAnswer is the Reason of an answer that we cannot read, or that is
// not there.
func malformedAnswer(err error) Reason {
	r := Reason{Kind: Malformed, Text: "the answer has no session description", Remote: true}
	if err != nil {
		r.Text = printable(err.Error())
	}
	return r
}

// peerOf reads the far end of the dialog from its answer, RFC 3261 §12.1.2.
func peerOf(r *sip.Response, called peer) peer {
	p := peer{tag: tagOf(r.To().Params), target: called.target}
	if c := r.Contact(); c != nil {
		if _, err := targetOf(c.Address, false); err == nil {
			p.target = c.Address
		}
	}
	p.routes = recordedRoute(r)
	slices.Reverse(p.routes)
	return p
}

// recordedRoute lists the Record-Route of a message, in its order, without
// what could not be written into a Route.
func recordedRoute(m interface{ GetHeaders(string) []sip.Header }) []sip.Uri {
	var routes []sip.Uri
	for _, h := range m.GetHeaders("Record-Route") {
		if r, ok := h.(*sip.RecordRouteHeader); ok && writable(r.Address) && plain(r.Address.String()) {
			routes = append(routes, r.Address)
		}
	}
	return routes
}

// confirm sends the ACK of a 2xx, RFC 3261 §13.2.2.4, keeps it for when the
// 2xx is repeated, and then calls then.
func (d *Dialog) confirm(now time.Time, t *clientTx, p peer, then func(now time.Time)) {
	if len(t.confirmed) == maxForks {
		return
	}
	t.confirmed = append(t.confirmed, confirmation{tag: p.tag})
	c := len(t.confirmed) - 1
	r := d.newRequest("ACK", &clientTx{branch: newBranch(), seq: t.seq, to: p})
	d.route(now, p.next(), len(r.String()), func(now time.Time, f flow, err error) {
		if err != nil {
			d.agent.log.Debug("cannot send the ACK", "call", printable(d.callID), "error", err)
		} else {
			r.Via().Transport = f.network()
			t.confirmed[c].flow, t.confirmed[c].ack = f, []byte(r.String())
			d.confirmAgain(t, p.tag)
		}
		then(now)
	})
}

// confirmAgain repeats the ACK to a 2xx seen before. It reports whether there
// was one with this tag.
func (d *Dialog) confirmAgain(t *clientTx, tag string) bool {
	for _, c := range t.confirmed {
		if c.tag == tag {
			if c.ack != nil {
				d.send(c.flow, c.ack)
			}
			return true
		}
	}
	return false
}

// abandon gives a call of ours up before it was answered.
func (d *Dialog) abandon(now time.Time, r Reason) {
	if d.state != dialing {
		return
	}
	d.end(now, r)
	switch t := d.initial; t.state {
	case idle:
		t.terminate()
	case calling:
		t.cancel = true // not before a provisional response, RFC 3261 §9.1
	case proceeding:
		d.sendCancel(now, t)
	}
}

// sendCancel cancels our INVITE: same branch, same way, RFC 3261 §9.1.
func (d *Dialog) sendCancel(now time.Time, t *clientTx) {
	t.cancel = false
	t.bound(now)
	c := &clientTx{method: "CANCEL", branch: t.branch, seq: t.seq, to: t.to, flow: t.flow}
	r := d.newRequest(c.method, c)
	r.Via().Transport = t.flow.network()
	c.wire = []byte(r.String())
	c.start(now)
	d.client = append(d.client, c)
	if d.agent.transport.send(c.flow, c.wire) != nil {
		c.terminate()
	}
}

// sendBye hangs up on p.
func (d *Dialog) sendBye(now time.Time, p peer, text string) {
	d.seq++
	t := d.newClient("BYE", d.seq, p)
	r := d.newRequest(t.method, t)
	if text != "" {
		r.AppendHeader(reasonHeader(text))
	}
	d.submit(now, t, r)
}

// patient reports whether t leaves it to its timers what the network says of
// its datagrams. An ICMP error proves nothing: who knows two addresses can send
// one. It may fail a call that is not answered, as RFC 3261 §18.4 has it. An
// offer within a call goes on: it would end the call.
func (d *Dialog) patient(t *clientTx) bool {
	return t.method == methodInvite && t != d.initial && !t.flow.reliable()
}

// handleLost fails what was sent to a peer that cannot be reached, unless it
// has shown itself alive by a response.
func (d *Dialog) handleLost(now time.Time, m message) {
	for _, t := range slices.Clone(d.client) {
		if t.state == calling && t.flow == m.from && !d.patient(t) {
			t.terminate()
			d.clientFailed(now, t, networkReason(m.lost))
		}
	}
}

// clientFailed acts on a request that got no final response.
func (d *Dialog) clientFailed(now time.Time, t *clientTx, r Reason) {
	switch {
	case t == d.initial && d.state == dialing:
		d.end(now, r)
	case d.reoffer == nil || t != d.reoffer.tx:
	case t.wire == nil: // no way was found: to the other side nothing has happened
		d.reoffer.result <- reanswer{err: r}
		d.reoffer = nil
	default:
		d.loseCall(now, r)
	}
}

// loseCall ends a call whose other side no longer keeps it up. A BYE says so
// in case it hears us after all, RFC 3261 §12.2.1.2.
func (d *Dialog) loseCall(now time.Time, r Reason) {
	d.sendBye(now, d.peer, "")
	r.Kind = Lost
	d.end(now, r)
}
