package route

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What a device may say of itself. Real ones stay far below; who says more is
// not believed at all.
const (
	maxProps = 256
	maxText  = 4096      // bytes of one key or value
	maxTexts = 128 << 10 // bytes of all of them
	maxShown = 80        // runes of one value, where people read it
)

// structural are the properties that name parts of the system rather than
// describe them to people. They are plain ASCII.
var structural = []string{
	"alsa.card", "alsa.device", "alsa.driver_name", "api.alsa.card", "api.alsa.path", "api.alsa.pcm.card", "api.alsa.pcm.stream",
	"api.bluez5.profile", "device.api", "device.bus", "device.bus-path", "device.bus_path", "device.class",
	"device.form-factor", "device.form_factor", "device.master_device", "device.profile.name", "device.string",
	"factory.name", "media.class", "node.link-group", "node.name", "node.network", "node.virtual", "sysfs.path",
}

// saying is one thing that a device says of itself.
type saying struct {
	key, value string // folded
	text       string // as it was said, for people
}

// testimony is all that a device says of itself.
type testimony struct {
	node    Node
	sayings []saying
	// All sayings in one, to see at once that a word is in none of them.
	all, spaced string
}

// listen folds what n says for the search of hints: case does not matter there.
// damage is why n cannot be believed, or empty.
func listen(n Node) (t testimony, damage string) {
	t.node = n
	if len(n.Props) > maxProps {
		return t, fmt.Sprintf("it has %d properties", len(n.Props))
	}
	total := 0
	var all strings.Builder
	say := func(key, value string, plain bool) {
		total += len(key) + len(value)
		switch {
		case damage != "":
			return
		case len(key) > maxText || len(value) > maxText || total > maxTexts:
			damage = "it describes itself at too great a length"
		case key == "" || !plainASCII(key) || strings.ContainsAny(key, " ="):
			damage = fmt.Sprintf("it has a property with the odd name %q", clip(key))
		case !printable(value) || plain && !plainASCII(value):
			damage = fmt.Sprintf("its %s has odd characters: %q", clip(key), clip(value))
		default:
			s := saying{fold(key), fold(value), key + "=" + clip(value)}
			t.sayings = append(t.sayings, s)
			all.WriteString(s.key + "\n" + s.value + "\n")
		}
	}
	for _, field := range []struct{ key, value string }{
		{"name", n.Name}, {"description", n.Description}, {"driver", n.Driver}, {"factory", n.Factory},
		{"port", n.Port.Name}, {"port.type", n.Port.Type}, {"port.available", n.Port.Available},
		{"monitor-of", string(n.MonitorOf)}, {"group", n.Group},
	} {
		if field.value != "" {
			say(field.key, field.value, field.key != "description")
		}
	}
	if n.Network {
		say("flag", "network", true)
	}
	if n.Hardware {
		say("flag", "hardware", true)
	}
	for _, key := range slices.Sorted(maps.Keys(n.Props)) {
		say(key, n.Props[key], slices.Contains(structural, fold(key)))
	}
	t.all = all.String()
	t.spaced = spaced(t.all)
	return t, damage
}

// fold makes spellings of one word equal. It works on bytes: what is not ASCII
// is no hint, and no evidence either.
func fold(s string) string {
	return strings.TrimSpace(strings.ToLower(s))
}

func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// printable reports whether s is text: invisible characters and those that
// turn the direction of writing are not.
func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsGraphic(r) && r != '\t' && r != '\n' {
			return false
		}
	}
	return true
}

// clip is s in a length that people read.
func clip(s string) string {
	n := 0
	for i := range s {
		if n++; n > maxShown {
			return s[:i] + "…"
		}
	}
	return s
}

// prop is the property of that exact name.
func (t testimony) prop(key string) string { return t.node.Props[key] }

// either is the value of a property that the systems spell differently. It is
// empty unless all spellings that are there agree.
func (t testimony) either(keys ...string) string {
	value := ""
	for _, s := range t.sayings {
		for _, key := range keys {
			if s.key != fold(key) {
				continue
			}
			_, said, _ := strings.Cut(s.text, "=")
			if value != "" && said != value {
				return ""
			}
			value = said
		}
	}
	return value
}

// hint looks for the first saying under one of keys, or under any key if there
// are none, that has one of words in it. A word with a blank before and after
// it has to stand alone there.
func (t testimony) hint(keys, words []string) (saying, bool) {
	if !has(t.all, t.spaced, words) {
		return saying{}, false
	}
	for _, s := range t.sayings {
		if len(keys) > 0 && !slices.Contains(keys, s.key) {
			continue
		}
		if has(s.value, spaced(s.value), words) || len(keys) == 0 && has(s.key, spaced(s.key), words) {
			return s, true
		}
	}
	return saying{}, false
}

// has reports whether one of words is in s, or stands alone in it.
func has(s, spaced string, words []string) bool {
	return slices.ContainsFunc(words, func(word string) bool {
		if strings.HasPrefix(word, " ") {
			return strings.Contains(spaced, word)
		}
		return strings.Contains(s, word)
	})
}

// spaced is s with blanks for all but letters and digits, and around it.
func spaced(s string) string {
	b := make([]byte, len(s)+2)
	for i := range b {
		b[i] = ' '
	}
	for i := range len(s) {
		if c := s[i]; c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			b[i+1] = c
		}
	}
	return string(b)
}

// shown are the properties that a verdict carries, besides those that decided.
var shown = []string{
	"name", "description", "driver", "factory", "port", "port.type", "port.available", "monitor-of", "group", "flag",
	"device.api", "device.bus", "device.bus-path", "device.bus_path", "device.class", "device.form-factor", "device.form_factor",
	"device.profile.name", "device.master_device", "factory.name", "alsa.card", "alsa.card_name", "alsa.driver_name", "api.alsa.path",
	"api.alsa.pcm.card", "api.bluez5.profile", "node.link-group", "node.network", "node.virtual", "sysfs.path",
}

// evidence is what people should see of t: the saying that decided first.
func (t testimony) evidence(decided saying) []string {
	var list []string
	if decided.text != "" {
		list = append(list, decided.text)
	}
	for _, s := range t.sayings {
		if s != decided && slices.Contains(shown, s.key) {
			list = append(list, s.text)
		}
	}
	return list
}
