package main

import "slices"

// zrtpMutants are the checks of the key agreement.
func zrtpMutants() []mutant { return slices.Concat(handshakeMutants(), trustMutants()) }

// handshakeMutants are those that messages pass on their way.
func handshakeMutants() []mutant {
	return []mutant{
		off("zrtp/chain.go", "subtle.ConstantTimeCompare(want, msg[len(msg)-macLen:]) != 1", "A1_CommitChanged|D6_HelloChanged"),
		off("zrtp/chain.go", "subtle.ConstantTimeCompare(preimage[:], image[:]) != 1", "D3_BrokenChain"),

		off("zrtp/commit.go", "err := follows(c.H2, s.peer.hello.H3, 1); err != nil", "D3_BrokenChain|D4_ForeignHelloAndCommit"),
		off("zrtp/commit.go", "c.ZID != s.peer.hello.ZID", "TestCommitOfAnotherZID"),
		off("zrtp/commit.go", "err := checkMAC(s.theirs.hello, h2); err != nil", "D6_HelloChanged"),
		{"zrtp/commit.go", "bytes.Compare(ours.HVI[:], theirs.HVI[:]) < 0", "bytes.Compare(ours.HVI[:], theirs.HVI[:]) <= 0", "A2_EqualHVI"},
		{"zrtp/commit.go", "bytes.Compare(ours.HVI[:], theirs.HVI[:]) < 0", "bytes.Compare(ours.HVI[:], theirs.HVI[:]) > 0", "A2_LowerCommitYields"},
		{"zrtp/commit.go", "bytes.Compare(ours.Nonce[:], theirs.Nonce[:]) < 0", "bytes.Compare(ours.Nonce[:], theirs.Nonce[:]) > 0", "A2_Nonces"},
		{"zrtp/commit.go", "\t\treturn public\n", "\t\treturn !public\n", "A2_DHAgainstPreshared"},
		{"zrtp/commit.go", "return s.cfg.MiTM // the phone", "return !s.cfg.MiTM // the phone", "TestPresharedWithPBX"},
		off("zrtp/commit.go", "code := s.permits(suite); code != 0", "D7_CommitsToWhatWasNotOffered|D7_ForbiddenPair"),
		{"zrtp/commit.go", "return dh && s.suite.KeyAgreement == suite.KeyAgreement && s.suite.Cipher == suite.Cipher", "return dh", "TestContentionBetweenAgreements"},
		off("zrtp/commit.go", "err := same(s.theirs.commit, msg); err != nil", "A4_ExchangedBetweenRepetitions"),

		off("zrtp/exchange.go", "subtle.ConstantTimeCompare(h.Sum(nil)[:32], s.peer.hvi[:]) != 1", "A1_CommitmentBroken"),
		off("zrtp/exchange.go", "err := checkMAC(s.theirs.commit, part.H1); err != nil", "A1_CommitChanged|A4_ExchangedFromTheBeginning"),
		off("zrtp/exchange.go", "err := follows(part.H1, s.peer.hello.H3, 2); err != nil", "D3_BrokenChain"),
		off("zrtp/exchange.go", "err := follows(part.H1, s.peer.h2, 1); err != nil", "D3_BrokenChain"),
		off("zrtp/exchange.go", "errors.Is(err, kex.ErrPublicValue)", "B2_LowOrderPoints"),
		off("zrtp/exchange.go", "!withPublicValues(s.suite.KeyAgreement)", "D1_DHPart1WithoutPublicValues"),
		off("zrtp/exchange.go", "err := same(s.theirs.dhPart, msg); err != nil", "D1_ChangedRepetitions"),
		{"zrtp/exchange.go", "\th.Write(initiator.commit)\n", "\t_ = initiator.commit\n", "TestKnown"},
		{"zrtp/exchange.go", "\th.Write(responder.hello)\n", "", "TestKnown"},
		without("zrtp/exchange.go", "s.retained.wipe() // s1 to s3 with it (RFC 6189 §4.4.1.4)", "TestSharedSecretsAreWipedAfterS0"),

		{"zrtp/confirm.go", "return subtle.ConstantTimeCompare(want, tag[:]) == 1", "return subtle.ConstantTimeCompare(want, tag[:]) >= 0", "D3_BadConfirm"},
		off("zrtp/confirm.go", "err := follows(plain.H0, image, steps); err != nil", "TestConfirmOfAnotherChain"),
		off("zrtp/confirm.go", "err := checkMAC(last, key); err != nil", "TestConfirmOfAnotherChain"),
		off("zrtp/session.go", "s.state != before", "D4_Throughout"),
		{"zrtp/session.go", "f.state == Clear && f.cfg.SSRC == cfg.SSRC", "f.cfg.SSRC == cfg.SSRC", "TestBackFromClearOnlyFromClear"},
		{"zrtp/session.go", "f.state == Clear && f.cfg.SSRC == cfg.SSRC", "f.state == Clear", "TestBackFromClearOnlyFromClear"},
		off("zrtp/confirm.go", "!s.clearAgreed()", "TestBackFromClearOnlyFromClear"),
		{"zrtp/confirm.go", "if err != nil { // and yet the peer's: its MAC is right", "if false {", "C3_SignatureBeyondConfirm"},
		off("zrtp/confirm.go", "s.state == CommitSent && withPublicValues(s.suite.KeyAgreement)", "D1_OutOfOrder|D4_Throughout"),
		{"zrtp/confirm.go", "plain.AllowClear && !plain.Enrollment", "plain.AllowClear", "GoClear|Enrol"},
		{"zrtp/confirm.go", "min(s.expiry(), plain.CacheExpiry)", "s.expiry()", "TestExpiry"},
		off("zrtp/confirm.go", "!s.continuity.mismatch", "TestRetainedSecrets"),
		{"zrtp/confirm.go", "if !s.continuity.mismatch {", "if true {", "E1_AlarmRepeats"},
		{"zrtp/confirm.go", "s.provenBefore() && s.peerFlags.Verified", "s.provenBefore()", "E4_BothFlagsAndTheSecret"},
		{"zrtp/confirm.go", "s.provenBefore() && s.peerFlags.Verified", "s.peerFlags.Verified", "E4_BothFlagsAndTheSecret"},
		off("zrtp/confirm.go", "errors.Is(err, errDisplaced)", "E1_StretchedHandshake"),
		{"zrtp/confirm.go", "case matched && s.denied:", "case false:", "TestVerifiedIsThisCallsSecret"},
		{"zrtp/confirm.go", "\t\tcase !matched:\n", "\t\tcase false:\n", "TestRetainedSecrets"},
		{"zrtp/confirm.go", "case r.RS1.Equal(s.keys.rs):", "case r.RS1.Len() > 0:", "E1_StretchedHandshake|E1_AlarmRepeats"},
		off("zrtp/confirm.go", "err := same(s.theirs.confirm, msg); err != nil", "D1_ChangedRepetitions"),
		without("zrtp/confirm.go", "s.keys.srtp[i].Wipe()", "TestWiped"),
		without("zrtp/confirm.go", "\ts.chain.wipe()\n", "TestWiped"),

		off("zrtp/discovery.go", "s.cfg.Policy.RequireHelloHash && s.helloHash == nil", "TestRequireHelloHash"),
		off("zrtp/discovery.go", "!s.helloFits(p.Message)", "D6_AnnouncedHelloDiffers"),
		{"zrtp/discovery.go", "bytes.Compare(hello.Version[:3], version[:3]) > 0", "false", "TestVersions"},
		{"zrtp/discovery.go", "case !bytes.Equal(hello.Version[:3], version[:3]):", "case false:", "TestVersions"},
		{"zrtp/discovery.go", "case hello.ZID == s.cfg.ZID:", "case false:", "D1_Reflection"},
		{"zrtp/discovery.go", "case s.peer.ssrc == s.cfg.SSRC:", "case false:", "TestSSRCCollision"},
		{"zrtp/discovery.go", "case s.call != nil && hello.ZID != s.call.peer:", "case false:", "TestMultistreamWithAnotherPeer"},
		{"zrtp/discovery.go", "case hello.Passive:", "case false:", "TestBothPassive"},
		{"zrtp/discovery.go", "s.suspect(now, Failed{Code: code, Err: err})", "s.fail(now, code, err)", "D4_|D1_|Stranger"},
		without("zrtp/discovery.go", "s.believeAt = time.Time{}", "D4_HellosOfStrangers"),
		off("zrtp/discovery.go", "err := s.retained.load(s.cfg.Store, hello.ZID, now); err != nil", "TestStoreFailures"),
		{"zrtp/discovery.go", "len(s.ours.commit) < 2*len(msg)", "true", "D2_RepeatedHello"},
		{"zrtp/discovery.go", "if r < ' ' || r > '~' {", "if false {", "TestClientIDIsPrintable"},
	}
}

// trustMutants are those of keys, secrets and what is agreed upon besides.
func trustMutants() []mutant {
	return []mutant{
		off("zrtp/session.go", "s.theirs.hello != nil && p.SSRC != s.peer.ssrc", "D4_AnotherSSRC"),
		{"zrtp/session.go", "row, ok := table[tableKey{s.state, t}]\n\tif !ok {", "row, ok := table[tableKey{s.state, t}]\n\tif !ok && false {", "TestTransitions"},
		{"zrtp/session.go", "case s.theirs.hello == nil || p.SSRC != s.peer.ssrc:", "case false:", "C5_BeyondTotal"},
		{"zrtp/session.go", "s.giveUp = earliest(now.Add(patience), s.giveUpAtLast)", "s.giveUp = now.Add(patience)", "TestResponderGivesUp"},
		{"zrtp/session.go", "return subtle.ConstantTimeCompare(sum[:], s.helloHash[:]) == 1", "return subtle.ConstantTimeCompare(sum[:], s.helloHash[:]) >= 0", "D6_AnnouncedHelloDiffers"},
		off("zrtp/session.go", "s.state > Idle && s.state < ErrorSent", "D6_AnnouncedHelloDiffers"),
		{"zrtp/session.go", "if s.state != Secure || s.call != nil {", "if s.state != Secure {", "D8_StreamsInParallel"},
		without("zrtp/session.go", "\ts.dropAgreement()\n", "TestWiped"),
		without("zrtp/session.go", "\ts.retained.wipe()\n", "TestWiped"),
		without("zrtp/session.go", "\ts.call.wipe()\n", "TestWiped"),

		{"zrtp/failure.go", "\ts.dropKeys()\n\ts.events = append(s.events, Failed{Code: code", "\ts.events = append(s.events, Failed{Code: code", "TestFailureTakesKeysBack"},
		{"zrtp/failure.go", "now.Add(stepRhythm.longest)", "now", "TestErrorIsBelieved|D4_Throughout"},

		off("zrtp/goclear.go", "subtle.ConstantTimeCompare(g.ClearMAC[:], s.clear.theirs[:]) != 1", "D5_GoClear"),
		off("zrtp/goclear.go", "!s.clearAgreed()", "D5_GoClear"),
		{"zrtp/goclear.go", "case !s.clearAgreed():", "case false:", "GoClear"},
		{"zrtp/goclear.go", "s.allowsClear() && s.peerFlags.AllowClear", "s.peerFlags.AllowClear", "GoClear"},
		{"zrtp/goclear.go", "s.cfg.Policy.AllowClear && !s.cfg.Enroll", "s.cfg.Policy.AllowClear", "GoClear"},
		without("zrtp/goclear.go", "\ts.keys.wipe()\n", "TestGoClear"),

		off("zrtp/relay.go", "!s.authentic(r.MAC, r.Encrypted)", "E6_Relay"),
		{"zrtp/relay.go", "!s.peer.hello.MiTM || slices.Contains(s.relays, r.MAC)", "slices.Contains(s.relays, r.MAC)", "E6_Relay"},
		{"zrtp/relay.go", "!s.peer.hello.MiTM || slices.Contains(s.relays, r.MAC)", "!s.peer.hello.MiTM", "TestRelay"},
		off("zrtp/relay.go", "len(s.relays) == maxRelays", "TestRelaysAreBounded"),
		off("zrtp/relay.go", "!slices.Contains(builtIn().SASTypes, plain.Scheme)", "E6_Relay"),
		off("zrtp/relay.go", "shown && !s.continuity.enrolled", "E6_Relay"),
		{"zrtp/relay.go", "case !s.continuity.enrolled && !far.continuity.enrolled:", "case false:", "TestRelayRefused"},

		{"zrtp/enroll.go", "case !s.compared && !s.provenBefore():", "case false:", "E6_EnrolmentNeedsConsent"},
		{"zrtp/confirm.go", "s.continuity.verified && !s.continuity.mismatch && !s.denied", "s.continuity.verified && !s.continuity.mismatch", "Enrol|E6_"},
		{"zrtp/enroll.go", "s.peerFlags.Enrollment && s.peer.hello.MiTM", "s.peerFlags.Enrollment", "E6_EnrolmentWithoutM"},

		off("zrtp/send.go", "s.call != nil && s.call.first.cfg.SSRC == s.cfg.SSRC", "TestBackFromClearGoesOnCounting"),
		{"zrtp/multistream.go", "case s.state != Secure && s.state != Clear:", "case false:", "D8_NotBeforeTheFirst"},
		{"zrtp/multistream.go", "case !slices.Contains(cfg.Policy.Offer.KeyAgreements, s.suite.KeyAgreement):", "case !slices.Contains(cfg.Policy.Offer.KeyAgreements, wire.Multistream):", "TestMultistreamKeepsToThePolicy"},
		{"zrtp/multistream.go", "case s.cfg.ZID != cfg.ZID:", "case false:", "D8_NotBeforeTheFirst"},

		{"zrtp/preshared.go", "r.record.RS1.Len() > 0 && r.record.Verified", "r.record.RS1.Len() > 0", "TestPreshared"},
		{"zrtp/preshared.go", "subtle.ConstantTimeCompare(got[:], id[:]) == 1", "subtle.ConstantTimeCompare(got[:], id[:]) >= 0", "TestPreshared"},
		{"zrtp/preshared.go", "if !s.call.nonces.take(c.Nonce) {", "if false {", "TestMultistreamNonceReuse"},

		off("zrtp/policy.go", "p.PostQuantum", "TestPolicy"),
		{"zrtp/policy.go", "return !slices.Contains(p.Refused, a)", "return true", "TestPolicy|TestRefusedThoughMandatory"},

		off("zrtp/retained.go", "displaced && !n.compared", "E1_StretchedHandshake"),
		off("zrtp/retained.go", "own == Responder", "TestInitiatorsNewestSecretWins"),
		off("zrtp/retained.go", "expired(r.RS1Expiry, now)", "TestExpi"),
		{"zrtp/retained.go", "n.compared || lineage && r.Verified", "n.compared || r.Verified", "E1_|TestExpiredSecretLendsNothing"},
		{"zrtp/retained.go", "\tcase !lineage:\n", "\tcase false:\n", "E1_"},
		{"zrtp/retained.go", "s.s1 != nil && r.record.Verified", "r.record.Verified", "E4_BothFlagsAndTheSecret|E1_"},
		{"zrtp/retained.go", "subtle.ConstantTimeCompare(expected[:], received[:]) == 1", "subtle.ConstantTimeCompare(expected[:], received[:]) >= 0", "E1_StolenZID"},
		off("zrtp/retained.go", "slot.secret.Len() == 0", "TestAbsentSecretsAreMasked"),

		off("zrtp/suite.go", "!fits(s.KeyAgreement, s.Hash)", "D7_ForbiddenPair"),
		off("zrtp/suite.go", "!slices.Contains(*list, committed[i]) || !slices.Contains(*theirs.lists()[i], committed[i])", "D7_CommitsToWhatWasNotOffered"),
		off("zrtp/suite.go", "(suite.KeyAgreement == wire.Multistream) != (s.call != nil)", "D8_NotBeforeTheFirst|A2_DHAgainstMultistream"),
		off("zrtp/suite.go", "!same", "D8_OtherAlgorithms"),

		{"zrtp/agreement.go", "if len(nonce) != kemNonceLen {", "if false {", "B4_WrongLength"},
		{"zrtp/agreement.go", "if !ok || len(peerKey) > 0 {", "if !ok {", "B4_WrongLength"},
		off("zrtp/timer.go", "r.times > r.limit", "TestNoPeer"),
		{"zrtp/ping.go", "if s.state < Discovery || s.state >= ErrorSent {", "if false {", "TestPing"},
	}
}
