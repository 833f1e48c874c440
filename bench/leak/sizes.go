package main

// sizes is what the lengths of a mode's packets tell.
type sizes struct {
	Mode       string  `json:"mode"`
	Leaks      bool    `json:"has_to_leak"`
	Utterances int     `json:"utterances"`
	Packets    int     `json:"packets"`
	Distinct   int     `json:"distinct_sizes"` // pauses, mute and digits included; that none is sent counts as one
	Bits       float64 `json:"size_energy_bits"`
	Shuffled   float64 `json:"size_energy_bits_shuffled"`
	Identified float64 `json:"language_identified"`
	Low        float64 `json:"language_identified_low"` // 95 %
	High       float64 `json:"language_identified_high"`
	Chance     float64 `json:"chance"`
}

// turned is how far a control is turned at least, 5 s.
const turned = 250

func (m mode) measure(utterances []utterance) (sizes, error) {
	all, err := m.watchAll(utterances)
	if err != nil {
		return sizes{}, err
	}
	distinct := map[int]bool{}
	packets := 0
	var lengths []int
	var energies []float64
	for _, s := range all {
		for _, size := range s.sizes {
			distinct[size] = true
			if size > 0 {
				packets++
			}
		}
		lengths = append(lengths, s.sizes...)
		energies = append(energies, s.energy...)
	}
	rest, err := m.busy(utterances[0])
	if err != nil {
		return sizes{}, err
	}
	for _, size := range rest {
		distinct[size] = true
	}
	loud := quantiles(energies)
	right := guess(all)
	low, high := wilson(right, len(all))
	return sizes{
		Mode: m.name, Leaks: m.leaks, Utterances: len(all), Packets: packets, Distinct: len(distinct),
		Bits: information(lengths, loud), Shuffled: control(lengths, loud, turned),
		Identified: float64(right) / float64(len(all)), Low: low, High: high, Chance: 1 / float64(len(languages)),
	}, nil
}
