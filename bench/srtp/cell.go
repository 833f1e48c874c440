package main

// What is measured: every combination of these.
var (
	profiles = []string{
		"AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32",
		"AES_192_CM_HMAC_SHA1_80", "AES_192_CM_HMAC_SHA1_32",
		"AES_256_CM_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_32",
		"AEAD_AES_128_GCM", "AEAD_AES_256_GCM",
	}
	sizes    = []int{40, 80, 160, 320} // of the payload in bytes
	contexts = []int{1, 32, 2000}      // that take turns
	ops      = []string{protectOp, unprotectOp}
)

const (
	protectOp   = "protect"
	unprotectOp = "unprotect"
	single      = "single" // one packet a call
	batch       = "batch"  // batchLen packets a call
	batchLen    = 32
)

// cell is one line of the table, for all who are measured.
type cell struct {
	profile  string
	size     int
	op       string
	contexts int
}

// cells are those of one profile and so many contexts.
func cells(profile string, contexts []int) []cell {
	var all []cell
	for _, n := range contexts {
		for _, size := range sizes {
			for _, op := range ops {
				all = append(all, cell{profile, size, op, n})
			}
		}
	}
	return all
}

// load is one measurement of a cell: Timed packets after Warm others, which
// leave the caches as all the contexts taking turns leave them.
type load struct {
	Profile  string
	Size     int
	Op, Mode string
	Contexts int
	Warm     int
	Timed    int
}

func (c cell) load(mode string) load {
	l := load{c.profile, c.size, c.op, mode, c.contexts, chunkLen, chunks * chunkLen}
	if c.contexts > chunkLen {
		l.Warm = c.contexts
	}
	return l
}

// row is one line of the JSON: ours in one mode and tier, and beside it what
// the others need in the same cell for one packet a call, for they know no
// other way. What is nil was not measured.
type row struct {
	Profile   string   `json:"profile"`
	Size      int      `json:"size"` // of the payload
	Op        string   `json:"op"`
	Mode      string   `json:"mode"`
	Contexts  int      `json:"contexts"`
	Tier      string   `json:"tier"`
	OursNS    float64  `json:"ours_ns"` // a packet, as all times
	PionNS    *float64 `json:"pion_ns"`
	LibsrtpNS *float64 `json:"libsrtp_ns"`
	LimitNS   *float64 `json:"limit_ns"`   // to protect, with hot caches
	RatioPion *float64 `json:"ratio_pion"` // the median of pion's time by ours in the same round
	Allocs    float64  `json:"allocs"`     // a packet, ours
}

// results is the JSON.
type results struct {
	Machine machine `json:"machine"`
	Rows    []row   `json:"rows"`
}

// machine is what the numbers depend on.
type machine struct {
	Processor string   `json:"processor"`
	Features  []string `json:"features"`
	Tiers     []string `json:"tiers"` // that it can run, the best one last
	System    string   `json:"system"`
	Go        string   `json:"go"`
	Pion      string   `json:"pion"`
	Libsrtp   string   `json:"libsrtp"` // empty: it was not there
	Limit     bool     `json:"limit"`   // was measured
	Rounds    int      `json:"rounds"`
	Taken     string   `json:"taken"` // date, UTC
}
