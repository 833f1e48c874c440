package main

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"time"

	"sotto/media"
)

// latency is how long frames took from the encoder's input to the decoder's
// output, in milliseconds.
type latency struct {
	Frames int     `json:"frames"`
	P50    float64 `json:"p50_ms"`
	P99    float64 `json:"p99_ms"`
	P999   float64 `json:"p999_ms"`
}

// newLatency compares the trace of the phone that sent with that of the one
// that received: both counted the same clock, and the RTP timestamp names the
// frame.
func newLatency(sent, received string) (latency, error) {
	encoded, err := readTrace(sent, media.StageCaptured)
	if err != nil {
		return latency{}, err
	}
	decoded, err := readTrace(received, media.StageDecoded)
	if err != nil {
		return latency{}, err
	}
	var all []time.Duration
	for timestamp, at := range decoded {
		if start, ok := encoded[timestamp]; ok {
			all = append(all, time.Duration(at-start))
		}
	}
	if len(all) == 0 {
		return latency{}, fmt.Errorf("%s: no frame of %s arrived", received, sent)
	}
	slices.Sort(all)
	return latency{len(all), quantile(all, 0.5), quantile(all, 0.99), quantile(all, 0.999)}, nil
}

// quantile is the smallest of sorted that a share of q does not exceed, in
// milliseconds.
func quantile(sorted []time.Duration, q float64) float64 {
	i := int(q * float64(len(sorted)))
	return milliseconds(sorted[min(i, len(sorted)-1)])
}

// readTrace gives the time of one stage for each RTP timestamp. A stage that a
// frame passes twice counts the first time.
func readTrace(path string, stage media.Stage) (map[uint32]int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	at := map[uint32]int64{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var name string
		var timestamp uint32
		var nanos int64
		if _, err := fmt.Sscan(lines.Text(), &name, &timestamp, &nanos); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if _, again := at[timestamp]; name == stage.String() && !again {
			at[timestamp] = nanos
		}
	}
	return at, lines.Err()
}
