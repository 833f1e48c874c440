package alsa

import (
	"context"
	"errors"
	"io/fs"
	"reflect"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"sotto/media/route"
)

func text(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
func link(to string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink}
}

const hdaPath = "../../devices/pci0000:00/0000:00:1f.3/sound/card0"

// laptop is a machine with a card of its own and a USB headset.
func laptop() fstest.MapFS {
	return fstest.MapFS{
		"proc/asound/cards": text(" 0 [PCH            ]: HDA-Intel - HDA Intel PCH\n" +
			"                      HDA Intel PCH at 0x4010108000 irq 145\n" +
			" 1 [C320           ]: USB-Audio - Plantronics C320\n" +
			"                      Plantronics Plantronics C320 at usb-0000:00:14.0-2, full speed\n"),
		"proc/asound/card0/id":                                                    text("PCH\n"),
		"proc/asound/card0/pcm0p/info":                                            text("card: 0\ndevice: 0\nstream: PLAYBACK\nid: ALC257 Analog\nname: ALC257 Analog\n"),
		"proc/asound/card0/pcm0p/sub0/status":                                     text("closed\n"),
		"proc/asound/card0/pcm0c/info":                                            text("card: 0\nname: ALC257 Analog\n"),
		"proc/asound/card0/pcm0c/sub0/status":                                     text("state: RUNNING\nowner_pid   : 4712\ntrigger_time: 1.2\n"),
		"proc/asound/card1/pcm0p/info":                                            text("card: 1\nname: USB Audio\n"),
		"proc/4712/status":                                                        text("Name:\tspy\nUmask:\t0022\nTgid:\t4711\n"),
		"sys/class/sound/card0":                                                   link(hdaPath),
		"sys/class/sound/card1":                                                   link("../../devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/sound/card1"),
		"sys/devices/pci0000:00/0000:00:1f.3/sound/card0/device":                  link("../.."),
		"sys/devices/pci0000:00/0000:00:1f.3/subsystem":                           link("../../../bus/pci"),
		"sys/devices/pci0000:00/0000:00:1f.3/driver":                              link("../../../bus/pci/drivers/snd_hda_intel"),
		"sys/bus/pci/drivers/snd_hda_intel/module":                                link("../../../../module/snd_hda_intel"),
		"sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/sound/card1/device": link("../.."),
		"sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/subsystem":          link("../../../../../../bus/usb"),
	}
}

func TestScan(t *testing.T) {
	facts, cards, err := scan(laptop())
	if err != nil {
		t.Fatal(err)
	}
	want := map[route.ID]route.Fact{
		"hw:PCH,0p": route.Node{
			ID: "hw:PCH,0p", Kind: route.Sink, Name: "hw:PCH,0", Description: "ALC257 Analog", Driver: "HDA-Intel", Hardware: true,
			Props: map[string]string{
				"device.api": "alsa", "alsa.card": "0", "alsa.device": "0", "alsa.id": "PCH", "alsa.card_name": "HDA Intel PCH", "alsa.name": "ALC257 Analog",
				"device.bus": "pci", "alsa.driver_name": "snd_hda_intel", "sysfs.path": "/devices/pci0000:00/0000:00:1f.3/sound/card0",
			},
		},
		"hw:PCH,0c": route.Node{
			ID: "hw:PCH,0c", Kind: route.Source, Name: "hw:PCH,0", Description: "ALC257 Analog", Driver: "HDA-Intel", Hardware: true,
			Props: map[string]string{
				"device.api": "alsa", "alsa.card": "0", "alsa.device": "0", "alsa.id": "PCH", "alsa.card_name": "HDA Intel PCH", "alsa.name": "ALC257 Analog",
				"device.bus": "pci", "alsa.driver_name": "snd_hda_intel", "sysfs.path": "/devices/pci0000:00/0000:00:1f.3/sound/card0",
			},
		},
		"hw:PCH,0c sub0":      route.Node{ID: "hw:PCH,0c sub0", Kind: route.Capture, Name: "hw:PCH,0c", Owner: route.Process{PID: 4711, Name: "spy"}},
		"hw:PCH,0c sub0 link": route.Link{ID: "hw:PCH,0c sub0 link", From: "hw:PCH,0c", To: "hw:PCH,0c sub0"},
		"hw:C320,0p": route.Node{
			ID: "hw:C320,0p", Kind: route.Sink, Name: "hw:C320,0", Description: "USB Audio", Driver: "USB-Audio", Hardware: true,
			Props: map[string]string{
				"device.api": "alsa", "alsa.card": "1", "alsa.device": "0", "alsa.id": "C320", "alsa.card_name": "Plantronics C320", "alsa.name": "USB Audio",
				"device.bus": "usb", "sysfs.path": "/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/sound/card1",
			},
		},
	}
	for id := range want {
		if !reflect.DeepEqual(facts[id], want[id]) {
			t.Errorf("got\n%+v\nwant\n%+v", facts[id], want[id])
		}
	}
	if len(cards) != 2 || cards[0].usb() || !cards[1].usb() {
		t.Errorf("%+v", cards)
	}
	if len(facts) != len(want) {
		t.Errorf("%d facts: %+v", len(facts), facts)
	}
}

// locked is a file system that changes while it is watched.
type locked struct {
	mu    sync.Mutex
	files fstest.MapFS
	fail  error
}

func (l *locked) Open(name string) (fs.File, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return nil, l.fail
	}
	return l.files.Open(name)
}

// A card is unplugged, a program opens another one, and then nothing can be
// read any more, which is told as such.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := &locked{files: laptop()}
		ctx, cancel := context.WithCancel(t.Context())
		events := make(chan route.Event)
		go kernel{root, noControl}.watch(ctx, events)
		next := func(facts int) (told []route.Fact) {
			t.Helper()
			begin := time.Now()
			for range facts {
				e := <-events
				if e.From != route.ALSA || e.At.Sub(begin) > interval {
					t.Errorf("%+v after %v", e, e.At.Sub(begin))
				}
				told = append(told, e.Fact)
			}
			return told
		}
		if got := next(6); got[5] != any(route.Ready{}) {
			t.Errorf("got %+v", got)
		}
		root.mu.Lock()
		root.files["proc/asound/cards"] = text(" 0 [PCH            ]: HDA-Intel - HDA Intel PCH\n")
		root.mu.Unlock()
		if got := next(1); got[0] != any(route.Gone{ID: "hw:C320,0p"}) {
			t.Errorf("got %+v", got)
		}
		root.mu.Lock()
		root.files["proc/asound/card0/pcm0p/sub0/status"] = text("state: RUNNING\nowner_pid   : 4712\n")
		root.mu.Unlock()
		next(2)
		root.mu.Lock()
		root.fail = errors.New("the disk is on fire")
		root.mu.Unlock()
		if got := next(1); got[0] != any(route.Lost{Reason: "the disk is on fire"}) {
			t.Errorf("got %+v", got)
		}
		cancel()
		synctest.Wait()
	})
}

func TestNoSound(t *testing.T) {
	if facts, cards, err := scan(fstest.MapFS{}); len(facts)+len(cards) != 0 || err != nil {
		t.Errorf("%v, %v", facts, err)
	}
}

// Whatever stands in the files: no panic, and bounded.
func FuzzScan(f *testing.F) {
	f.Add(" 0 [PCH            ]: HDA-Intel - HDA Intel PCH\n", "owner_pid   : 4712\n", "Tgid:\t4711\n", hdaPath)
	f.Fuzz(func(t *testing.T, cards, status, process, path string) {
		root := laptop()
		root["proc/asound/cards"], root["proc/asound/card0/pcm0c/sub0/status"] = text(cards), text(status)
		root["proc/4712/status"], root["sys/class/sound/card0"] = text(process), link(path)
		if facts, _, err := scan(root); err == nil && len(facts) > 10 {
			t.Errorf("%d facts", len(facts))
		}
	})
}
