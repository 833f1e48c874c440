package main

// opusMutants are the checks of packets of voice: that they have one size, and
// that padding them believes no length that is false.
func opusMutants() []mutant {
	const opus, pad = "codecs/opus/opus.go", "codecs/opus/pad.go"
	return []mutant{
		{opus, "e.paddedSize == 0 || e.pauses && n <= maxPause", "e.paddedSize >= 0 || e.pauses && n <= maxPause", "TestOneSize"},
		{opus, "if o.VBR || o.DTX {\n\t\treturn 0", "if o.DTX {\n\t\treturn 0", "TestVaries"},
		{pad, "clear(pkt[end:])", "_ = end", "TestPadEveryFraming"},
		{pad, "count == 0 || count*samplesPerFrame(pkt[0]) > maxPacketSamples", "count == 0", "TestPadRefusesTheMalformed"},
		off(pad, "len(rest)%count != 0 || len(rest)/count > maxFrameBytes", "TestPadRefusesTheMalformed"),
		{pad, "last < 0 || last > maxFrameBytes", "last < 0", "TestPadRefusesTheMalformed"},
		off(pad, "n > len(rest)", "TestPadRefusesTheMalformed"),
		off(pad, "used == 0", "TestPadRefusesTheMalformed"),
	}
}
