package alsa

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"sotto/media/route"
)

func noControl(string) (control, error) { return nil, fs.ErrNotExist }

// element is an element of a fakeControl.
type element struct {
	name         string
	iface        int32
	kind         int32
	access       uint32
	count        uint32
	on           bool
	fails, fades error // of its value, and of its description
}

func jack(name string, on bool) element {
	return element{name: name, iface: ifaceCard, kind: kindBoolean, access: accessRead, count: 1, on: on}
}

// fakeControl is a control device that answers as the kernel does: an element's
// number is its place, from 1 on.
type fakeControl struct {
	mu         sync.Mutex // guards what follows
	elements   []element
	subscribed bool
	refuses    error
	closed     bool

	events chan []byte
	gone   chan error
}

func newFakeControl(elements ...element) *fakeControl {
	return &fakeControl{elements: elements, events: make(chan []byte, 8), gone: make(chan error, 1)}
}

func (f *fakeControl) open(string) (control, error) { return f, nil }

func (f *fakeControl) subscribe() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subscribed = true
	return f.refuses
}

func (f *fakeControl) id(n int) (id elemID) {
	id.numid, id.iface = uint32(n+1), f.elements[n].iface
	copy(id.name[:], f.elements[n].name)
	return id
}

func (f *fakeControl) list(l *elemList) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.subscribed {
		return errors.New("what changes meanwhile would be missed")
	}
	ids := unsafe.Slice(l.ids, l.space)
	l.count, l.used = uint32(len(f.elements)), 0
	for n := int(l.offset); n < len(f.elements) && l.used < l.space; n++ {
		ids[l.used] = f.id(n)
		l.used++
	}
	return nil
}

// at is the element of that ID.
func (f *fakeControl) at(id elemID) (*element, error) {
	n := int(id.numid) - 1
	if n < 0 || n >= len(f.elements) || f.id(n) != id {
		return nil, syscall.ENOENT
	}
	return &f.elements[n], nil
}

func (f *fakeControl) info(i *elemInfo) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, err := f.at(i.id)
	if err == nil {
		i.kind, i.access, i.count, err = e.kind, e.access, e.count, e.fades
	}
	return err
}

func (f *fakeControl) value(v *elemValue) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, err := f.at(v.id)
	if err == nil {
		if e.on {
			v.values[0] = 1
		}
		err = e.fails
	}
	return err
}

func (f *fakeControl) Read(b []byte) (int, error) {
	select {
	case e := <-f.events:
		return copy(b, e), nil
	case err := <-f.gone:
		return 0, err
	}
}

func (f *fakeControl) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.closed = true
		f.gone <- os.ErrClosed
	}
	return nil
}

// change changes an element, and tells of it.
func (f *fakeControl) change(n int, change func(*element)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.elements[n])
	f.events <- event(eventElement, 1, f.elements[n].iface)
}

func event(kind, mask uint32, iface int32) []byte {
	b := make([]byte, eventSize)
	for at, v := range map[int]uint32{0: kind, 4: mask, 12: uint32(iface)} {
		binary.NativeEndian.PutUint32(b[at:], v)
	}
	return b
}

// listening is a watch over the laptop with that control device on its card.
type listening struct {
	*testing.T
	events chan route.Event
}

func listen(t *testing.T, open opener) listening {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := listening{t, make(chan route.Event)}
	var running sync.WaitGroup
	running.Go(func() { kernel{laptop(), open}.watch(ctx, l.events) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return l
}

// begin reads what is told first, up to Ready, and returns the jacks in it.
func (l listening) begin() (jacks []route.Jack) {
	l.Helper()
	for e := range l.events {
		switch f := e.Fact.(type) {
		case route.Jacks:
			if jacks = f.All; f.Card != "PCH" {
				l.Errorf("%+v", f)
			}
		case route.Ready:
			return jacks
		case route.Lost:
			l.Fatalf("%+v", f)
		}
	}
	return nil
}

// expect reads the next fact, which has to be told at once.
func (l listening) expect(want route.Fact) {
	l.Helper()
	begun := time.Now()
	if e := <-l.events; !reflect.DeepEqual(e.Fact, want) || !e.At.Equal(begun) {
		l.Errorf("%+v after %v, want %+v", e.Fact, e.At.Sub(begun), want)
	}
}

// laptopJacks are the elements of a laptop's codec, with what is no jack between.
func laptopJacks() []element {
	return []element{
		{name: "Master Playback Volume", iface: 2, kind: 2, access: accessRead | accessWrite, count: 1, on: true},
		jack("Headphone Jack", false), jack("Speaker Phantom Jack", true), jack("Mic Jack", false),
		{name: "Loud Jack", iface: 2, kind: 2, access: accessRead | accessWrite, count: 2},
		{name: "Forged Phantom Jack", kind: kindBoolean, access: accessRead | accessUser, count: 1, on: true},
		{name: "Gone Jack", fades: syscall.ENOENT},
	}
}

// What is plugged in is told at once, and all jacks with it; a volume that
// changes is nothing.
func TestJacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeControl(laptopJacks()...)
		there := true
		l := listen(t, func(string) (control, error) {
			if !there {
				return nil, syscall.ENODEV
			}
			return f, nil
		})
		want := []route.Jack{{Name: "Headphone Jack"}, {Name: "Speaker Phantom Jack", Plugged: true}, {Name: "Mic Jack"}}
		if got := l.begin(); !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v", got)
		}
		f.change(0, func(e *element) { e.on = false })
		f.change(1, func(e *element) { e.on = true })
		want[0].Plugged = true
		l.expect(route.Jacks{ID: "hw:PCH jacks", Card: "PCH", All: want})

		// One is taken away, and one that cannot be told comes.
		f.mu.Lock()
		f.elements = append(f.elements, jack("Odd Jack", true))
		f.elements[7].access |= accessWrite
		f.mu.Unlock()
		f.events <- event(eventElement, maskRemove, 2)
		l.expect(route.Gone{ID: "hw:PCH jacks"})
		f.change(7, func(e *element) { e.access = accessRead })
		l.expect(route.Jacks{ID: "hw:PCH jacks", Card: "PCH", All: append(want, route.Jack{Name: "Odd Jack", Plugged: true})})

		there = false
		f.gone <- syscall.ENODEV
		l.expect(route.Gone{ID: "hw:PCH jacks"})
		synctest.Wait()
		if !f.closed {
			t.Error("the control device of a card that is gone is left open")
		}
	})
}

// Jacks are told of all together or not at all; what fails on the way is told.
func TestJacksThatFail(t *testing.T) {
	fire := fmt.Errorf("ioctl: %w", syscall.EIO)
	with := func(n int, change func(*element)) opener {
		all := laptopJacks()
		change(&all[n])
		return newFakeControl(all...).open
	}
	many := newFakeControl(append(make([]element, maxElements), laptopJacks()...)...)
	refusing := newFakeControl(laptopJacks()...)
	refusing.refuses = fire
	going := newFakeControl(laptopJacks()...)
	going.refuses = syscall.ENODEV
	for _, c := range []struct {
		name string
		open opener
		lost bool
	}{
		{"there is none", noControl, false},
		{"we may not", func(string) (control, error) { return nil, syscall.EACCES }, false},
		{"the card goes", func(string) (control, error) { return nil, syscall.ENODEV }, false},
		{"the card goes now", going.open, false},
		{"no more files", func(string) (control, error) { return nil, syscall.EMFILE }, true},
		{"no events", refusing.open, true},
		{"a value cannot be read", with(1, func(e *element) { e.fails = fire }), true},
		{"a description cannot be read", with(1, func(e *element) { e.fades = fire }), true},
		{"a jack of another type", with(1, func(e *element) { e.kind = 2 }), false},
		{"a jack with two values", with(1, func(e *element) { e.count = 2 }), false},
		{"a jack that anybody can set", with(1, func(e *element) { e.access |= accessWrite }), false},
		{"a jack that cannot be read", with(1, func(e *element) { e.access = 0 }), false},
		{"a jack that changes in silence", with(1, func(e *element) { e.access |= accessVolatile }), false},
		{"a jack that is off", with(1, func(e *element) { e.access |= accessInactive }), false},
		{"more than can be followed", many.open, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := listen(t, c.open)
				if !c.lost {
					if jacks := l.begin(); jacks != nil {
						t.Errorf("%+v", jacks)
					}
				} else if e := <-l.events; !strings.HasPrefix(fmt.Sprintf("%T", e.Fact), "route.Lost") {
					t.Errorf("%+v", e)
				}
			})
		})
	}
}

// A control device that says no more is a monitor that is lost, and asked anew.
func TestJacksAreLost(t *testing.T) {
	for name, break_ := range map[string]func(*fakeControl){
		"events end":  func(f *fakeControl) { f.gone <- syscall.EIO },
		"a value too": func(f *fakeControl) { f.change(1, func(e *element) { e.fails = syscall.EIO }) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var opened []*fakeControl
				l := listen(t, func(string) (control, error) {
					opened = append(opened, newFakeControl(laptopJacks()...))
					return opened[len(opened)-1], nil
				})
				l.begin()
				break_(opened[0])
				l.expect(route.Lost{Reason: syscall.EIO.Error()})
				if jacks := l.begin(); len(jacks) != 3 || len(opened) != 2 || !opened[0].closed {
					t.Errorf("%+v, opened %d times", jacks, len(opened))
				}
			})
		})
	}
}

// A card that is unplugged takes its control device with it, and no USB card is asked.
func TestPanelsFollowCards(t *testing.T) {
	f := newFakeControl(laptopJacks()...)
	var asked []string
	p := newPanels(func(number string) (control, error) {
		asked = append(asked, number)
		return f, nil
	})
	defer p.close()
	_, cards, err := scan(laptop())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.meet(cards); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(asked, []string{"0"}) {
		t.Errorf("asked %q", asked)
	}
	if err := p.meet(cards[1:]); err != nil || len(p.of) != 0 || !f.closed {
		t.Errorf("%v, %d are left", err, len(p.of))
	}
}

// Long lists come in pieces.
func TestElements(t *testing.T) {
	for _, n := range []int{0, 1, atOnce, atOnce + 1, 3*atOnce - 1} {
		f := newFakeControl(make([]element, n)...)
		f.subscribed = true
		all, err := elements(f)
		if err != nil || len(all) != n {
			t.Errorf("%d of %d, %v", len(all), n, err)
		}
		for i, id := range all {
			if id.numid != uint32(i+1) {
				t.Fatalf("%d: %d", i, id.numid)
			}
		}
	}
}

// Whatever comes as events: no panic, and what may be about jacks is not missed.
func FuzzEvents(f *testing.F) {
	volume, plug := event(eventElement, 1, 2), event(eventElement, 1, ifaceCard)
	f.Add([]byte{})
	f.Add(volume)
	f.Add(plug)
	f.Add(append(volume, plug...))
	f.Add(append(volume, event(eventElement, maskRemove, 2)...))
	f.Add(append(volume, event(7, 1, 2)...))
	f.Add(append(volume, plug[:eventSize-1]...))
	f.Fuzz(func(t *testing.T, events []byte) {
		silent := len(events)%eventSize == 0
		for at := 0; at+eventSize <= len(events); at += eventSize {
			var words [4]uint32
			for i := range words {
				words[i] = binary.NativeEndian.Uint32(events[at+4*i:])
			}
			silent = silent && words[0] == 0 && words[1] != 0xffffffff && words[3] != 0
		}
		if aboutJacks(events) == silent {
			t.Errorf("%x: about jacks: %v", events, !silent)
		}
	})
}

// Whatever the names of elements, their types and values: no panic, and every
// jack that is told has a name.
func FuzzReadJacks(f *testing.F) {
	f.Add("Headphone Jack", int32(0), int32(1), uint32(1), uint32(1), true)
	f.Add(" Jack", int32(0), int32(1), uint32(accessRead|accessUser), uint32(1), true)
	f.Add(strings.Repeat("x", 39)+" Jack", int32(0), int32(1), uint32(3), uint32(0), false)
	f.Add("Jack\x00 Jack", int32(-1), int32(9), uint32(1), uint32(1), false)
	f.Fuzz(func(t *testing.T, name string, iface, kind int32, access, count uint32, on bool) {
		c := newFakeControl(jack("Headphone Jack", true), element{name: name, iface: iface, kind: kind, access: access, count: count, on: on})
		c.subscribed = true
		jacks, err := readJacks(c, "PCH")
		switch {
		case errors.Is(err, errUntold) && len(jacks.All) == 0:
		case err != nil || len(jacks.All) < 1 || jacks.All[0] != route.Jack{Name: "Headphone Jack", Plugged: true}:
			t.Errorf("%+v, %v", jacks, err)
		case len(jacks.All) == 2 && (jacks.All[1].Plugged != on || !strings.HasSuffix(jacks.All[1].Name, " Jack")):
			t.Errorf("%+v", jacks)
		}
	})
}
