package sip

import (
	"slices"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"sotto/sip/sdp"
)

// handle takes every message that arrives, on the goroutine of the reader it
// arrived at, and gives it to the one dialog it belongs to. That is all the
// ordering there is: one reader a socket, one queue a dialog, so that nothing
// overtakes anything. What belongs to no dialog is answered here, statelessly.
func (a *Agent) handle(m message) {
	switch {
	case m.lost != nil:
		for _, d := range a.all() {
			if len(d.inbox) < inboxSize/2 { // anybody can make connections and break them
				d.enqueue(m)
			}
		}
	case m.res != nil:
		key, ok := responseKey(m.res)
		if d := a.find(key); ok && d != nil {
			d.enqueue(m)
			return
		}
		a.log.Debug("stray response", "peer", m.from.peer, "code", m.res.StatusCode)
	case answerable(m.req):
		a.handleRequest(m)
	default:
		a.log.Debug("request without the headers to answer it", "peer", m.from.peer)
	}
}

func (a *Agent) handleRequest(m message) {
	r := m.req
	a.log.Debug("request", "method", printable(string(r.Method)), "call", printable(r.CallID().Value()), "peer", m.from.peer)
	if r.SipVersion != "SIP/2.0" {
		a.decline(m, 505)
		return
	}
	if tooLarge(r) {
		a.decline(m, 513)
		return
	}
	if wrong := checkRequest(m); wrong != "" {
		a.decline(m, 400, header{"Warning", `399 sotto "` + wrong + `"`})
		return
	}
	if tag := tagOf(r.To().Params); tag != "" {
		if d := a.find(dialogKey{r.CallID().Value(), tag}); d != nil {
			d.enqueue(m)
			return
		}
		a.decline(m, 481)
		return
	}
	key := inviteKey{r.CallID().Value(), tagOf(r.From().Params), r.CSeq().SeqNo}
	switch r.Method {
	case sip.INVITE:
		a.handleInvite(m, key)
	case sip.CANCEL:
		if d := a.findInvite(key); d != nil {
			d.enqueue(m)
			return
		}
		a.decline(m, 481)
	case sip.ACK: // to a response we sent statelessly
	case sip.OPTIONS:
		a.decline(m, 200, header{"Allow", allow}, header{"Accept", contentSDP})
	case sip.BYE, sip.UPDATE:
		a.decline(m, 481)
	default:
		a.declineMethod(m)
	}
}

func (a *Agent) declineMethod(m message) {
	if known[string(m.req.Method)] {
		a.decline(m, 405, header{"Allow", allow})
		return
	}
	a.decline(m, 501)
}

// handleInvite makes a dialog of an INVITE from outside, unless there is one,
// or something about it can't be understood.
func (a *Agent) handleInvite(m message, key inviteKey) {
	if d := a.findInvite(key); d != nil {
		if d.branch != branchOf(m.req) {
			a.decline(m, 482) // it came twice, by two ways
			return
		}
		d.enqueue(m)
		return
	}
	if code, why := checkInvite(m.req); code != 0 {
		a.decline(m, code, why...)
		return
	}
	d := newDialog(a, m.req.CallID().Value(), newTag())
	if err := d.arrived(m); err != nil {
		a.decline(m, 400, header{"Warning", `399 sotto "Unusable Contact"`})
		return
	}
	err := a.add(d, key, func() {
		d.carriedBy(d.home)
		d.respond(time.Now(), d.invited, 100)
		d.run(nil, nil)
	})
	if err != nil {
		a.log.Debug("call refused", "error", err)
		a.decline(m, 503, header{"Retry-After", "10"})
	}
}

// checkInvite says which failure an INVITE deserves before anybody hears of
// it, or 0: RFC 3261 §8.2.2 and §8.2.3.
func checkInvite(r *sip.Request) (int, []header) {
	if r.Recipient.Scheme != "sip" {
		return 416, nil
	}
	if unknown := required(r); unknown != "" {
		return 420, []header{{"Unsupported", unknown}}
	}
	return checkOffer(r)
}

// required lists the extensions that r insists on. We have none.
func required(r *sip.Request) string {
	var tags []string
	for _, h := range r.GetHeaders("Require") {
		tags = append(tags, h.Value())
	}
	return strings.Join(tags, ", ")
}

// checkOffer says which failure the body of r deserves as an offer, or 0. An
// offer that would come later, with the ACK, is refused: nobody could look at
// it before the call is up.
func checkOffer(r *sip.Request) (int, []header) {
	if len(r.Body()) == 0 {
		return 488, []header{{"Warning", `399 sotto "An offer is needed in the request"`}}
	}
	if !describesSession(r) {
		return 415, []header{{"Accept", contentSDP}}
	}
	if _, err := sdp.Parse(r.Body()); err != nil {
		return 400, []header{{"Warning", `399 sotto "Malformed session description"`}}
	}
	return 0, nil
}

// describesSession reports whether the body of m is a plain SDP.
func describesSession(m interface {
	ContentType() *sip.ContentTypeHeader
	GetHeaders(name string) []sip.Header
}) bool {
	t := m.ContentType()
	if t == nil || len(m.GetHeaders("Content-Encoding")) > 0 {
		return false
	}
	kind, _, _ := strings.Cut(t.Value(), ";")
	return strings.EqualFold(strings.TrimSpace(kind), contentSDP)
}

// answerOf returns the description in a response, or nil if there is none, or
// an error if it is none that we understand.
func answerOf(r *sip.Response) ([]byte, error) {
	if len(r.Body()) == 0 {
		return nil, nil
	}
	if !describesSession(r) {
		return nil, errNotSDP
	}
	if _, err := sdp.Parse(r.Body()); err != nil {
		return nil, err
	}
	return slices.Clone(r.Body()), nil
}
