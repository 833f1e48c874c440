package main

// routeMutants are what keeps voice off devices that may not have it.
func routeMutants() []mutant {
	return []mutant{
		{"media/route/route.go", "!p.accepts(route) && (worst", "false && (worst", "TestEveryClass"},
		{"media/route/route.go", "case r.Unknown != \"\":", "case false:", "TestUnknownRoute"},
		{"media/route/route.go", "case len(r.Routes) == 0:", "case false:", "TestAllRoutesCount"},
		off("media/route/route.go", "p.Strict && len(r.Bluetooth) > 0", "TestBluetoothDevices"),
		off("media/route/route.go", "p.AdapterOff", "TestAdapterPower"),
		off("media/route/route.go", "p.RefuseTaps", "TestTaps"),
		without("media/route/route.go", "v.holds.Store(false)", "TestRevoke"),
		{"media/route/classify.go", "case !t.driven(from):", "case false:", "TestTraps"},
		{"media/route/classify.go", "case from != ALSA && t.either(\"device.api\") != \"alsa\":", "case false:", "TestTraps"},
		off("media/route/classify.go", "!t.onBoard()", "TestTraps"),
		off("media/route/classify.go", "class.rule() == listable && lacking != \"\"", "TestTraps"),
		off("media/route/classify.go", "port.Available == \"yes\"", "TestTraps"),
		{"media/route/evidence.go", "!printable(value) || plain && !plainASCII(value)", "false", "TestTraps"},
		off("media/route/evidence.go", "len(n.Props) > maxProps", "TestTraps"),
		off("media/route/world.go", "len(v.objects) > maxObjects || v.bytes > maxBytes", "F6_FloodOfDevices"),
		off("media/route/pipewire/session.go", "s.bytes > maxBytes", "TestBoundedBytes"),
		without("media/route/world.go", "*v = view{broken: true, lost: nonsense}", "TestUnknownRoute"),
		off("media/route/survey.go", "len(playback) < s.self.Playback", "TestUnknownRoute"),
		off("media/route/survey.go", "extra := len(capture) - s.self.Capture; extra > 0", "TestTaps"),
		{"media/route/survey.go", "case g.twin[n.ID]:", "case false:", "TestWaysOut"},
		{"media/route/survey.go", "case !f.says() && !suspect:", "case false:", "TestWaysOut"},
		{"media/route/survey.go", "f.node.Kind == Playback && !f.linked", "f.node.Kind == Playback", "TestTaps"},
		{"media/route/survey.go", "f.node.Kind == Source && !f.linked", "f.node.Kind == Source", "TestTaps"},
		{"media/route/survey.go", "f.node.Kind == Capture && !f.linked", "f.node.Kind == Capture", "TestWaysOut"},
		{"media/route/survey.go", "s.self.owns(f.node) && f.node.Kind == Capture", "s.self.owns(f.node)", "TestTaps"},
		off("media/route/kernel.go", "_, test := trusted(n); !known && !test", "TestConflictingMonitors"),
		off("media/route/policy.go", "f.Allow != nil", "TestParsePolicyErrors"),
		off("media/route/policy.go", "err := listed(device); err != nil", "TestParsePolicyErrors"),
		off("media/route/policy.go", "field, at := repeated(text); field != \"\"", "TestParsePolicyErrors"),
		without("media/route/policy.go", "d.DisallowUnknownFields()", "TestParsePolicyErrors"),
	}
}
