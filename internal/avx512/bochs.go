package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// emulator is where scripts/emulator unpacks Debian packages.
const emulator = "bin/tools/emulator"

// machine configures Bochs 3.0. Virtual time runs with the instructions, ips of
// them a second: few, for what the BIOS waits for is counted in seconds.
const machine = `
config_interface: textconfig
display_library: term
plugin_ctrl: unmapped=1, biosdev=1, speaker=0, extfpuirq=1, parallel=0, serial=1, e1000=0
cpu: model=corei7_icelake_u, count=1, ips=20000000, reset_on_triple_fault=0
clock: sync=none
megs: 1024
romimage: file=$BXSHARE/BIOS-bochs-latest
vgaromimage: file=$BXSHARE/VGABIOS-lgpl-latest
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=disc.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=/dev/fd/3
log: bochs.log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
`

// loader is the boot loader's configuration. XSAVEC and XSAVES (321 and 323 in
// the kernel's asm/cpufeatures.h) are taken away from the kernel: Bochs 3.0
// restores what they have compacted wrongly, registers of 512 bits included.
const loader = `
default tests
prompt 0
timeout 0
label tests
 kernel /vmlinuz
 append initrd=/initrd console=ttyS0 quiet loglevel=3 panic=-1 nokaslr mitigations=off clearcpuid=321,323
`

// runEmulated runs the suites in Bochs.
func (o options) runEmulated(ctx context.Context, work string, suites []suite, v *verdict) error {
	setup := exec.CommandContext(ctx, "scripts/emulator", emulator)
	setup.Stdout, setup.Stderr = os.Stdout, os.Stderr
	if err := setup.Run(); err != nil {
		return fmt.Errorf("scripts/emulator: %w", err)
	}
	root, err := filepath.Abs(emulator)
	if err != nil {
		return err
	}
	if err := o.burn(ctx, root, work, suites); err != nil {
		return err
	}
	for name, content := range map[string]string{
		"bochsrc": machine,
		// Debian's Bochs has the debugger built in, which waits to be told.
		"debugger": "continue\nquit\n",
	} {
		if err := os.WriteFile(filepath.Join(work, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	serial, console, err := os.Pipe()
	if err != nil {
		return err
	}
	defer serial.Close()
	bochs := program(ctx, root, "bochs-bin", "-q", "-f", "bochsrc", "-rc", "debugger")
	bochs.Dir = work
	bochs.ExtraFiles = []*os.File{console} // its descriptor 3
	fmt.Println("booting the emulated machine: half a minute")
	err = bochs.Start()
	console.Close()
	if err != nil {
		return fmt.Errorf("bochs: %w", err)
	}
	err = v.read(serial)
	// It ends with 1 whenever the machine is switched off.
	if waited := bochs.Wait(); bochs.ProcessState.ExitCode() != 1 {
		err = errors.Join(err, fmt.Errorf("bochs: %w", waited))
	}
	return err
}

// program is a program of the emulator's packages, with their libraries. It
// leaves the terminal alone.
func program(ctx context.Context, root, name string, args ...string) *exec.Cmd {
	libraries := filepath.Join(root, "usr/lib/x86_64-linux-gnu")
	c := exec.CommandContext(ctx, filepath.Join(root, "usr/lib64/ld-linux-x86-64.so.2"), append([]string{
		"--library-path", libraries + ":" + filepath.Join(libraries, "pulseaudio"),
		filepath.Join(root, "usr/bin", name)}, args...)...)
	c.Env = append(os.Environ(), "TERM=vt100",
		"BXSHARE="+filepath.Join(root, "usr/share/bochs"),
		"LTDL_LIBRARY_PATH="+filepath.Join(libraries, "bochs/plugins"))
	return c
}

// burn writes the disc that the machine boots from, disc.iso in work.
func (o options) burn(ctx context.Context, root, work string, suites []suite) error {
	guest := filepath.Join(work, "guest")
	compile := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", guest, "./internal/avx512/guest")
	compile.Env = append(os.Environ(), "CGO_ENABLED=0")
	compile.Stderr = os.Stderr
	if err := compile.Run(); err != nil {
		return fmt.Errorf("guest: %w", err)
	}
	disc := filepath.Join(work, "disc")
	if err := os.Mkdir(disc, 0o700); err != nil {
		return err
	}
	for _, part := range []string{"vmlinuz", "usr/lib/ISOLINUX/isolinux.bin", "usr/lib/syslinux/modules/bios/ldlinux.c32"} {
		content, err := os.ReadFile(filepath.Join(root, part))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(disc, filepath.Base(part)), content, 0o600); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(disc, "isolinux.cfg"), []byte(loader), 0o600); err != nil {
		return err
	}
	initrd, err := os.Create(filepath.Join(disc, "initrd"))
	if err != nil {
		return err
	}
	if err := errors.Join(o.pack(initrd, guest, suites), initrd.Close()); err != nil {
		return err
	}
	burn := program(ctx, root, "genisoimage", "-quiet", "-R", "-o", filepath.Join(work, "disc.iso"),
		"-b", "isolinux.bin", "-c", "boot.cat", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", disc)
	if out, err := burn.CombinedOutput(); err != nil {
		return fmt.Errorf("genisoimage: %w\n%s", err, out)
	}
	return nil
}
