package main

// mediaMutants are the checks of what an authentic peer sends that makes no sense.
func mediaMutants() []mutant {
	return []mutant{
		{"media/jitter/jump.go", "b.doubted = s\n\t\treturn ts, stray", "b.doubted = s\n\t\treturn ts, sound", "TestStray"},
		{"media/jitter/jump.go", "b.doubted.seq == 0 || !b.explains(s, b.doubted, maxPacket)", "b.doubted.seq == 0", "TestStray"},
		{"media/jitter/jump.go", "b.doubted.seq == 0 || !b.explains(s, b.doubted, maxPacket)", "b.doubted.seq >= 0 || !b.explains(s, b.doubted, maxPacket)", "TestClockJumps"},
		{"media/jitter/jump.go", "b.explains(s, before, maxShift)", "false", "TestQuickerRoute"},
		{"media/jitter/jump.go", "seq >= b.doubted.seq", "seq > 0", "TestQuickerRoute"},
		{"media/jitter/pop.go", "return b.playing && b.elapsed < missing", "return false", "TestEmptyPacketsWaitForThoseBefore"},
		{"media/playout.go", "p.join(nil)", "p.from = nil", "TestTakeOverDoesNotJump"},
		{"media/jitter/jump.go", "s.seq > before.seq && s.ts", "s.ts", "TestStrayTwiceAndOvertaken"},
		{"media/jitter/jump.go", "before < 0 || before > n*b.ticks(maxPacket)", "before < 0 && before > n*b.ticks(maxPacket)", "TestStrayTwiceAndOvertaken"},
		without("media/jitter/jump.go", "b.firstTS -= uint32(onTimeline - ts)", "TestClockJumps"),
		without("media/receiver.go", "s.Discarded.StrayTimestamp, s.Restarts = b.Stray, b.Restarts", "TestStrayTimestamp|TestLastingJump"),
		{"media/jitter/push.go", "again && !b.follows(p)", "again && b.follows(p)", "TestFarNumber"},
		{"media/jitter/jump.go", "b.suspects && p.Seq == b.after", "b.suspects", "TestFarNumber"},
		{"media/jitter/jump.go", "b.suspects && p.Seq == b.after", "p.Seq == b.after", "TestTwoStreamsInTurns"},
		{"media/jitter/push.go", "b.suspects = false", "b.suspects = b.suspects", "TestTwoStreamsInTurns"},
		without("media/receiver.go", "s.Discarded.StrayNumber = b.Far", "TestStrayNumber"),
		{"media/reports.go", "b.SSRC != sender.cfg.SSRC || l.block", "b.SSRC != sender.cfg.SSRC", "TestOneBlockOfAKindCounts"},
		{"media/reports.go", "d.lastRR != 0 && !l.trip", "d.lastRR != 0", "TestOneBlockOfAKindCounts"},
		{"media/reports.go", "m.ssrc == ours && !l.metrics", "m.ssrc == ours", "TestOneBlockOfAKindCounts"},
		{"media/source.go", "s.suspects && sequence == s.after", "s.suspects", "TestLosses"},
		{"media/source.go", "again := s.suspects &&", "again := ", "TestLosses"},
	}
}
