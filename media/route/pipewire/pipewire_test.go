package pipewire

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sotto/media/route"
	"sotto/media/route/internal/attend"
)

// recorded is what a real daemon has sent to a session: what there is, then a
// remap, a loopback, a combination, a spy, a player, a Bluetooth headset that
// comes and goes, and a link which another program makes and removes.
func recorded(t testing.TB) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "pipewire-0.3.65.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := io.ReadAll(unzip)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// hear gives a session a stream of a daemon.
func hear(stream io.Reader, tell attend.Tell) error {
	s := newSession(discard{}, tell)
	for {
		m, err := readMessage(stream)
		if err == nil {
			err = s.take(m, time.Now())
		}
		if err != nil {
			return err
		}
	}
}

// discard is a connection to nobody.
type discard struct{ net.Conn }

func (discard) Write(b []byte) (int, error)      { return len(b), nil }
func (discard) SetWriteDeadline(time.Time) error { return nil }

func TestRecorded(t *testing.T) {
	nodes, links, everLinked := map[route.ID]route.Node{}, map[route.ID]route.Link{}, map[[2]string]bool{}
	seen := map[string]route.Node{}
	ready := 0
	err := hear(bytes.NewReader(recorded(t)), func(_ time.Time, fact route.Fact) error {
		switch f := fact.(type) {
		case route.Node:
			nodes[f.ID], seen[f.Name] = f, f
		case route.Link:
			links[f.ID] = f
			everLinked[[2]string{nodes[f.From].Name, nodes[f.To].Name}] = true
		case route.Gone:
			delete(nodes, f.ID)
			delete(links, f.ID)
		case route.Ready:
			ready++
		}
		return nil
	})
	if !errors.Is(err, io.EOF) || ready != 1 {
		t.Fatalf("%v, ready %d times", err, ready)
	}
	for _, want := range [][2]string{
		{"pacat", "innocent"}, {"output.innocent", "builtin_speaker"}, {"output.both_second", "second"},
		{"builtin_speaker", "parec"}, {"pacat", "bluez_output.AA_BB_CC_DD_EE_07.1"},
	} {
		if !everLinked[want] {
			t.Errorf("no link from %s to %s", want[0], want[1])
		}
	}
	if len(links) == 0 {
		t.Error("no link is left")
	}
	for _, l := range links {
		if nodes[l.From].Name == "" || nodes[l.To].Name == "" || strings.HasPrefix(nodes[l.To].Name, "bluez") {
			t.Errorf("left: %+v", l)
		}
	}
	headset := seen["bluez_output.AA_BB_CC_DD_EE_07.1"]
	if headset.Kind != route.Sink || headset.Factory != "api.bluez5.a2dp.sink" || headset.Description != "CheapHeadset" ||
		headset.Props["api.bluez5.address"] != "AA:BB:CC:DD:EE:07" || headset.Props["device.name"] == "" {
		t.Errorf("%+v", headset)
	}
	if headset.Driver == "adapter" || seen["builtin_speaker"].Driver != "adapter" {
		t.Errorf("made by %q and %q", headset.Driver, seen["builtin_speaker"].Driver)
	}
	if remap := seen["innocent"]; remap.Kind != route.Sink || remap.Group == "" || remap.Group != seen["output.innocent"].Group {
		t.Errorf("%+v", remap)
	}
	spy := seen["parec"]
	if spy.Kind != route.Capture || spy.Owner.Name != "parec" || spy.Owner.PID == 0 {
		t.Errorf("%+v", spy)
	}
}

// A native program's PID is the kernel's word, whatever it says itself; behind
// the imitation of PulseAudio it can only be asked.
func TestOwner(t *testing.T) {
	for _, c := range []struct {
		node, client map[string]string
		want         route.Process
	}{
		{map[string]string{"application.process.id": "7", "application.name": "n"}, map[string]string{"pipewire.sec.pid": "9", "application.process.id": "7"}, route.Process{PID: 9, Name: "n"}},
		{nil, map[string]string{"pipewire.sec.pid": "9", "application.process.id": "7", "client.api": "pipewire-pulse", "application.name": "c"}, route.Process{PID: 7, Name: "c"}},
		{map[string]string{"application.process.id": "7"}, nil, route.Process{}},
		{nil, map[string]string{"pipewire.sec.pid": "-3"}, route.Process{}},
	} {
		if got := owner(c.node, c.client); got != c.want {
			t.Errorf("%v, %v: got %+v, want %+v", c.node, c.client, got, c.want)
		}
	}
}

// A node that a program has brought and that claims another program's device is
// not what it says.
func TestMaker(t *testing.T) {
	g := graph{
		4: {kind: factory, props: map[string]string{"factory.name": "adapter"}},
		5: {kind: device, props: map[string]string{"client.id": "30"}},
	}
	for _, c := range []struct {
		node map[string]string
		want string
	}{
		{map[string]string{"factory.id": "4", "device.id": "5", "client.id": "30"}, "adapter"},
		{map[string]string{"factory.id": "4", "client.id": "30"}, "adapter"},
		{map[string]string{"factory.id": "4", "device.id": "5", "client.id": "31"}, "client-node"},
		{map[string]string{"factory.id": "4", "device.id": "5"}, "client-node"},
		{map[string]string{"factory.id": "5"}, ""},
		{map[string]string{"factory.name": "adapter"}, ""},
	} {
		if got := g.maker(c.node); got != c.want {
			t.Errorf("%v: made by %q", c.node, got)
		}
	}
}

// A link that does not say what it joins, and a message that is cut, are not
// understood.
func TestRefused(t *testing.T) {
	global := func(props []byte) []byte {
		arguments := appendText(appendInt(appendInt(nil, 5), 7), "PipeWire:Interface:Link")
		return append(appendInt(arguments, version), props...)
	}
	whole := global(appendDict(nil, "link.output.node", "3", "link.input.node", "4"))
	told := 0
	take := func(arguments []byte) error {
		s := newSession(discard{}, func(time.Time, route.Fact) error {
			told++
			return nil
		})
		return s.take(message{registryObject, registryGlobal, pods{rest: arguments}}, time.Now())
	}
	if err := take(whole); err != nil || told != 1 {
		t.Fatalf("%v, told %d", err, told)
	}
	for n := range whole {
		if err := take(whole[:n]); !errors.Is(err, errMalformed) {
			t.Errorf("%d of %d bytes: %v", n, len(whole), err)
		}
	}
	if err := take(global(appendDict(nil, "link.output.node", "3"))); !errors.Is(err, errMalformed) {
		t.Error(err)
	}
	if _, err := readMessage(strings.NewReader(strings.Repeat("\xff", headerSize))); !errors.Is(err, errMalformed) {
		t.Error(err)
	}
	if err := (&session{}).take(message{coreObject, coreError, pods{rest: appendText(appendInt(appendInt(appendInt(nil, 0), 1), 2), "no")}}, time.Now()); err == nil || !strings.Contains(err.Error(), `"no"`) {
		t.Error(err)
	}
}

func TestBounded(t *testing.T) {
	s := newSession(discard{}, func(time.Time, route.Fact) error { return nil })
	for id := range uint32(maxObjects) {
		if err := s.add(id, node, arrival{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.add(maxObjects, node, arrival{}); !errors.Is(err, errMalformed) {
		t.Error(err)
	}
	if err := s.add(0, device, arrival{}); err != nil || len(s.proxies) != maxObjects { // in the place of another
		t.Errorf("%v, %d proxies", err, len(s.proxies))
	}
}

// Few objects may say much, or many little, and what one says anew or takes
// with it makes room.
func TestBoundedBytes(t *testing.T) {
	long := map[string]string{"node.name": strings.Repeat("x", maxMessage/2)}
	many := map[string]string{}
	for n := range maxProps {
		many[strconv.Itoa(n)] = ""
	}
	for name, props := range map[string]map[string]string{"long": long, "many": many} {
		s := newSession(discard{}, func(time.Time, route.Fact) error { return nil })
		var pairs []string
		for key, value := range props {
			pairs = append(pairs, key, value)
		}
		info := appendPOD(appendInt(nil, 0), podLong, binary.NativeEndian.AppendUint64(nil, objectProps))
		info = append(info, appendDict(nil, pairs...)...)
		tell := func(id uint32, k kind) error {
			if k == factory {
				return s.add(id, k, arrival{props: props})
			}
			if err := s.add(id, k, arrival{}); err != nil {
				return err
			}
			return s.info(id, pods{rest: info}, time.Time{})
		}
		fits := uint32(maxBytes / size(props))
		for id := range 2 * fits { // each number twice, so that the first has gone
			if err := tell(id/2, []kind{device, factory}[id%2]); err != nil {
				t.Fatalf("%s: %d of %d: %v", name, id/2, fits, err)
			}
		}
		for _, k := range []kind{device, factory} {
			if err := tell(fits, k); !errors.Is(err, errMalformed) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// A daemon that falls silent is lost at once, and found again when it is back.
func TestWatch(t *testing.T) {
	stream := recorded(t)
	socket := filepath.Join(t.TempDir(), "pipewire-0")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() { // until the test ends; it answers nothing but the beginning
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			conn.Write(stream)
			go io.Copy(io.Discard, conn)
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	events := make(chan route.Event)
	var ended sync.WaitGroup
	ended.Go(func() { Watch(ctx, socket, events) })
	defer ended.Wait()
	defer cancel()
	var ready time.Time
	for cycle := 0; cycle < 2; {
		select {
		case e := <-events:
			switch f := e.Fact.(type) {
			case route.Ready:
				ready = e.At
			case route.Lost:
				if ready.IsZero() || !strings.Contains(f.Reason, "in time") {
					t.Errorf("%+v", f)
				}
				t.Logf("noticed after %v", e.At.Sub(ready))
				ready = time.Time{}
				cycle++
			}
			if e.From != route.PipeWire {
				t.Errorf("%+v", e)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nothing more is told")
		}
	}
}

func TestSocket(t *testing.T) {
	for _, c := range []struct{ remote, own, runtime, want string }{
		{"", "", "/run/user/7", "/run/user/7/pipewire-0"},
		{"", "/p", "/run/user/7", "/p/pipewire-0"},
		{"other", "", "/run/user/7", "/run/user/7/other"},
		{"/a/b", "/p", "/run/user/7", "/a/b"},
	} {
		t.Setenv("PIPEWIRE_REMOTE", c.remote)
		t.Setenv("PIPEWIRE_RUNTIME_DIR", c.own)
		t.Setenv("XDG_RUNTIME_DIR", c.runtime)
		if got := Socket(); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// Whatever a daemon sends: no panic, and bounded memory.
func FuzzHear(f *testing.F) {
	stream := recorded(f)
	f.Add(stream[:20000])
	for rest := bytes.NewReader(stream); ; {
		begin := len(stream) - rest.Len()
		if _, err := readMessage(rest); err != nil {
			break
		}
		if end := len(stream) - rest.Len(); begin%7 == 0 {
			f.Add(stream[begin:end])
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		err := hear(bytes.NewReader(stream), func(_ time.Time, fact route.Fact) error {
			if n, ok := fact.(route.Node); ok && len(n.Props) > 2*maxProps {
				t.Errorf("%d properties", len(n.Props))
			}
			return nil
		})
		if err == nil {
			t.Error("a stream without an end")
		}
	})
}

// TestMillionMessages: a million messages, in the short form thousands, in the
// order of a real daemon and some of them damaged; what is told goes to a World.
func TestMillionMessages(t *testing.T) {
	messages := 10_000
	if os.Getenv("SOTTO_LONG") != "" {
		messages = 1_000_000
	}
	var whole [][]byte
	for stream, rest := recorded(t), bytes.NewReader(recorded(t)); ; {
		begin := len(stream) - rest.Len()
		if _, err := readMessage(rest); err != nil {
			break
		}
		whole = append(whole, stream[begin:len(stream)-rest.Len()])
	}
	random := rand.New(rand.NewPCG(6, 2))
	world := route.NewWorld(route.PipeWire)
	told, refused := 0, 0
	tell := func(at time.Time, fact route.Fact) error {
		told++
		world.Apply(route.Event{At: at, From: route.PipeWire, Fact: fact})
		return nil
	}
	s := newSession(discard{}, tell)
	for i := range messages {
		if i%len(whole) == 0 {
			s = newSession(discard{}, tell)
		}
		damaged := bytes.Clone(whole[i%len(whole)])
		for range max(0, random.IntN(100)-97) {
			damaged[random.IntN(len(damaged))] = byte(random.UintN(256))
		}
		m, err := readMessage(bytes.NewReader(damaged))
		if err == nil {
			err = s.take(m, time.Now())
		}
		if err != nil {
			refused++
			world.Apply(route.Event{At: time.Now(), From: route.PipeWire, Fact: route.Lost{Reason: err.Error()}})
			s = newSession(discard{}, tell)
		}
		if len(s.graph) > maxObjects || len(s.proxies) > len(s.graph) {
			t.Fatalf("%d objects, %d names", len(s.graph), len(s.proxies))
		}
	}
	world.Report(route.Self{PID: 1})
	t.Logf("%d messages: %d facts told, %d messages refused", messages, told, refused)
	if told < messages/100 || refused < messages/1000 {
		t.Error("the messages are too wild, or too tame, to show anything")
	}
}
