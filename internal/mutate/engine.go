package main

// engineMutants are the gates of secure mode.
func engineMutants() []mutant {
	return []mutant{
		off("engine/secure.go", "l.reason == nil && k.PeerFlags.Disclosure && !l.cfg.AllowInsecure && !l.cfg.AllowDisclosure", "E7_DisclosureIsJudgedFirst"),
		off("engine/secure.go", "!l.cfg.AllowInsecure || l.receive != nil || l.receiving", "F3_NoVoiceBeforeKeys|TestInsecureModeNeverGoesBack"),
		{"engine/secure.go", "!l.cfg.AllowInsecure || l.receive != nil || l.receiving", "!l.cfg.AllowInsecure", "TestInsecureModeNeverGoesBack"},
		without("engine/secure.go", "l.refuse(NotSecure, textCleared, nil)", "D5_ClearIsRefused"),
		{"engine/secure.go", "\tif l.reason != nil {\n\t\tk.Send.Wipe()\n\t\tk.Receive.Wipe()", "\tif l.reason != nil {", "E7_DisclosureIsJudgedFirst"},
		without("engine/secure.go", "defer l.wipeKeys()", "TestKeysAreWiped"),
		off("engine/trust.go", "r.Flags.Disclosure && !l.cfg.AllowInsecure && !l.cfg.AllowDisclosure", "E6_|E7_"),
		{"engine/trust.go", "case t.peer.CacheMismatch && (t.relayed || !t.compared):", "case false:", "E4_WhatSecuredSays|E1_"},
		{"engine/trust.go", "(t.relayed || !t.compared)", "!t.compared", "E1_RelayHidesNoMismatch"},
		without("engine/trust.go", "l.refuse(NotSecure, textSASMismatch, nil)", "E5_SASMismatchOnFullDisk|TestLostCacheRaisesTheAlarm"),
		off("engine/trust.go", "!l.trust.level().Verified()", "E6_"),
		{"engine/trust.go", "r.Verified = r.Verified && l.trust.compared", "_ = r.Verified", "E3_NameIsShownAndRenamingUnverifies"},
		{"engine/trust.go", "level == LevelSuspect || level == LevelRelayed && !l.trust.compared", "level == LevelRelayed && !l.trust.compared", "TestSetName"},
		off("engine/signal.go", "!announced && l.cfg.RequireHelloHash", "F1_HashRequired"),
		{"engine/signal.go", "case l.cfg.AllowInsecure || !had:", "case l.cfg.AllowInsecure || !had || true:", "F1_ReinviteWithoutZRTP"},
		{"engine/signal.go", "case !bytes.Equal(before[:], after[:]):", "case false && !bytes.Equal(before[:], after[:]):", "F1_ReinviteWithoutZRTP"},
		off("engine/signal.go", "a.Codec.Name != l.agreed.Codec.Name || a.Codec.PayloadType != l.agreed.Codec.PayloadType", "F1_ReinviteWithoutZRTP"),
	}
}
