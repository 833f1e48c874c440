package alsa

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"

	"sotto/media/route"
)

// maxFile is how much of a file is read; those of interest have some lines.
const maxFile = 64 << 10

var (
	errTooMany = errors.New("there is more than can be followed")

	cardLine = regexp.MustCompile(`(?m)^ *(\d+) \[(\S+) *\]: (\S+) - (.+)$`)
	pcmName  = regexp.MustCompile(`^pcm(\d+)([pc])$`)
	subName  = regexp.MustCompile(`^sub\d+$`)
)

// scan reads all there is now, but for what the cards themselves have to be asked.
func scan(root fs.FS) (facts map[route.ID]route.Fact, cards []card, err error) {
	facts = map[route.ID]route.Fact{}
	list, err := read(root, "proc/asound/cards")
	if errors.Is(err, fs.ErrNotExist) {
		return facts, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for _, m := range cardLine.FindAllStringSubmatch(list, -1) {
		c := card{root: root, number: m[1], id: m[2], driver: m[3], name: strings.TrimSpace(m[4])}
		if err := c.scan(facts); err != nil {
			return nil, nil, err
		}
		cards = append(cards, c)
	}
	return facts, cards, nil
}

func read(root fs.FS, name string) (string, error) {
	f, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile))
	return string(text), err
}

// card is a sound card, as a line of /proc/asound/cards describes it.
type card struct {
	root                     fs.FS
	number, id, driver, name string
}

// scan adds the card's devices and who has them open. A card that goes while it
// is looked at has none.
func (c card) scan(facts map[route.ID]route.Fact) error {
	dir := "proc/asound/card" + c.number
	entries, err := fs.ReadDir(c.root, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	props := c.props()
	for _, e := range entries {
		m := pcmName.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		device := c.device(m[1], m[2], props)
		facts[device.ID] = device
		if err := c.streams(path.Join(dir, e.Name()), device, facts); err != nil {
			return err
		}
		if len(facts) > maxFacts {
			return errTooMany
		}
	}
	return nil
}

// props are what the kernel says of the whole card, by PulseAudio's names.
func (c card) props() map[string]string {
	sys := "sys/class/sound/card" + c.number
	props := map[string]string{
		"device.api": "alsa", "alsa.card": c.number, "alsa.id": c.id, "alsa.card_name": c.name,
		"device.bus":       c.target(sys + "/device/subsystem"),
		"alsa.driver_name": c.target(sys + "/device/driver/module"),
	}
	if link, err := fs.ReadLink(c.root, sys); err == nil {
		props["sysfs.path"] = strings.TrimPrefix(path.Join("/sys/class/sound", link), "/sys")
	}
	for key, value := range props {
		if value == "" {
			delete(props, key)
		}
	}
	return props
}

// usb reports whether the card is at the end of a wire.
func (c card) usb() bool {
	return c.driver == "USB-Audio" || c.target("sys/class/sound/card"+c.number+"/device/subsystem") == "usb"
}

// target is the last part of what a link leads to, or "".
func (c card) target(name string) string {
	link, err := fs.ReadLink(c.root, name)
	if err != nil {
		return ""
	}
	return path.Base(link)
}

// device is one device of the card, of direction p or c.
func (c card) device(number, direction string, card map[string]string) route.Node {
	name := fmt.Sprintf("hw:%s,%s", c.id, number)
	n := route.Node{ID: route.ID(name + direction), Kind: route.Sink, Name: name, Description: c.name, Driver: c.driver, Hardware: true, Props: map[string]string{}}
	if direction == "c" {
		n.Kind = route.Source
	}
	for key, value := range card {
		n.Props[key] = value
	}
	n.Props["alsa.device"] = number
	info, err := read(c.root, fmt.Sprintf("proc/asound/card%s/pcm%s%s/info", c.number, number, direction))
	if err == nil {
		n.Props["alsa.name"] = field(info, "name")
		n.Description = cmp.Or(n.Props["alsa.name"], c.name)
	}
	return n
}

// streams adds the programs that have the device in dir open.
func (c card) streams(dir string, device route.Node, facts map[route.ID]route.Fact) error {
	entries, err := fs.ReadDir(c.root, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if !subName.MatchString(e.Name()) {
			continue
		}
		status, err := read(c.root, path.Join(dir, e.Name(), "status"))
		if err != nil || field(status, "owner_pid") == "" {
			continue // closed, or gone
		}
		s := route.Node{ID: device.ID + route.ID(" "+e.Name()), Kind: route.Playback, Name: string(device.ID), Owner: c.process(field(status, "owner_pid"))}
		l := route.Link{ID: s.ID + " link", From: s.ID, To: device.ID}
		if device.Kind == route.Source {
			s.Kind = route.Capture
			l.From, l.To = l.To, l.From
		}
		facts[s.ID], facts[l.ID] = s, l
	}
	return nil
}

// process is the program that a thread belongs to.
func (c card) process(thread string) route.Process {
	if _, err := strconv.ParseUint(thread, 10, 31); err != nil {
		return route.Process{}
	}
	status, err := read(c.root, "proc/"+thread+"/status")
	if err != nil {
		return route.Process{}
	}
	pid, err := strconv.Atoi(field(status, "Tgid"))
	if err != nil {
		return route.Process{}
	}
	return route.Process{PID: pid, Name: field(status, "Name")}
}

// field is what stands behind "name:" at the beginning of a line.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
