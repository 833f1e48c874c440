package engine

import "strings"

// addressOfRecord reduces a SIP address to what names the user: scheme, user
// and host, without port and parameters, so that a peer is the same one when
// it calls and when it is called (RFC 6189 §12).
func addressOfRecord(address string) string {
	if start := strings.IndexByte(address, '<'); start >= 0 {
		address, _, _ = strings.Cut(address[start+1:], ">")
	}
	address, _, _ = strings.Cut(address, ";")
	address, _, _ = strings.Cut(address, "?")
	scheme, rest, ok := strings.Cut(address, ":")
	if !ok {
		return address
	}
	user, host, ok := strings.Cut(rest, "@")
	if !ok {
		user, host = "", rest
	}
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	return strings.ToLower(scheme) + ":" + user + "@" + strings.ToLower(host)
}
