package main

// sipMutants are what signalling is held against before it does anything, and
// what bounds those who make others of it.
func sipMutants() []mutant {
	const agent, dialog, incoming, message = "sip/agent.go", "sip/dialog.go", "sip/incoming.go", "sip/message.go"
	const outgoing, route, transport = "sip/outgoing.go", "sip/route.go", "sip/transport.go"
	return []mutant{
		{route, "case answerable(m.req):", "case m.req != nil:", "TestGarbage"},
		off(route, "d.branch != branchOf(m.req)", "TestLoop"),
		{route, "if len(d.inbox) < inboxSize/2 {", "if true {", "TestLostLeavesRoom"},
		{route, " || len(m.GetHeaders(\"Content-Encoding\")) > 0", "", "TestRefusals"},
		{message, "case m.broken != nil:", "case false:", "TestGarbage"},
		{message, "case tagOf(r.From().Params) == \"\":", "case false:", "TestRefusals"},
		{message, "case strings.TrimSpace(string(r.CSeq().MethodName)) != string(r.Method):", "case false:", "TestRefusals"},
		{message, "case printable(r.From().Address.String()) != r.From().Address.String():", "case false:", "TestRefusals"},
		{message, "len(r.GetHeaders(\"Via\")) != 1 || ", "", "TestStrayResponses"},
		{message, " || r.StatusCode < 100 || r.StatusCode > 699", "", "TestStrayResponses"},
		off(message, "m.req.Method == sip.ACK", "TestACKGetsNothing"),
		{agent, " || !plain(u.String())", "", "TestRefusals"},
		{transport, "if broken == nil {", "if true {", "TestStrayResponses"},
		{transport, "err = c.SetReadDeadline(time.Now().Add(partialTimeout))\n", "", "TestStreamSaysNothing"},
		{transport, "case fresh:", "case true:", "TestStreamDrips"},
		{transport, "len(t.all) >= limit && !t.makeRoom()", "len(t.all) >= limit", "TestTooManyStreams"},
		{transport, "len(t.all) >= limit && !t.makeRoom()", "false", "TestStreamsOfCalls|TestTooManyStreams"},
		{transport, "s.calls == 0 && (", "(", "TestStreamsOfCalls"},
		{transport, " || s.heard < silent.heard", "", "TestTooManyStreams"},
		without(transport, "f.stream.Close() // perhaps in the middle of a message", "TestHalfWritten"),
		without(route, "d.carriedBy(d.home)", "TestStreamsOfCalls"),
		without(outgoing, "d.carriedBy(f)", "TestStreamOfOurCall"),
		without(incoming, "d.carriedBy(m.from)", "TestCallChangesStreams"),
		without(dialog, "d.agent.transport.carry(d.carrier, nil)", "TestStreamsOfCalls"),
		{outgoing, "t.branch == branch && ", "branch != \"\" && ", "TestStrayResponses"},
		{outgoing, " && !d.patient(t)", "", "TestForgedUnreachable$"},
		off(outgoing, "d.patient(t)", "TestForgedUnreachableOften"),
		{outgoing, "case t.wire == nil:", "case false:", "TestOfferFindsNoWay"},
		off(outgoing, "len(t.confirmed) == maxForks", "TestTooManyForks"),
		{outgoing, "ok && writable(r.Address) && plain(r.Address.String())", "ok", "TestRoute"},
		off(incoming, "d.peer.tag != \"\" && d.peer.tag != tagOf(r.From().Params)", "TestRequestsInCall"),
		off(incoming, "int64(t.seq) <= d.remoteSeq", "TestRequestsInCall"),
		off(incoming, "room <= 0", "TestByeBehindFlood"),
		without(incoming, "room -= keptForTheEnd", "TestByeBehindFlood"),
		{incoming, "if d.state == ended {\n\t\td.afterEnd", "if false {\n\t\td.afterEnd", "TestAskedAfterTheEnd"},
		{agent, "case len(a.dialogs) >= maxDialogs:", "case false:", "TestTooManyDialogs"},
		{"sip/event.go", "repeats && len(q.list) >= maxRinging", "false && repeats", "TestRingsForEver"},
		{"sip/offer.go", "case d.offering():", "case false:", "TestOneOfferAtATime"},
		{"sip/offer.go", "case d.state == offered || d.owed:", "case d.state == offered:", "TestOfferTakenBack"},
		off("sip/flood.go", "now.Before(f.quiet)", "TestFloodFillsNoLog"),
		{"sip/reason.go", "!unicode.IsPrint(r) || ", "", "TestReasonTexts"},
	}
}
