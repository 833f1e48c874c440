//go:build linux && (amd64 || arm64 || loong64 || riscv64)

package alsa

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// layout prints what the C compiler makes of the kernel's header, as these tests
// print what Go makes of ours.
const layout = `
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sound/asound.h>
#define P(x) printf(#x " %ld\n", (long)(x))
int main(void) {
	P(sizeof(struct snd_ctl_elem_id)); P(offsetof(struct snd_ctl_elem_id, iface)); P(offsetof(struct snd_ctl_elem_id, name));
	P(sizeof(((struct snd_ctl_elem_id *)0)->name)); P(offsetof(struct snd_ctl_elem_id, index));
	P(sizeof(struct snd_ctl_elem_list)); P(offsetof(struct snd_ctl_elem_list, space)); P(offsetof(struct snd_ctl_elem_list, used));
	P(offsetof(struct snd_ctl_elem_list, count)); P(offsetof(struct snd_ctl_elem_list, pids));
	P(sizeof(struct snd_ctl_elem_info)); P(offsetof(struct snd_ctl_elem_info, type)); P(offsetof(struct snd_ctl_elem_info, access));
	P(offsetof(struct snd_ctl_elem_info, count));
	P(sizeof(struct snd_ctl_elem_value)); P(offsetof(struct snd_ctl_elem_value, value)); P(sizeof(((struct snd_ctl_elem_value *)0)->value));
	P(sizeof(struct snd_ctl_event)); P(offsetof(struct snd_ctl_event, data.elem.mask)); P(offsetof(struct snd_ctl_event, data.elem.id.iface));
	P(SNDRV_CTL_EVENT_ELEM); P(SNDRV_CTL_EVENT_MASK_REMOVE); P(SNDRV_CTL_ELEM_IFACE_CARD); P(SNDRV_CTL_ELEM_TYPE_BOOLEAN);
	P(SNDRV_CTL_ELEM_ACCESS_READ); P(SNDRV_CTL_ELEM_ACCESS_WRITE); P(SNDRV_CTL_ELEM_ACCESS_VOLATILE);
	P(SNDRV_CTL_ELEM_ACCESS_INACTIVE); P(SNDRV_CTL_ELEM_ACCESS_USER);
	P(SNDRV_CTL_IOCTL_ELEM_LIST); P(SNDRV_CTL_IOCTL_ELEM_INFO); P(SNDRV_CTL_IOCTL_ELEM_READ); P(SNDRV_CTL_IOCTL_SUBSCRIBE_EVENTS);
	return 0;
}`

// The structs and numbers are those of the kernel's header, as a C compiler has
// them: gcc and the header come with what building needs.
func TestLayout(t *testing.T) {
	dir := t.TempDir()
	source, program := filepath.Join(dir, "layout.c"), filepath.Join(dir, "layout")
	if err := os.WriteFile(source, []byte(layout), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command(program).Output()
	if err != nil {
		t.Fatal(err)
	}
	var (
		id    elemID
		list  elemList
		info  elemInfo
		value elemValue
	)
	ours := []int64{
		int64(unsafe.Sizeof(id)), int64(unsafe.Offsetof(id.iface)), int64(unsafe.Offsetof(id.name)),
		int64(unsafe.Sizeof(id.name)), int64(unsafe.Offsetof(id.index)),
		int64(unsafe.Sizeof(list)), int64(unsafe.Offsetof(list.space)), int64(unsafe.Offsetof(list.used)),
		int64(unsafe.Offsetof(list.count)), int64(unsafe.Offsetof(list.ids)),
		int64(unsafe.Sizeof(info)), int64(unsafe.Offsetof(info.kind)), int64(unsafe.Offsetof(info.access)),
		int64(unsafe.Offsetof(info.count)),
		int64(unsafe.Sizeof(value)), int64(unsafe.Offsetof(value.values)), int64(unsafe.Sizeof(value.values)),
		eventSize, 4, 12, // as aboutJacks has them
		eventElement, int64(maskRemove), ifaceCard, kindBoolean,
		accessRead, accessWrite, accessVolatile, accessInactive, accessUser,
		int64(requestList), int64(requestInfo), int64(requestRead), int64(requestSubscribe),
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(ours) {
		t.Fatalf("%d numbers, want %d", len(ours), len(lines))
	}
	for i, line := range lines {
		if !strings.HasSuffix(line, fmt.Sprintf(" %d", ours[i])) {
			t.Errorf("%s, ours %d", line, ours[i])
		}
	}
}

// A device that is no control device says so, a read of one that is silent waits
// without holding a thread, and Close ends it. A terminal is such a device.
func TestDeviceWaits(t *testing.T) {
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	d := device{f}
	for name, err := range map[string]error{
		"subscribe": d.subscribe(), "list": d.list(&elemList{}), "info": d.info(&elemInfo{}), "value": d.value(&elemValue{}),
	} {
		if !errors.Is(err, syscall.ENOTTY) && !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := d.SetReadDeadline(time.Now()); err != nil { // else the runtime does not wait for it
		t.Fatal(err)
	}
	if err := awaitJacks(d); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	if err := d.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- awaitJacks(d) }()
	d.Close()
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if _, err := openControl("of no card"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
