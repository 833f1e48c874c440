package realtime

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	// latencyFile is where a program tells Linux how long a processor may take to
	// wake, in microseconds: for as long as it has the file open (the kernel's
	// Documentation/power/pm_qos_interface).
	latencyFile = "/dev/cpu_dma_latency"
	// driverFile names what heeds it.
	driverFile = "/sys/devices/system/cpu/cpuidle/current_driver"
)

// StayAwake has no processor sleep until awake is closed or the program ends: one that
// has nothing to do waits in a loop. A processor takes its time to wake, in a virtual
// machine milliseconds, because the host gives it to others meanwhile; who sends packets
// on time for many calls there does not let it go. It costs all the power there is.
//
// Linux does it, for root. Where it refuses, or its kernel has no driver that
// heeds it, a thread on each processor does, of the policy for what is to run when
// nobody else wants to (SCHED_IDLE). Whoever may run this program may have that, and
// what the threads use counts as the program's. They go after all threads of their own
// control group, and with autogroups of their session (sched(7)); with those of others,
// unless they have a real-time priority, they share the processor: it is for a machine
// that does little else. The error is [errors.ErrUnsupported] where the program is in a
// control group whose processor time is limited, as far as it can see: they would use it
// up. On an error nothing has changed.
func StayAwake() (awake io.Closer, err error) {
	if awake, err = stayAwake(driverFile, latencyFile, limited(groupFile, groupRoot)); err != nil {
		return nil, fmt.Errorf("realtime: no processor stays awake: %w", err)
	}
	return awake, nil
}

func stayAwake(driver, latency string, limited bool) (awake io.Closer, err error) {
	asked := fmt.Errorf("no driver heeds %s: %w", latency, errors.ErrUnsupported)
	if heeded(driver) {
		if awake, asked = tell(latency); asked == nil {
			return awake, nil
		}
	}
	if awake, err = loop(limited); err != nil {
		return nil, fmt.Errorf("%w, and %w", asked, err)
	}
	return awake, nil
}

// heeded reports whether the kernel has a driver, by a file in the manner of
// driverFile.
func heeded(file string) bool {
	name, err := os.ReadFile(file)
	return err != nil || strings.TrimSpace(string(name)) != "none"
}

// tell tells Linux by a file in the manner of latencyFile.
func tell(file string) (io.Closer, error) {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	var none [4]byte // an int32: 0 µs
	if _, err := f.Write(none[:]); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// loop starts the threads, if processor time is not limited.
func loop(limited bool) (io.Closer, error) {
	if limited {
		return nil, fmt.Errorf("processor time is limited here: %w", errors.ErrUnsupported)
	}
	return startIdlers()
}
