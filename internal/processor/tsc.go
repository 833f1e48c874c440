package processor

import (
	"os"
	"strings"
)

// Clocksource is where Linux says what it tells the time by.
const Clocksource = "/sys/devices/system/clocksource/clocksource0/current_clocksource"

// The leaf of CPUID that is of power and pace.
var _, _, power = leaf(0x80000007)

// invariantTSC says that the time stamp counter counts at one pace, whatever the
// processor's own is, and while it sleeps, too.
var invariantTSC = power>>8&1 != 0

// HasTSC reports whether a program can tell times apart by TSC, whichever processor it
// is on: the counter is invariant, and Linux tells the time by it, by a file in the
// manner of Clocksource. Linux does so only while the counters of all processors agree,
// and no longer when it sees them differ. It does not show of other sources, which a
// virtual machine may have, whether the counters agree there.
func HasTSC(clocksource string) bool {
	if !invariantTSC {
		return false
	}
	name, err := os.ReadFile(clocksource)
	return err == nil && strings.TrimSpace(string(name)) == "tsc"
}
