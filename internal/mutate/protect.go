package main

// protectMutants are the checks of SRTP: what was seen before, what is
// authentic, and what may be sealed.
func protectMutants() []mutant {
	const opener, sealer, stream, batch = "media/protect/opener.go", "media/protect/sealer.go", "media/protect/stream.go", "media/protect/batch.go"
	const alone = "if !o.decrypt(pkt, header, index) {\n\t\treturn 0, ErrAuth\n\t}\n\ts.commit(index)"
	return []mutant{
		off(opener, "!s.fresh(index)", "TestReplay$"),
		{opener, "case s != nil && !s.fresh(index):", "case false:", "TestReplayRTCP"},
		{opener, alone, "s.commit(index)\n\tif !o.decrypt(pkt, header, index) {\n\t\treturn 0, ErrAuth\n\t}", "TestTruncatedAndFlipped"},
		off(opener, "differs(pkt[n:], &tag)", "TestTruncatedAndFlipped"),
		off(opener, "differs(pkt[n+rtcpIndexLen:], &tag)", "TestTruncatedAndFlipped"),
		off(opener, "word&encrypted == 0", "TestClearSRTCPRefused"),
		{opener, "header == 0 || cryptex(pkt)", "header == 0", "TestCryptexRefused"},
		{opener, "len(pkt) < rtpHeaderLen+int(o.tagLen) || len(pkt) > maxPacket", "len(pkt) < rtpHeaderLen+int(o.tagLen)", "TestLongestPacket"},
		{opener, "n < rtcpHeaderLen || len(pkt) > maxPacket", "n < rtcpHeaderLen", "TestLongestPacket"},
		{opener, "case o.streams.full():", "case false:", "TestSourcesAreBounded"},
		{opener, "case s == nil && r.streams.full():", "case false:", "TestSourcesAreBounded"},
		{opener, "case s.begun:", "case false:", "TestSetROC"},
		{opener, " || roc+k < roc", "", "TestSetROC"},
		{opener, "k == o.rollovers && seq >= 1<<15 || ", "", "TestRolloverSearch"},
		{opener, "case c.Rollovers < 1 || c.Rollovers > maxRollovers:", "case false:", "TestConfig"},
		without(opener, "\t\to.keys.wipe()", "TestCloseWipes"),
		without(opener, "o.rtcp.keys.wipe()", "TestCloseWipes"),
		off(sealer, "ahead <= 0", "TestSealRefuses"),
		off(sealer, "index >= maxPackets", "TestLeft"),
		off(sealer, "r.index == maxReports-1", "TestLeft"),
		{sealer, "case s.bound || s.begun:", "case false:", "TestResume"},
		{sealer, "case packet >= maxPackets || report >= maxReports:", "case false:", "TestResume"},
		off(sealer, "len(pkt)-n < int(s.tagLen)", "TestSealRefuses"),
		{sealer, "s.index, s.begun = index, true", "_ = index", "TestSealRefuses"},
		without(sealer, "s.rtcp.keys.wipe()", "TestCloseWipes"),
		without(sealer, "\t\ts.keys.wipe()", "TestCloseWipes"),
		{sealer, "n > len(pkt) || n > maxPacket-int(s.tagLen)", "n > len(pkt)", "TestLongestPacket"},
		{sealer, "n > len(pkt) || n > maxPacket-s.profile.RTCPOverhead()", "n > len(pkt)", "TestLongestPacket"},
		{sealer, "rtpSSRC(pkt)\n\tif !s.owns(ssrc)", "rtpSSRC(pkt)\n\tif false", "TestSealRefuses"},
		{sealer, "rtcpSSRC(pkt)\n\tif !s.owns(ssrc)", "rtcpSSRC(pkt)\n\tif false", "TestSealRefuses"},
		without(stream, "roc--", "TestGuess"),
		without(stream, "roc++", "TestGuess"),
		{stream, "s.highest-index < uint64(s.window) && ", "", "TestWindow"},
		without(stream, "s.forget(index)", "TestWindow"),
		off(batch, "!w.stream.fresh(w.index)", "TestBatchIsOneAfterTheOther"),
		off(batch, "differs(pkt[n:], tag)", "TestBatchIsOneAfterTheOther"),
		{batch, "w.stream == nil || w.stream.guess(rtpSequence(j.Packet)) != w.index", "w.stream == nil", "TestBatchIsOneAfterTheOther"},
		without("media/protect/internal/cm/keys.go", "k.std.wipe()", "TestWipe"),
		without("media/protect/internal/gcm/keys.go", "k.std.wipe()", "TestWipe"),
		without("media/protect/internal/gcm/standard.go", "copy(text, backup)", "TestLengths"),
		off("media/protect/internal/gcm/standard.go", "authentic", "TestLengths"),
		{"media/protect/internal/gcm/standard.go", "authentic := subtle.ConstantTimeCompare(was[:], tag) == 1", "authentic := subtle.ConstantTimeCompare(was[:], tag) >= 0", "TestLengths"},
	}
}
