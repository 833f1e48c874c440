package sip

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"
)

// heldBye is a BYE that came before the ACK of our 2xx. Datagrams can swap
// places on their way; so the BYE waits a round trip's time for the ACK.
type heldBye struct {
	tx    *serverTx
	until time.Time
}

func (h heldBye) due(now time.Time) bool { return h.tx != nil && !now.Before(h.until) }

// arrived sets up the dialog of an INVITE from outside, RFC 3261 §12.1.1,
// before run starts.
func (d *Dialog) arrived(m message) error {
	r := m.req
	c := r.Contact()
	if c == nil {
		return ErrBadAddress
	}
	d.tcp, d.home = m.from.reliable(), m.from
	if _, err := targetOf(c.Address, d.tcp); err != nil {
		return err
	}
	d.state = offered
	d.branch = branchOf(r)
	d.identity = publicIdentity(r.From().Address)
	d.offer = r.Body()
	d.local, d.remote = bare(r.To().Address), bare(r.From().Address)
	d.peer = peer{tag: tagOf(r.From().Params), target: c.Address, routes: recordedRoute(r)}
	d.remoteSeq = int64(r.CSeq().SeqNo)
	d.seq = rand.Uint32N(1 << 16)
	d.invited = d.newServer(m)
	return nil
}

// newServer registers a server transaction.
func (d *Dialog) newServer(m message) *serverTx {
	t := &serverTx{
		method: string(m.req.Method), branch: branchOf(m.req), seq: m.req.CSeq().SeqNo,
		flow: replyFlow(m.req, m.from), state: proceeding, req: m.req,
	}
	d.server = append(d.server, t)
	return t
}

// newResponse makes a response within the dialog.
func (d *Dialog) newResponse(t *serverTx, code int) *sip.Response {
	res := d.agent.newResponse(t.req, code, d.tag)
	if code > 100 && code < 300 && (t.method == methodInvite || t.method == "UPDATE") {
		res.AppendHeader(d.agent.contact(t.flow.reliable()))
		res.AppendHeader(sip.NewHeader("Allow", allow))
	}
	return res
}

func (d *Dialog) sendResponse(now time.Time, t *serverTx, res *sip.Response) {
	wire := []byte(res.String())
	t.respond(now, res.StatusCode, wire)
	d.send(t.flow, wire)
}

// respond answers a request.
func (d *Dialog) respond(now time.Time, t *serverTx, code int, headers ...header) {
	res := d.newResponse(t, code)
	for _, h := range headers {
		res.AppendHeader(sip.NewHeader(h.name, h.value))
	}
	d.sendResponse(now, t, res)
}

// agree answers an INVITE or UPDATE with 200 and the answer to its offer.
func (d *Dialog) agree(now time.Time, t *serverTx, answer []byte) {
	res := d.newResponse(t, 200)
	res.AppendHeader(sip.NewHeader("Content-Type", contentSDP))
	res.SetBody(answer)
	d.sendResponse(now, t, res)
}

// handleRequest takes a request of this dialog.
func (d *Dialog) handleRequest(now time.Time, m message) {
	r := m.req
	method := r.Method
	if d.peer.tag != "" && d.peer.tag != tagOf(r.From().Params) {
		d.agent.decline(m, 481) // another dialog than this, RFC 3261 §12.2.2
		return
	}
	d.carriedBy(m.from)
	if method == sip.ACK {
		d.handleACK(now, r)
		return
	}
	if t := d.findServer(branchOf(r), string(method)); t != nil {
		if t.wire != nil && (t.state == proceeding || t.state == completed) {
			d.send(t.flow, t.wire)
		}
		return
	}
	if d.state == ended {
		d.afterEnd(now, m)
		return
	}
	room := maxTransactions - len(d.server)
	if method != sip.BYE && method != sip.CANCEL {
		room -= keptForTheEnd
	}
	if room <= 0 {
		return
	}
	t := d.newServer(m)
	if method == sip.CANCEL {
		d.handleCancel(now, t, r)
		return
	}
	if d.state != dialing { // of several phones that ring, each counts by itself
		if int64(t.seq) <= d.remoteSeq {
			d.respond(now, t, 500) // out of order, RFC 3261 §12.2.2
			return
		}
		d.remoteSeq = int64(t.seq)
	}
	d.dispatch(now, t, r)
}

// afterEnd answers a request when the call has ended, and notes nothing: who
// goes on asking must not keep the dialog alive.
func (d *Dialog) afterEnd(now time.Time, m message) {
	code := 481
	switch m.req.Method {
	case sip.BYE: // both hang up at once
		code = 200
		if d.byeOnACK { // whoever hangs up has our answer, and needs no BYE
			d.byeOnACK = false
			d.invited.acknowledge(now)
		}
	case sip.CANCEL:
		if d.findServer(branchOf(m.req), methodInvite) != nil {
			code = 200
		}
	}
	d.send(replyFlow(m.req, m.from), []byte(d.agent.newResponse(m.req, code, d.tag).String()))
}

// findServer returns the server transaction of a request seen before.
func (d *Dialog) findServer(branch, method string) *serverTx {
	for _, t := range d.server {
		if t.branch == branch && t.method == method {
			return t
		}
	}
	return nil
}

// dispatch acts on a new request within the dialog.
func (d *Dialog) dispatch(now time.Time, t *serverTx, r *sip.Request) {
	if unknown := required(r); unknown != "" {
		d.respond(now, t, 420, header{"Unsupported", unknown})
		return
	}
	switch r.Method {
	case sip.BYE:
		d.handleBye(now, t)
	case sip.INVITE, sip.UPDATE:
		d.handleOffer(now, t, r)
	case sip.OPTIONS:
		d.respond(now, t, 200, header{"Allow", allow}, header{"Accept", contentSDP})
	default:
		if known[string(r.Method)] {
			d.respond(now, t, 405, header{"Allow", allow})
		} else {
			d.respond(now, t, 501)
		}
	}
}

// handleACK takes the ACK of a failure, which has the branch of its INVITE, or
// of a 2xx, which has its CSeq.
func (d *Dialog) handleACK(now time.Time, r *sip.Request) {
	if t := d.findServer(branchOf(r), methodInvite); t != nil && t.state == completed {
		t.acknowledge(now)
		return
	}
	i := slices.IndexFunc(d.server, func(t *serverTx) bool {
		return t.method == methodInvite && t.state == accepted && t.seq == r.CSeq().SeqNo
	})
	if i < 0 {
		return // repeated
	}
	if d.server[i] != d.invited {
		d.server[i].acknowledge(now)
		return
	}
	d.answerArrived(now)
	if d.heldBye.tx != nil {
		d.releaseBye(now)
	}
	if d.byeOnACK {
		d.byeOnACK = false
		d.sendBye(now, d.peer, d.byeText)
	}
}

// answerArrived notes that the caller has our 2xx.
func (d *Dialog) answerArrived(now time.Time) {
	d.invited.acknowledge(now)
	if d.state == answered {
		d.state = up
		d.events.put(Confirmed{})
	}
}

// neverConfirmed acts on a 2xx of ours that got no ACK, RFC 3261 §13.3.1.4.
func (d *Dialog) neverConfirmed(now time.Time) {
	switch {
	case d.byeOnACK:
		d.byeOnACK = false
		d.sendBye(now, d.peer, d.byeText)
	case d.state != ended:
		d.loseCall(now, Reason{Text: "our answer was not acknowledged"})
	}
}

// handleCancel ends a call, or takes back an offer, that we have not answered,
// RFC 3261 §9.2.
func (d *Dialog) handleCancel(now time.Time, t *serverTx, r *sip.Request) {
	invite := d.findServer(branchOf(r), methodInvite)
	if invite == nil {
		d.respond(now, t, 481)
		return
	}
	d.respond(now, t, 200)
	switch {
	case invite.state != proceeding: // too late
	case invite == d.invited:
		d.end(now, Reason{Kind: Cancelled, Code: 487, Text: reasonText(r), Remote: true})
		d.respond(now, invite, 487)
	case invite == d.asked:
		d.asked = nil
		d.respond(now, invite, 487)
	}
}

// handleBye ends the call, now or when the ACK before it has come.
func (d *Dialog) handleBye(now time.Time, t *serverTx) {
	switch d.state {
	case dialing:
		d.respond(now, t, 481) // who has not answered cannot hang up
	case offered:
		d.end(now, Reason{Kind: Cancelled, Text: reasonText(t.req), Remote: true})
		d.respond(now, t, 200)
		d.respond(now, d.invited, 487)
	case answered:
		if d.heldBye.tx != nil {
			d.respond(now, t, 200) // one waits already
			return
		}
		d.heldBye = heldBye{t, now.Add(timerT1)}
	case up:
		d.hungUp(now, t)
	}
}

func (d *Dialog) hungUp(now time.Time, t *serverTx) {
	d.end(now, Reason{Kind: HungUp, Text: reasonText(t.req), Remote: true})
	d.respond(now, t, 200)
}

// releaseBye handles the BYE that was held back, its ACK here or not.
func (d *Dialog) releaseBye(now time.Time) {
	t := d.heldBye.tx
	d.heldBye = heldBye{}
	d.invited.acknowledge(now) // whoever hangs up has our answer
	d.byeOnACK = false
	d.hungUp(now, t)
}

// retryAfter tells when an offer may be repeated, RFC 3261 §14.2.
func retryAfter() header { return header{"Retry-After", strconv.Itoa(rand.IntN(10))} }
