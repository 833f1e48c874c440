package main

// engineMutants are the gates of secure mode.
func engineMutants() []mutant {
	return []mutant{
		off("engine/secure.go", "k.PeerFlags.Disclosure && l.rule(disclosed) == endCall", "E7_DisclosureIsJudgedFirst"),
		{"engine/rules.go", "speaksOn = row{{over, endCall}, {inClear, letClear}, {over, endCall}, {over, endCall}", "speaksOn = row{{over, endCall}, {inClear, letClear}, {over, endCall}, {inClear, letClear}", "TestInsecureModeNeverGoesBack"},
		{"engine/rules.go", "noZRTP:        ends", "noZRTP:        passed", "F3_NoVoiceBeforeKeys"},
		{"engine/rules.go", "cleared:       ends", "cleared:       passed", "D5_ClearIsRefused"},
		without("engine/secure.go", "l.withoutKeys(cleared, textCleared)", "D5_ClearIsRefused"),
		{"engine/secure.go", "\tif l.state == over {\n\t\tk.Send.Wipe()\n\t\tk.Receive.Wipe()", "\tif l.state == over {", "E7_DisclosureIsJudgedFirst"},
		{"engine/secure.go", "\tl.wipeKeys()\n\treturn nil", "\treturn nil", "TestKeysAreWiped"},
		off("engine/leg.go", "errors.Is(reports.Report(now), protect.ErrKeyLimit)", "TestReportsUseTheKeysUp"),
		{"engine/leg.go", "case errors.Is(err, protect.ErrKeyLimit):", "case false:", "TestVoiceUsesTheKeysUp"},
		{"engine/secure.go", "if thin && !l.thin", "if thin", "TestReportsUseTheKeysUp"},
		{"engine/rules.go", "{keyed, mute}, {inClear, nothing}},\n\trouteRefused:", "{talking, mute}, {inClear, nothing}},\n\trouteRefused:", "TestRules"},
		{"engine/watch.go", "w.verified.Revoke()\n\t\t\tw.jack.Flush()", "w.jack.Flush()", "TestWatchIsLost"},
		{"engine/watch.go", "w.verified.Revoke()\n\tagain.Stop()", "again.Stop()", "TestLookRevokes|TestLookAgainIsForgotten"},
		without("engine/watch.go", "w.jack.Flush()", "TestAlarmMutes|TestFloodOfAlarms"),
		{"engine/watch.go", "Unknown: \"the audio devices could not be looked at: \" + inWords(err)", "Routes: []route.Route{{Class: route.Internal}}", "TestReportTimesOut"},
		off("engine/route.go", "r.Class != route.Internal", "TestUnwatchedDevice"),
		without("media/playout.go", "clear(frame)", "TestGateSilencesSink"),
		{"media/sender.go", "s.muted.Load() || !s.cfg.Gate.Passes()", "s.muted.Load()", "TestGateSilencesSender"},
		off("engine/trust.go", "r.Flags.Disclosure && l.rule(disclosed) == endCall", "E6_|E7_"),
		{"engine/trust.go", "case t.peer.CacheMismatch && (t.relayed || !t.compared):", "case false:", "E4_WhatSecuredSays|E1_"},
		{"engine/trust.go", "(t.relayed || !t.compared)", "!t.compared", "E1_RelayHidesNoMismatch"},
		without("engine/trust.go", "l.refuse(NotSecure, textSASMismatch, nil)", "E5_SASMismatchOnFullDisk|TestLostCacheRaisesTheAlarm"),
		off("engine/trust.go", "!l.trust.level().Verified()", "E6_"),
		{"engine/trust.go", "r.Verified = r.Verified && l.trust.compared", "_ = r.Verified", "E3_NameIsShownAndRenamingUnverifies"},
		{"engine/trust.go", "level == LevelSuspect || level == LevelRelayed && !l.trust.compared", "level == LevelRelayed && !l.trust.compared", "TestSetName"},
		off("engine/signal.go", "!announced && l.rule(notAnnounced) == endCall", "F1_HashRequired"),
		off("engine/signal.go", "agreed.Recorded && l.rule(recorded) == endCall", "F1_"),
		off("engine/signal.go", "a.Recorded && l.rule(recorded) == endCall", "F1_"),
		{"engine/signal.go", "|| l.rule(c) == nothing", "|| true", "F1_ReinviteWithoutZRTP"},
		{"engine/signal.go", "has && bytes.Equal(before[:], after[:])", "has && (true || bytes.Equal(before[:], after[:]))", "F1_ReinviteWithoutZRTP"},
		off("engine/signal.go", "a.Codec.Name != l.agreed.Codec.Name || a.Codec.PayloadType != l.agreed.Codec.PayloadType", "F1_ReinviteWithoutZRTP"),
	}
}
