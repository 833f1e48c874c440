// Command zrtp measures the CPU time of a whole ZRTP handshake, both sides
// together, between two Sessions in memory: no network, no waiting, time is
// virtual. Beside each batch of ours runs one of libbzrtp's.
//
// With -secure it measures instead how long a call takes to be secure over a
// distant link, as it is and with every fifth packet lost, in virtual time too.
// libbzrtp meets the same losses. It fails when ours is late.
//
//	go run ./bench/zrtp -rounds 7 -json
//	go run ./bench/zrtp -secure -calls 2000 -json
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"sotto/zrtp"
	"sotto/zrtp/wire"
)

// suite is one line of the table.
type suite struct {
	agreement, hash, cipher string
	batch                   int  // handshakes that make one measurement
	rival                   bool // libbzrtp has it too
}

var suites = [...]suite{
	{"X255", "S256", "AES1", 400, true},
	{"X448", "S384", "AES3", 400, true},
	{"DH3k", "S256", "AES1", 100, true},
	{"DH2k", "S256", "AES1", 100, true},
	{"EC25", "S256", "AES1", 400, false},
	{"EC38", "S384", "AES3", 100, false},
	{"X448", "S512", "AES3", 400, false},
	{"X1M1", "S384", "AES3", 400, false},
	{"X3M3", "S512", "AES3", 200, false},
}

func (s suite) String() string { return s.agreement + "/" + s.hash + "/" + s.cipher }

func (s suite) offer() zrtp.Offer {
	return zrtp.Offer{
		Hashes:        []wire.Algo{wire.A(s.hash)},
		Ciphers:       []wire.Algo{wire.A(s.cipher)},
		AuthTags:      []wire.Algo{wire.A("HS80")},
		KeyAgreements: []wire.Algo{wire.A(s.agreement)},
		SASTypes:      []wire.Algo{wire.A("B32")},
	}
}

// row is one result, for both sides together; that of the half-open is for one
// Session, but for the memory, which is that of all Sessions.
type row struct {
	Suite       string   `json:"suite"`
	OursMS      float64  `json:"ours_ms"`
	BzrtpMS     *float64 `json:"bzrtp_ms"` // null: not measured
	Ratio       *float64 `json:"ratio"`    // ours by libbzrtp's
	Packets     int      `json:"packets,omitempty"`
	Bytes       int      `json:"bytes,omitempty"`
	Allocations uint64   `json:"allocations,omitempty"`
	Sessions    int      `json:"sessions,omitempty"`
	MemoryMB    float64  `json:"memory_mb,omitempty"`
}

// samples are the medians' raw material, one number a round.
type samples struct {
	suite        suite
	ours, theirs []time.Duration
	last         cost
}

func main() {
	rounds := flag.Int("rounds", 7, "rounds to take the median of")
	secure := flag.Bool("secure", false, "measure the time to secure over a distant link")
	calls := flag.Int("calls", 2000, "calls over each link, with -secure")
	asJSON := flag.Bool("json", false, "one JSON object a line")
	flag.Parse()
	theirs, err := buildRival()
	if err != nil {
		fmt.Fprintln(os.Stderr, "zrtp: OURS ONLY, there is no libbzrtp to compare with:", err)
	}
	if *secure {
		err = runSecure(max(*calls, 1), theirs, *asJSON)
	} else {
		err = run(max(*rounds, 1), theirs, *asJSON)
	}
	theirs.remove()
	if err != nil {
		fmt.Fprintln(os.Stderr, "zrtp:", err)
		os.Exit(1)
	}
}

func runSecure(calls int, theirs *rival, asJSON bool) error {
	rows, err := measureSecure(calls, theirs)
	if err != nil {
		return err
	}
	return errors.Join(show(rows, asJSON, secureTable), late(rows))
}

func run(rounds int, theirs *rival, asJSON bool) error {
	// First, while the heap is small.
	halfOpen, err := measureHalfOpen(10_000)
	if err != nil {
		return err
	}
	rows, err := measure(rounds, theirs)
	if err != nil {
		return err
	}
	return show(append(rows, halfOpen), asJSON, table)
}

func show[Row any](rows []Row, asJSON bool, table func([]Row) error) error {
	if !asJSON {
		return table(rows)
	}
	for _, r := range rows {
		if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// measure plays the suites in turn, ours and theirs by turns, round by round.
// The last row is what setting up costs, over all suites.
func measure(rounds int, theirs *rival) ([]row, error) {
	var all []*samples
	for _, s := range suites {
		all = append(all, &samples{suite: s})
	}
	setup := &samples{}
	for round := range rounds {
		for _, s := range all {
			fmt.Fprintf(os.Stderr, "\rround %d of %d: %-16s", round+1, rounds, s.suite)
			c, err := handshakes(s.suite, s.suite.batch)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.suite, err)
			}
			s.last = c
			s.ours = append(s.ours, c.handshake)
			setup.ours = append(setup.ours, c.setup)
			if theirs == nil || !s.suite.rival {
				continue
			}
			up, shake, err := theirs.handshakes(s.suite, s.suite.batch)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.suite, err)
			}
			s.theirs = append(s.theirs, shake)
			setup.theirs = append(setup.theirs, up)
		}
	}
	fmt.Fprintf(os.Stderr, "\r%40s\r", "")
	var rows []row
	for _, s := range all {
		r := s.row(s.suite.String())
		r.Packets, r.Bytes, r.Allocations = s.last.packets, s.last.bytes, s.last.allocations
		rows = append(rows, r)
	}
	return append(rows, setup.row("set-up")), nil
}

// row takes the medians.
func (s *samples) row(name string) row {
	ours := median(s.ours)
	r := row{Suite: name, OursMS: ours}
	if len(s.theirs) > 0 {
		theirs := median(s.theirs)
		ratio := ours / theirs
		r.BzrtpMS, r.Ratio = &theirs, &ratio
	}
	return r
}

// median is in milliseconds.
func median(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2]) / 1e6
}

func table(rows []row) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "CPU, both sides\tours ms\tlibbzrtp ms\tratio\tpackets\tbytes\tallocations\t") // Flush reports
	for _, r := range rows {
		if r.Sessions > 0 {
			// No tab: a line of its own, whatever the columns' widths.
			_, _ = fmt.Fprintf(w, "\n%d half-open Sessions: %.1f MB, %.3f ms CPU each\n", r.Sessions, r.MemoryMB, r.OursMS)
			continue
		}
		_, _ = fmt.Fprintf(w, "%s\t%.3f\t%s\t%s\t%s\t%s\t%s\t\n", r.Suite, r.OursMS,
			figure("%.3f", r.BzrtpMS), figure("%.2f", r.Ratio), count(r.Packets), count(r.Bytes), count(int(r.Allocations)))
	}
	return w.Flush()
}

func figure(format string, f *float64) string {
	if f == nil {
		return "–"
	}
	return fmt.Sprintf(format, *f)
}

func count(n int) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprint(n)
}
