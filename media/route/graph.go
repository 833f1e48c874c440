package route

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// graph is how audio flows, as one monitor sees it.
type graph struct {
	from       Origin
	nodes      map[ID]Node
	verdicts   map[ID]Route // of devices and of suspects
	twin       map[ID]bool  // devices with the name, or the place on the card, of another
	next, prev map[ID][]edge
}

// edge is one step that audio takes.
type edge struct {
	id   ID
	link bool // somebody has linked the two; else they belong together
}

// inside begins the name of what is between the nodes of a group. No object has
// such a name.
const inside = "\x00"

// graph draws what v has been told. Filters are bridged: what goes into one
// node of a group comes out of the others.
func (v *view) graph(from Origin) *graph {
	g := &graph{from: from, nodes: map[ID]Node{}, verdicts: map[ID]Route{}, twin: map[ID]bool{}, next: map[ID][]edge{}, prev: map[ID][]edge{}}
	type mark struct {
		kind               Kind
		name, card, device string
	}
	twins := map[mark][]ID{}
	for _, id := range slices.Sorted(maps.Keys(v.objects)) {
		switch f := v.objects[id].fact.(type) {
		case Link:
			g.flow(f.From, f.To, true)
		case Node:
			g.nodes[id] = f
			if v.objects[id].suspect {
				g.verdicts[id] = v.objects[id].verdict
			}
			if f.Kind == Sink || f.Kind == Source {
				g.verdicts[id] = v.objects[id].verdict
				name := mark{kind: f.Kind, name: f.Name}
				twins[name] = append(twins[name], id)
				pcm := mark{kind: f.Kind}
				if pcm.card, pcm.device = f.pcm(); f.MonitorOf == "" && pcm.card != "" && pcm.device != "" {
					twins[pcm] = append(twins[pcm], id)
				}
			}
			if f.MonitorOf != "" {
				g.flow(f.MonitorOf, id, false)
			}
			if f.Group == "" {
				continue
			}
			if group := ID(inside + f.Group); f.Kind == Sink || f.Kind == Capture {
				g.flow(id, group, false)
			} else {
				g.flow(group, id, false)
			}
		}
	}
	for _, ids := range twins {
		if len(ids) > 1 {
			for _, id := range ids {
				g.twin[id] = true
			}
		}
	}
	return g
}

func (g *graph) flow(from, to ID, link bool) {
	g.next[from] = append(g.next[from], edge{to, link})
	g.prev[to] = append(g.prev[to], edge{from, link})
}

// found is a node that reach has come to.
type found struct {
	node  Node
	known bool // false: a link leads there, and nobody has said what it is
	// linked says that somebody has linked it to something on the way, be it
	// that another way leads there too.
	linked bool
	start  ID       // where the way to it begins
	way    []string // the names of what lies between
}

// reach finds all nodes to which edges lead from starts, nearest first. Each is
// visited once, so that circles end.
func (g *graph) reach(edges map[ID][]edge, starts ...ID) []found {
	type step struct{ before, start ID }
	steps := map[ID]step{}
	for _, id := range starts {
		steps[id] = step{start: id}
	}
	way := func(id ID) (names []string) {
		start := steps[id].start
		for at := steps[id].before; at != start && len(names) < maxWay; at = steps[at].before {
			if n, ok := g.nodes[at]; ok {
				names = append(names, clip(cmp.Or(n.Name, string(n.ID))))
			}
		}
		slices.Reverse(names)
		return names
	}
	var all []found
	linked := map[ID]bool{}
	for queue := slices.Clone(starts); len(queue) > 0; queue = queue[1:] {
		for _, e := range edges[queue[0]] {
			id := e.id
			linked[id] = linked[id] || e.link
			if _, seen := steps[id]; seen {
				continue
			}
			steps[id] = step{queue[0], steps[queue[0]].start}
			queue = append(queue, id)
			if strings.HasPrefix(string(id), inside) {
				continue
			}
			n, known := g.nodes[id]
			n.ID = id
			all = append(all, found{node: n, known: known, start: steps[id].start, way: way(id)})
		}
	}
	for i := range all {
		all[i].linked = linked[all[i].node.ID]
	}
	return all
}

// maxWay is how many nodes of a way are named.
const maxWay = 8

// ours are the streams of this call, of one kind, and how many there are that say
// that they are of this process, and are not. The kernel, which knows no names of
// streams, says itself whose they are.
func (g *graph) ours(self Self, kind Kind) (call []Node, strangers int) {
	seen := map[string]bool{"": true} // without a name it is none of ours
	for _, n := range g.all(kind) {
		if !self.owns(n) {
			continue
		}
		name := n.Props["media.name"]
		if g.from == ALSA || name == self.Stream {
			call = append(call, n)
		}
		if g.from != ALSA && (seen[name] || name != self.Stream && !slices.Contains(self.Others, name)) {
			strangers++
		}
		seen[name] = true
	}
	return call, strangers
}

func (s Self) owns(n Node) bool { return s.PID > 0 && n.Owner.PID == s.PID }

// all nodes of one kind.
func (g *graph) all(kind Kind) []Node {
	var nodes []Node
	for _, id := range slices.Sorted(maps.Keys(g.nodes)) {
		if n := g.nodes[id]; n.Kind == kind {
			nodes = append(nodes, n)
		}
	}
	return nodes
}
