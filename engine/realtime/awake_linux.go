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

// StayAwake has Linux let no processor sleep, until awake is closed or the program
// ends: one that has nothing to do waits in a loop. A processor takes its time to
// wake, in a virtual machine milliseconds, because the host gives it to others
// meanwhile; who sends packets on time for many calls there does not let it go. It
// costs all the power there is. Root may do so; the error is the system's otherwise
// ([os.ErrPermission], or [os.ErrNotExist] in a container), or
// [errors.ErrUnsupported] where the kernel has no driver that heeds it, and nothing
// has changed.
func StayAwake() (awake io.Closer, err error) {
	if awake, err = stayAwake(latencyFile, driverFile); err != nil {
		return nil, fmt.Errorf("realtime: no processor stays awake: %w", err)
	}
	return awake, nil
}

func stayAwake(latency, driver string) (io.Closer, error) {
	if name, err := os.ReadFile(driver); err == nil && strings.TrimSpace(string(name)) == "none" {
		return nil, errors.ErrUnsupported
	}
	f, err := os.OpenFile(latency, os.O_WRONLY, 0)
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
