//go:build linux && (amd64 || arm64 || loong64 || riscv64)

package alsa

import (
	"os"
	"syscall"
	"unsafe"
)

// The requests of sound/asound.h, as asm-generic/ioctl.h makes their numbers.
const (
	requestList      = readWrite | unsafe.Sizeof(elemList{})<<16 | 'U'<<8 | 0x10
	requestInfo      = readWrite | unsafe.Sizeof(elemInfo{})<<16 | 'U'<<8 | 0x11
	requestRead      = readWrite | unsafe.Sizeof(elemValue{})<<16 | 'U'<<8 | 0x12
	requestSubscribe = readWrite | unsafe.Sizeof(int32(0))<<16 | 'U'<<8 | 0x16

	readWrite = 3 << 30
)

// device is a control device of the kernel's.
type device struct{ *os.File }

// openControl opens it so that reads wait as those of a socket do.
func openControl(number string) (control, error) {
	f, err := os.OpenFile("/dev/snd/controlC"+number, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return device{f}, nil
}

func (d device) subscribe() error {
	yes := int32(1)
	return d.ioctl(requestSubscribe, unsafe.Pointer(&yes))
}

func (d device) list(l *elemList) error   { return d.ioctl(requestList, unsafe.Pointer(l)) }
func (d device) info(i *elemInfo) error   { return d.ioctl(requestInfo, unsafe.Pointer(i)) }
func (d device) value(v *elemValue) error { return d.ioctl(requestRead, unsafe.Pointer(v)) }

func (d device) ioctl(request uintptr, argument unsafe.Pointer) error {
	conn, err := d.SyscallConn()
	if err != nil {
		return err
	}
	var errno syscall.Errno
	err = conn.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(argument))
	})
	if err == nil && errno != 0 {
		err = os.NewSyscallError("ioctl", errno)
	}
	return err
}
