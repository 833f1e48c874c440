package media

import "testing"

// RFC 3550 §A.3: what a reception report says after packets with these
// sequence numbers, the first being 65534.
func TestLosses(t *testing.T) {
	for name, c := range map[string]struct {
		seqs           []uint16
		lost, highest  uint32
		fraction       uint8
		then           []uint16 // after the first report
		lostThen       uint32
		fractionOfThen uint8
	}{
		"none lost, over the wrap": {[]uint16{65534, 65535, 0, 1}, 0, 1<<16 + 1, 0, []uint16{2, 3}, 0, 0},
		"half lost":                {[]uint16{65534, 0, 2, 4}, 3, 1<<16 + 4, 3 * 256 / 7, []uint16{5, 6}, 3, 0},
		"reordered":                {[]uint16{65534, 1, 0, 65535}, 0, 1<<16 + 1, 0, nil, 0, 0},
		"late ones come":           {[]uint16{65534, 1}, 2, 1<<16 + 1, 128, []uint16{0, 65535, 2}, 0, 0},
		"duplicates":               {[]uint16{65534, 65534, 65534}, 0, 65534, 0, []uint16{1}, 0, 256 * 2 / 3},
		"earlier than the first":   {[]uint16{65534, 65530}, 0, 65534, 0, nil, 0, 0},
		"nearly all lost":          {[]uint16{65534, 2500}, 2501, 1<<16 + 2500, 2501 * 256 / 2503, nil, 2501, 0},
		"started again ahead":      {[]uint16{65534, 10000, 10001}, 0, 10001, 0, []uint16{10002, 10004}, 1, 256 / 3},
		"started again behind":     {[]uint16{65534, 40000, 40001}, 0, 40001, 0, nil, 0, 0},
		"one far off":              {[]uint16{65534, 10000, 65535}, 0, 65535, 0, []uint16{0, 1}, 0, 0},
		"two far off, apart":       {[]uint16{65534, 10000, 65535, 10001, 0}, 0, 1 << 16, 0, []uint16{1, 2}, 0, 0},
		"two far off, not in turn": {[]uint16{65534, 10000, 10002, 65535}, 0, 65535, 0, []uint16{10003, 0}, 0, 0},
	} {
		s := source{first: 65534, highest: 65534}
		for _, seq := range c.seqs {
			s.count(seq)
		}
		if lost, fraction := s.losses(); lost != c.lost || fraction != c.fraction || s.highest != c.highest {
			t.Errorf("%s: lost %d, fraction %d, highest %d", name, lost, fraction, s.highest)
		}
		for _, seq := range c.then {
			s.count(seq)
		}
		if lost, fraction := s.losses(); lost != c.lostThen || fraction != c.fractionOfThen {
			t.Errorf("%s: then lost %d, fraction %d", name, lost, fraction)
		}
	}
	s := source{highest: 1 << 30}
	if lost, fraction := s.losses(); lost != 1<<23-1 || fraction != 255 {
		t.Errorf("more than fits: lost %d, fraction %d", lost, fraction)
	}
}
