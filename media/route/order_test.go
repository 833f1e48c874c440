package route_test

import (
	"slices"
	"strings"
	"testing"

	"sotto/media/route"
)

// Who wants our streams elsewhere is reported for as long as he does, and changes
// nothing while nobody obeys.
func TestOrders(t *testing.T) {
	order := func(stream route.ID, target string) route.Order {
		return route.Order{ID: stream + " target.object", Stream: stream, Target: target}
	}
	long := strings.Repeat("x", 200)
	for _, c := range []struct {
		name  string
		facts []route.Fact
		want  []string
	}{
		{"what we play to a headset", []route.Fact{order("out 10", "headset")}, []string{"headset"}},
		{"what we record from a headset", []route.Fact{order("in 11", "headset")}, []string{"headset"}},
		{"both", []route.Fact{order("out 10", "headset"), order("in 11", "other")}, []string{"other", "headset"}},
		{"withdrawn", []route.Fact{order("out 10", "headset"), route.Gone{ID: "out 10 target.object"}}, nil},
		{"where it is", []route.Fact{order("out 10", speaker().Name)}, nil},
		{"another's stream", []route.Fact{stream("out 30", route.Playback, theirPID), link("out 30", "sink 0"), order("out 30", "headset")}, nil},
		{"at great length", []route.Fact{order("out 10", long)}, []string{long[:80] + "…"}},
	} {
		w := route.NewWorld(route.Pulse)
		tell(w, route.Pulse, append(call(route.Pulse), c.facts...)...)
		r := w.Report(self)
		var got []string
		for _, o := range r.Orders {
			got = append(got, o.Target)
		}
		if _, err := (route.Policy{}).Check(r); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, %v", c.name, r, err)
		}
	}
}
