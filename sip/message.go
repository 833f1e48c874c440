package sip

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

const (
	methodInvite = "INVITE"
	contentSDP   = "application/sdp"
	allow        = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE"
)

// known lists the methods of other standards: they get 405, all else 501.
var known = map[string]bool{
	"REGISTER": true, "SUBSCRIBE": true, "NOTIFY": true, "REFER": true, "INFO": true,
	"MESSAGE": true, "PRACK": true, "PUBLISH": true,
}

// phrases are the reason phrases of what we send, RFC 3261 §21.
var phrases = map[int]string{
	100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK",
	400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
	406: "Not Acceptable", 408: "Request Timeout", 410: "Gone", 415: "Unsupported Media Type",
	416: "Unsupported URI Scheme", 420: "Bad Extension", 480: "Temporarily Unavailable",
	481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 486: "Busy Here",
	487: "Request Terminated", 488: "Not Acceptable Here", 491: "Request Pending",
	500: "Server Internal Error", 501: "Not Implemented", 503: "Service Unavailable",
	505: "Version Not Supported", 513: "Message Too Large", 600: "Busy Everywhere", 603: "Decline", 606: "Not Acceptable",
}

// dialogKey finds a dialog by its Call-ID and our tag, RFC 3261 §12.
type dialogKey struct{ callID, tag string }

// inviteKey finds the dialog that an INVITE without a To tag has made: what is
// the same in its retransmissions, in its CANCEL, and in copies of it that
// came another way, RFC 3261 §8.2.2.2.
type inviteKey struct {
	callID, fromTag string
	seq             uint32
}

// newTag returns a tag that cannot be guessed, RFC 3261 §19.3.
func newTag() string { return strings.ToLower(rand.Text()[:16]) }

// newBranch returns a unique branch, RFC 3261 §8.1.1.7.
func newBranch() string { return sip.RFC3261BranchMagicCookie + rand.Text() }

func hostOf(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

// plain reports whether s can stand in a request line or between < and >.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`<>"\`, r)
	})
}

// parseURI reads an address that a person typed or configured.
func parseURI(s string) (sip.Uri, error) {
	var u sip.Uri
	if !plain(s) {
		return u, fmt.Errorf("%w: %q", ErrBadAddress, s)
	}
	if err := sip.ParseUri(s, &u); err != nil || u.Scheme != "sip" || len(u.Headers) > 0 {
		return u, fmt.Errorf("%w: %q; it should look like sip:user@host", ErrBadAddress, s)
	}
	_, err := targetOf(u, false)
	return u, err
}

// publicIdentity is an address without port and parameters: who, not where.
func publicIdentity(u sip.Uri) string {
	if u.Scheme != "sip" {
		return printable(u.String())
	}
	if u.User == "" {
		return "sip:" + strings.ToLower(u.Host)
	}
	return "sip:" + u.User + "@" + strings.ToLower(u.Host)
}

// tagOf returns the tag of a From or To header, or "".
func tagOf(params sip.HeaderParams) string {
	tag, _ := params.Get("tag")
	return tag
}

// checkRequest says what makes a request impossible to work with, or "".
func checkRequest(m message) string {
	r := m.req
	switch {
	case m.broken != nil:
		return "Incomplete Message Body"
	case tagOf(r.From().Params) == "":
		return "Missing From Tag"
	case strings.TrimSpace(string(r.CSeq().MethodName)) != string(r.Method):
		return "CSeq Does Not Match the Method"
	case printable(r.From().Address.String()) != r.From().Address.String():
		return "Unprintable From"
	}
	return ""
}

// maxHead and maxHeaders bound a request without its body, in bytes and in
// header values: of a datagram full of short ones the parser makes 2 MB.
const (
	maxHead    = 8 << 10
	maxHeaders = 128
)

// tooLarge reports whether r is larger than anybody's who means to call us.
func tooLarge(r *sip.Request) bool {
	return len(r.Headers()) > maxHeaders || len(r.String())-len(r.Body()) > maxHead
}

// answerable reports whether r has the headers that every response copies,
// and in a form that can be written again.
func answerable(r *sip.Request) bool {
	for _, h := range r.GetHeaders("Via") {
		if v, ok := h.(*sip.ViaHeader); !ok || v.Host == "" || v.Transport == "" {
			return false
		}
	}
	return r.Via() != nil && r.CallID() != nil && r.CSeq() != nil &&
		r.From() != nil && writable(r.From().Address) && r.To() != nil && writable(r.To().Address)
}

// writable reports whether a URI that was read can be written: the parser lets
// more pass as a host than is one.
func writable(u sip.Uri) bool {
	if u.Scheme != "sip" {
		return true // kept as it came
	}
	if inner, ok := strings.CutPrefix(u.Host, "["); ok {
		addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && addr.Is6() && addr.Zone() == ""
	}
	return u.Host != "" && plain(u.Host) && !strings.ContainsAny(u.Host, "@:;?,[]")
}

// responseKey returns the dialog a response belongs to. Responses that passed
// another element on the way to us are not ours, RFC 3261 §8.1.3.3.
func responseKey(r *sip.Response) (dialogKey, bool) {
	if r.Via() == nil || r.From() == nil || r.To() == nil || r.CallID() == nil || r.CSeq() == nil ||
		len(r.GetHeaders("Via")) != 1 || r.StatusCode < 100 || r.StatusCode > 699 {
		return dialogKey{}, false
	}
	return dialogKey{r.CallID().Value(), tagOf(r.From().Params)}, true
}

// branchOf identifies the transaction of a request, RFC 3261 §17.2.3. The
// CSeq is for peers whose branches are not unique.
func branchOf(r *sip.Request) string {
	via := r.Via()
	branch, _ := via.Params.Get("branch")
	return fmt.Sprintf("%s %s %d", branch, via.SentBy(), r.CSeq().SeqNo)
}

// replyFlow is where responses to r go, RFC 3261 §18.2.2 and RFC 3581 §4: to
// the connection or address it came from, and on UDP without rport to the port
// that its Via names.
func replyFlow(r *sip.Request, from flow) flow {
	if from.reliable() {
		return from
	}
	if r.Via().Params.Has("rport") {
		return from
	}
	port := r.Via().Port
	if port <= 0 || port > 0xffff {
		port = 5060
	}
	return flow{peer: netip.AddrPortFrom(from.peer.Addr(), uint16(port))}
}

// header is a header field to add to a message.
type header struct{ name, value string }

// newResponse makes a response to r, RFC 3261 §8.2.6.
func (a *Agent) newResponse(r *sip.Request, code int, tag string) *sip.Response {
	res := sip.NewResponseFromRequest(r, code, phrases[code], nil)
	res.SipVersion = "SIP/2.0"
	if code > 100 {
		res.To().Params.Add("tag", tag)
	}
	source, err := netip.ParseAddrPort(r.Source())
	if err == nil && source.Addr().String() != strings.Trim(r.Via().Host, "[]") {
		res.Via().Params.Add("received", source.Addr().String()) // RFC 3261 §18.2.1
	}
	return res
}

// statelessTag is the To tag of a response to a request we keep no state for:
// the same for each retransmission, RFC 3261 §8.2.7.
func (a *Agent) statelessTag(r *sip.Request) string {
	if tag := tagOf(r.To().Params); tag != "" {
		return tag
	}
	mac := hmac.New(sha256.New, a.tagKey[:])
	fmt.Fprintf(mac, "%q %q", r.CallID().Value(), branchOf(r))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// decline answers r without keeping any state.
func (a *Agent) decline(m message, code int, headers ...header) {
	if m.req.Method == sip.ACK {
		return
	}
	res := a.newResponse(m.req, code, a.statelessTag(m.req))
	for _, h := range headers {
		res.AppendHeader(sip.NewHeader(h.name, h.value))
	}
	if err := a.transport.send(replyFlow(m.req, m.from), []byte(res.String())); err != nil {
		a.log.Debug("cannot answer", "peer", m.from.peer, "error", err)
	}
}

// via makes the topmost Via of a request, RFC 3261 §8.1.1.7 and RFC 3581 §3.
func (a *Agent) via(branch string) *sip.ViaHeader {
	addr := a.Addr()
	v := &sip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: "UDP",
		Host: hostOf(addr.Addr()), Port: int(addr.Port()),
	}
	v.Params.Add("branch", branch)
	v.Params.Add("rport", "")
	return v
}

// contact is where the peer reaches us within a dialog.
func (a *Agent) contact(tcp bool) *sip.ContactHeader {
	u := sip.Uri{Scheme: "sip", User: a.identity.User, Host: hostOf(a.Addr().Addr()), Port: int(a.Addr().Port())}
	if tcp {
		u.UriParams.Add("transport", "tcp")
	}
	return &sip.ContactHeader{Address: u}
}

// reasonHeader writes text as a Reason header, RFC 3326 §2.
func reasonHeader(text string) sip.Header {
	text = strings.NewReplacer(`"`, "'", `\`, "/").Replace(printable(text))
	return sip.NewHeader("Reason", "SIP;text="+strconv.Quote(text))
}

// reasonText reads the text of a Reason header, or returns "".
func reasonText(r *sip.Request) string {
	h := r.GetHeader("Reason")
	if h == nil {
		return ""
	}
	_, text, ok := strings.Cut(h.Value(), `text="`)
	if !ok {
		return ""
	}
	text, _, _ = strings.Cut(text, `"`)
	return printable(text)
}
