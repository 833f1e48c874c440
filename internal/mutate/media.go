package main

// mediaMutants are the checks of what an authentic peer sends that makes no sense.
func mediaMutants() []mutant {
	return []mutant{
		{"media/jitter/jump.go", "b.doubted = s\n\t\treturn ts, true", "b.doubted = s\n\t\treturn ts, false", "TestStray"},
		{"media/jitter/jump.go", "doubted.seq == 0 || !b.follows(s, doubted)", "doubted.seq == 0", "TestStray"},
		{"media/jitter/jump.go", "doubted.seq == 0 || !b.follows(s, doubted)", "doubted.seq >= 0 || !b.follows(s, doubted)", "TestClockJumps"},
		{"media/jitter/jump.go", "s.seq > before.seq && s.ts", "s.ts", "TestStrayTwiceAndOvertaken"},
		{"media/jitter/jump.go", "before < 0 || before > n*b.ticks(maxPacket)", "before < 0 && before > n*b.ticks(maxPacket)", "TestStrayTwiceAndOvertaken"},
		without("media/jitter/jump.go", "b.firstTS -= uint32(jump)", "TestClockJumps"),
		without("media/receiver.go", "s.Discarded.StrayTimestamp, s.Restarts = b.Stray, b.Restarts", "TestStrayTimestamp|TestLastingJump"),
	}
}
