package alsa

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unsafe"

	"sotto/media/route"
)

// control is the control device of a card, /dev/snd/controlC0. Its errors are
// the kernel's; a read brings whole events.
type control interface {
	io.ReadCloser
	subscribe() error // to events
	list(*elemList) error
	info(*elemInfo) error
	value(*elemValue) error
}

// The structs of the kernel's sound/asound.h where a long has 64 bits.
type (
	elemID struct { // snd_ctl_elem_id
		numid             uint32 // the same as long as the element is there
		iface             int32
		device, subdevice uint32
		name              [44]byte
		index             uint32
	}
	elemList struct { // snd_ctl_elem_list
		offset, space, used, count uint32
		ids                        *elemID // room for space of them
		_                          [50]byte
	}
	elemInfo struct { // snd_ctl_elem_info
		id     elemID
		kind   int32
		access uint32
		count  uint32 // of values
		owner  int32
		_      [128 + 64]byte
	}
	elemValue struct { // snd_ctl_elem_value
		id       elemID
		indirect uint32
		values   [128]int64
		_        [128]byte
	}
)

// An event (snd_ctl_event) is its type, and of an element's a mask and the ID.
const (
	eventSize    = 72
	eventElement = 0
	maskRemove   = ^uint32(0)
)

const (
	ifaceCard   = 0 // SNDRV_CTL_ELEM_IFACE_CARD
	kindBoolean = 1 // SNDRV_CTL_ELEM_TYPE_BOOLEAN

	accessRead     = 1 << 0 // SNDRV_CTL_ELEM_ACCESS_READ, and so on
	accessWrite    = 1 << 1
	accessVolatile = 1 << 2
	accessInactive = 1 << 8
	accessUser     = 1 << 29 // a program has made it
)

const (
	atOnce      = 256 // elements in a list
	maxElements = 4096
)

// errUntold says that a card does not say what is in its jacks, though it lives.
var errUntold = errors.New("its jacks cannot be told")

// readJacks reads all jacks of a card: controls of the whole card, named as what
// the kernel makes for them (sound/core/ctljack.c). It is all of them, or an error.
func readJacks(c control, card string) (route.Jacks, error) {
	jacks := route.Jacks{ID: route.ID("hw:" + card + " jacks"), Card: card}
	ids, err := elements(c)
	if err != nil {
		return route.Jacks{}, err
	}
	for _, id := range ids {
		if id.iface != ifaceCard || !strings.HasSuffix(id.text(), " Jack") {
			continue
		}
		info, value := elemInfo{id: id}, elemValue{id: id}
		err := c.info(&info)
		if err == nil {
			err = c.value(&value)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist), err == nil && info.access&accessUser != 0:
			continue // it has gone since, or some program has made it
		case err != nil:
			return route.Jacks{}, err
		case info.kind != kindBoolean, info.count != 1,
			info.access&(accessRead|accessWrite|accessVolatile|accessInactive) != accessRead:
			return route.Jacks{}, fmt.Errorf("%w: %q is of another kind", errUntold, id.text())
		}
		jacks.All = append(jacks.All, route.Jack{Name: id.text(), Plugged: value.values[0] != 0})
	}
	return jacks, nil
}

// text is the element's name.
func (id *elemID) text() string {
	name, _, _ := bytes.Cut(id.name[:], []byte{0})
	return string(name)
}

// elements are all elements of a card.
func elements(c control) ([]elemID, error) {
	var all []elemID
	for {
		ids := make([]elemID, atOnce)
		l := elemList{offset: uint32(len(all)), space: atOnce, ids: unsafe.SliceData(ids)}
		if err := c.list(&l); err != nil {
			return nil, err
		}
		all = append(all, ids[:min(l.used, atOnce)]...)
		switch {
		case l.used == 0 || uint32(len(all)) >= l.count:
			return all, nil
		case len(all) >= maxElements:
			return nil, fmt.Errorf("%w: there are more than %d elements", errUntold, maxElements)
		}
	}
}

// awaitJacks blocks until something happens that may be about jacks.
func awaitJacks(c control) error {
	buffer := make([]byte, 16*eventSize)
	for {
		n, err := c.Read(buffer)
		if err != nil {
			return err
		}
		if aboutJacks(buffer[:n]) {
			return nil
		}
	}
}

// aboutJacks reports whether events, as they were read, may be about jacks: most
// are about volumes. What is not understood may be.
func aboutJacks(events []byte) bool {
	for ; len(events) >= eventSize; events = events[eventSize:] {
		word := func(at int) uint32 { return binary.NativeEndian.Uint32(events[at:]) }
		if word(0) != eventElement || word(4) == maskRemove || word(12) == ifaceCard {
			return true
		}
	}
	return len(events) > 0
}
