package pipewire

import (
	"errors"
	"slices"
	"testing"
	"time"

	"sotto/media/route"
)

// Who wants a stream elsewhere says so in the metadata that the session manager
// goes by, of a node that there is, by the name or a number of a device.
func TestOrders(t *testing.T) {
	var told []route.Fact
	s := newSession(discard{}, func(_ time.Time, f route.Fact) error {
		told = append(told, f)
		return nil
	})
	for id, a := range map[uint32]struct {
		kind   kind
		serial string
	}{5: {node, "50"}, 7: {node, "70"}, 8: {client, "80"}} {
		if err := s.add(id, a.kind, arrival{props: map[string]string{"object.serial": a.serial}}); err != nil {
			t.Fatal(err)
		}
	}
	s.graph.learn(7, map[string]string{"node.name": "headset"})
	global := func(id uint32, name string) {
		arguments := appendText(appendInt(appendInt(nil, id), 7), "PipeWire:Interface:Metadata")
		arguments = append(appendInt(arguments, version), appendDict(nil, "metadata.name", name)...)
		if err := s.take(message{registryObject, registryGlobal, pods{rest: arguments}}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	global(20, "default")
	global(21, "settings")
	if s.graph[21] != nil || s.graph[20] == nil {
		t.Fatal("other metadata is followed, or this is not")
	}
	property := func(id uint32, key, value string) []byte {
		arguments := appendInt(nil, id)
		for _, text := range []string{key, "Spa:Id", value} {
			if text == "" {
				arguments = appendPOD(arguments, podNone, nil)
			} else {
				arguments = appendText(arguments, text)
			}
		}
		return arguments
	}
	order := func(key, target string) route.Order {
		return route.Order{ID: route.ID("node 5 " + key), Stream: "node 5", Target: target}
	}
	none := []route.Fact{route.Gone{ID: "node 5 target.object"}, route.Gone{ID: "node 5 target.node"}}
	for _, c := range []struct {
		id         uint32
		key, value string
		want       []route.Fact
	}{
		{5, "target.object", "70", []route.Fact{order("target.object", "headset")}},
		{5, "target.object", "headset", []route.Fact{order("target.object", "headset")}},
		{5, "target.object", "80", []route.Fact{order("target.object", "80")}},
		{5, "target.object", "7", []route.Fact{order("target.object", "7")}},
		{5, "target.node", "7", []route.Fact{order("target.node", "headset")}},
		{5, "target.node", "70", []route.Fact{order("target.node", "70")}},
		{5, "target.node", "-1", none[1:]},
		{5, "target.object", "", none[:1]},
		{5, "", "", none},
		{5, "volume", "7", nil},
		{8, "target.object", "7", nil},
		{6, "target.object", "7", nil},
	} {
		told = nil
		m := message{s.graph[20].proxy, metadataProperty, pods{rest: property(c.id, c.key, c.value)}}
		if err := s.take(m, time.Now()); err != nil || !slices.Equal(told, c.want) {
			t.Errorf("%+v: %v, %v", c, told, err)
		}
	}
	whole := property(5, "target.object", "7")
	for n := range whole {
		if err := s.take(message{s.graph[20].proxy, metadataProperty, pods{rest: whole[:n]}}, time.Now()); !errors.Is(err, errMalformed) {
			t.Errorf("%d of %d bytes: %v", n, len(whole), err)
		}
	}
	told = nil
	if err := s.remove(5, time.Now()); err != nil || !slices.Equal(told, append(none, route.Gone{ID: "node 5"})) {
		t.Errorf("%v, %v", told, err)
	}
}
