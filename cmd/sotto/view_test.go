package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"sotto/engine"
	"sotto/media"
	"sotto/media/route"
)

func TestBanner(t *testing.T) {
	for sas, want := range map[string][]string{
		"gkrz": {
			"+---------------+",
			"|               |",
			"|    g k r z    |",
			"|               |",
			"+---------------+",
		},
		"🔥🐵": {
			"+-------------+",
			"|             |",
			"|    🔥 🐵    |",
			"|             |",
			"+-------------+",
		},
		"ab:cde": {
			"+-------------+",
			"|             |",
			"|    a b      |",
			"|             |",
			"|    c d e    |",
			"|             |",
			"+-------------+",
		},
	} {
		if got := banner(sas); !slices.Equal(got, want) {
			t.Errorf("%s:\n%s", sas, strings.Join(got, "\n"))
		}
	}
}

// everyEvent is one of each.
var everyEvent = []any{
	listening{"127.0.0.1:1"}, calling{"sip:b@h", "127.0.0.1:1"}, incoming{"sip:b@h"},
	engine.Ringing{}, engine.Unanswered{Reason: engine.Reason{Kind: engine.Declined, Text: "they declined", Remote: true, Code: 603}}, engine.Answered{Peer: "sip:b@h", Codec: "opus"},
	engine.Secured{SAS: "gkrz", SASType: "B32", Suite: "X255/S256", PeerZID: "00", Level: engine.LevelSuspect},
	engine.Security{Level: engine.LevelSuspect, Text: "beware", Name: "Bob", Notices: []engine.Notice{engine.NoticePBX}},
	engine.SASRelayed{SAS: "far:away", SASType: "B256"},
	engine.Security{Level: engine.LevelCompared, Text: "good", Notices: []engine.Notice{engine.NoticePBX}},
	engine.Refused{Text: "no", Route: &route.Refusal{Class: route.HDMI, Device: "d", Evidence: []string{"e"}}},
	engine.RouteRefused{Refusal: route.Refusal{Class: route.BluetoothSCO, Device: "buds"}, Text: "take the buds out " + strings.Repeat("and again ", 12)}, engine.RouteRestored{},
	engine.Held{Remote: true}, engine.Held{ForRoute: true}, engine.Resumed{}, engine.Digit{Digit: '#'}, engine.Warning{Text: "w"},
	engine.Quality{Class: engine.QualityHigh, Rating: media.Quality{R: 85.04, MOSLQ: 4.21, MOSCQ: 4.16}},
	engine.Quality{Remote: true, Rating: media.Quality{R: 30, MOSLQ: 2, MOSCQ: 1.6}},
	engine.Ended{Reason: engine.Reason{Kind: engine.Busy, Text: "busy", Remote: true, Code: 486}, Level: engine.LevelNone,
		Stats: media.Stats{SenderStats: media.SenderStats{PacketsSent: 1, Missed: 4}, ReceiverStats: media.ReceiverStats{Lost: 2, Late: 3},
			ReportStats: media.ReportStats{
				VoIP:     media.VoIPMetrics{BurstDensity: 0.5, Quality: media.Quality{R: 71.23, MOSLQ: 3.9, MOSCQ: 3.66}},
				PeerVoIP: media.VoIPMetrics{Quality: media.Quality{R: 91, MOSLQ: 4.4, MOSCQ: 4.3}},
			}}},
}

func TestJSONView(t *testing.T) {
	var b strings.Builder
	v := newView(&b, &options{json: true})
	for _, e := range everyEvent {
		v.show(e)
	}
	v.show(hint{"for people only"})
	var names []string
	for line := range strings.Lines(b.String()) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if !strings.HasPrefix(line, `{"event":`) {
			t.Errorf("event is not the first field: %s", line)
		}
		names = append(names, object["event"].(string))
	}
	want := strings.Fields("listening calling incoming ringing unanswered answered secured security sas_relayed security refused route_refused route_restored held held resumed digit warning quality quality ended")
	if !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
	for _, part := range []string{
		`"sas":"gkrz","sas_type":"B32","suite":"X255/S256","peer_zid":"00","initiator":false,"verified":false,"level":"suspect"`,
		`{"event":"unanswered","reason":"they declined","kind":"declined","code":603,"remote":true}`,
		`"level":"suspect","text":"beware","name":"Bob","notices":[{"kind":"pbx","text":"The other side is a`,
		`{"event":"sas_relayed","sas":"far:away","sas_type":"B256"}`,
		`"level":"verified-now","text":"good"`,
		`{"event":"held","remote":true,"for_route":false}`, `{"event":"held","remote":false,"for_route":true}`,
		`{"event":"digit","digit":"#"}`,
		`"reason":"no","route_class":"HDMI or DisplayPort","route_device":"d","route_evidence":["e"]`,
		`{"event":"route_refused","reason":"take the buds out and again`,
		`again ","route_class":"Bluetooth headset (SCO)","route_device":"buds"}`,
		`{"event":"quality","remote":false,"class":"high","r":85,"mos_lq":4.2,"mos_cq":4.2}`,
		`{"event":"quality","remote":true,"class":"poor","r":30,"mos_lq":2,"mos_cq":1.6}`,
		`"r":71.2,"mos_lq":3.9,"mos_cq":3.7,"burst_density":0.5,"gap_density":0,"peer_r":91,"peer_mos_cq":4.3}`,
		`"reason":"busy","kind":"busy","code":486,"remote":true,"level":"none","stats":{"sent":1,"missed":4,"received":0,"lost":2,"late":3`,
	} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("%s is not in\n%s", part, b.String())
		}
	}
}

func TestTextView(t *testing.T) {
	var b strings.Builder
	v := newView(&b, &options{})
	for _, e := range everyEvent {
		v.show(e)
	}
	v.show(hint{"helpful"})
	v.show(incoming{"sip:\x1b[31mred\r\n@h"})
	for _, want := range []string{
		"Listening on 127.0.0.1:1", "Calling sip:b@h", "sip:b@h is calling", "Ringing", "Not answered: they declined.", "with opus", "g k r z", "Type y and Enter",
		"Security: suspect. ALARM: beware", "Name: Bob", "Beyond the telephone", "a w a y", "Note: The other side is a telephone exchange", "Security: verified now. good", "!! REFUSED: nothing is sent or played.\n  !! no\n  !!!!", "!! SILENT: nothing is sent or played.\n  !! take the buds out and again and again", "again\n  !! and again", "The audio route is verified again.", "by the other side", "On hold, because of the audio route.", "by you", "The other side sends #.", "Warning: w", "Quality of what you hear: high, MOS 4.2.", "Quality of what the other side hears: poor, MOS 1.6.", "What you heard: R 71, MOS 3.7; listening alone 3.9.", "Ended: busy", "lost 2, late 3",
		"helpful", "  sip:[31mred @h is calling.\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}

func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"plain":               "plain",
		" two\nlines\r\n":     "two lines",
		"tab\there":           "tab here",
		"\x1b[2Jx\x07\x7f":    "[2Jx",
		"é\u0085\u009b\u2028": "é",
		"right\u202eleft":     "rightleft",
	} {
		if got := oneLine(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestNumbered(t *testing.T) {
	for n, want := range []string{"a/b.wav", "a/b.wav", "a/b-2.wav", "a/b-3.wav"} {
		if got := numbered("a/b.wav", n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	if got := numbered("b", 2); got != "b-2" {
		t.Error(got)
	}
}

// Every class has a name.
func TestClassNames(t *testing.T) {
	named := map[route.Class]bool{}
	for name, class := range classNames {
		if got, err := parseClass(name); err != nil || got != class || named[class] {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		named[class] = true
	}
	for class := route.Unknown; class <= route.Telephony; class++ {
		if !named[class] {
			t.Errorf("%v has no name", class)
		}
	}
}

func TestLevelNames(t *testing.T) {
	seen := map[string]bool{}
	for l := engine.LevelNone; l <= engine.LevelVerified; l++ {
		if name := levelName(l); name == "unknown" || seen[name] {
			t.Errorf("%v is called %q", l, name)
		} else {
			seen[name] = true
		}
	}
}
