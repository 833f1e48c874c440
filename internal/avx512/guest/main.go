// Guest is the first program in the machine that internal/avx512 emulates: it
// runs the test binaries one after the other, says on the console how each
// ended, and switches the machine off.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guest: only for the machine that internal/avx512 emulates")
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Println("guest:", err)
	}
	drain()
	if err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("guest: power off:", err)
	}
}

// drain waits until the console has sent everything: tcdrain(3).
func drain() {
	const tcsbrk = 0x5409
	if _, _, err := syscall.Syscall(syscall.SYS_IOCTL, os.Stdout.Fd(), tcsbrk, 1); err != 0 {
		fmt.Println("guest: drain:", err)
	}
}

// run does what each line of /plan says: the import path, and the arguments.
// The tests of a package lie in the directory of its path, with their testdata.
func run() error {
	for _, system := range [][2]string{{"proc", "/proc"}, {"devtmpfs", "/dev"}} {
		if err := syscall.Mount(system[0], system[1], system[0], 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", system[1], err)
		}
	}
	plan, err := os.Open("/plan")
	if err != nil {
		return err
	}
	defer plan.Close()
	lines := bufio.NewScanner(plan)
	for lines.Scan() {
		pkg, arguments, _ := strings.Cut(lines.Text(), "\t")
		test := exec.Command("./package.test", strings.Split(arguments, "\t")...)
		test.Dir = "/" + pkg
		test.Env = []string{"HOME=/tmp", "TMPDIR=/tmp"}
		test.Stdout, test.Stderr = os.Stdout, os.Stdout
		fmt.Printf("\n@avx512 begins %s\n", pkg)
		err := test.Run()
		if test.ProcessState == nil {
			return err
		}
		fmt.Printf("\n@avx512 ends %s %d\n", pkg, test.ProcessState.ExitCode())
	}
	return lines.Err()
}
