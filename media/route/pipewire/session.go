package pipewire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"sotto/media/route"
	"sotto/media/route/internal/attend"
)

// Our names for the first objects of a connection; further ones count on.
const (
	coreObject     = 0
	clientObject   = 1
	registryObject = 2
)

// The methods that we call, and the events that matter.
const (
	coreHello       = 1
	coreSync        = 2
	corePong        = 3
	coreGetRegistry = 5
	clientUpdate    = 2
	registryBind    = 1

	coreDone       = 1
	corePing       = 2
	coreError      = 3
	registryGlobal = 0
	registryRemove = 1
	objectInfo     = 0

	metadataProperty = 0
)

const (
	version       = 3 // of the interfaces
	nodeProps     = 8 // in a node's change mask: it tells its properties
	objectProps   = 1 // the same in a device's or a client's
	syncListed    = 1 // after the registry has told all
	syncDescribed = 2 // and after all have told their properties
)

// session is one connection. One goroutine owns it; another one reads for it.
type session struct {
	conn net.Conn
	tell attend.Tell

	heart    attend.Heart
	sequence uint32
	proxies  map[uint32]uint32 // the registry's number of each of our names
	next     uint32            // our next name
	graph    graph
	bytes    int // of the properties in graph
}

func newSession(conn net.Conn, tell attend.Tell) *session {
	return &session{conn: conn, tell: tell, proxies: map[uint32]uint32{}, next: registryObject + 1, graph: graph{}}
}

// follow tells what the registry says until the connection is lost.
func (s *session) follow(ctx context.Context) error {
	done := make(chan struct{})
	defer close(done)
	messages := attend.Reader(done, func() (message, error) { return readMessage(s.conn) })
	if err := s.greet(); err != nil {
		return err
	}
	beat := time.NewTicker(attend.Beat)
	defer beat.Stop()
	for {
		var err error
		select {
		case m := <-messages:
			if err = m.Err; err == nil {
				err = s.take(m.Message, m.At)
			}
		case <-beat.C:
			var ask bool
			if ask, err = s.heart.Beat(); ask {
				err = s.sync(s.sequence)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

func (s *session) greet() error {
	registry := appendInt(appendInt(nil, version), registryObject)
	return errors.Join(
		s.send(coreObject, coreHello, appendInt(nil, version)),
		s.send(clientObject, clientUpdate, appendDict(nil, "application.name", "sotto routes")),
		s.send(coreObject, coreGetRegistry, registry),
		s.sync(syncListed),
	)
}

// sync asks for a Done once all that was sent before has been dealt with.
func (s *session) sync(mark uint32) error {
	return s.send(coreObject, coreSync, appendInt(appendInt(nil, coreObject), mark))
}

func (s *session) send(object uint32, opcode byte, arguments []byte) error {
	s.sequence++
	m := message{object, opcode, pods{rest: arguments}}
	return attend.Write(s.conn, appendMessage(nil, m, s.sequence))
}

// take handles one message.
func (s *session) take(m message, at time.Time) error {
	switch m.object {
	case coreObject:
		return s.core(m, at)
	case registryObject:
		return s.registry(m, at)
	}
	id, known := s.proxies[m.object]
	switch {
	case !known:
		return nil // of an object that is gone
	case s.graph[id].kind == metadata && m.opcode == metadataProperty:
		return s.order(m.body, at)
	case s.graph[id].kind != metadata && m.opcode == objectInfo:
		return s.info(id, m.body, at)
	}
	return nil // of no interest
}

func (s *session) core(m message, at time.Time) error {
	b := &m.body
	switch m.opcode {
	case coreDone:
		b.int() // the object
		mark := b.int()
		if b.err == nil {
			return s.done(mark, at)
		}
	case corePing:
		id, sequence := b.int(), b.int()
		if b.err == nil {
			return s.send(coreObject, corePong, appendInt(appendInt(nil, id), sequence))
		}
	case coreError:
		id, _, _, text := b.int(), b.int(), b.int(), b.text()
		if b.err == nil && id == coreObject {
			return fmt.Errorf("it says: %q", text)
		}
	}
	return b.err
}

func (s *session) done(mark uint32, at time.Time) error {
	switch mark {
	case syncListed:
		return s.sync(syncDescribed)
	case syncDescribed:
		s.heart.Ready()
		return s.tell(at, route.Ready{})
	}
	s.heart.Answered()
	return nil
}

func (s *session) registry(m message, at time.Time) error {
	b := &m.body
	id := b.int()
	switch m.opcode {
	case registryGlobal:
		b.int() // permissions
		name, v, props := b.text(), b.int(), b.dict()
		k := kinds[name]
		if k == metadata && props["metadata.name"] != "default" {
			return b.err // the session manager's own, or a program's
		}
		if b.err == nil && k != 0 {
			return s.add(id, k, arrival{at, name, v, props})
		}
	case registryRemove:
		if b.err == nil {
			return s.remove(id, at)
		}
	}
	return b.err
}

// arrival is what the registry says of a new object.
type arrival struct {
	at      time.Time
	name    string // of its type
	version uint32
	props   map[string]string
}

func (s *session) add(id uint32, k kind, a arrival) error {
	if err := s.remove(id, a.at); err != nil {
		return err
	}
	if len(s.graph) == maxObjects {
		return fmt.Errorf("%w: more than %d objects", errMalformed, maxObjects)
	}
	g := &global{kind: k}
	g.serial, _ = number(a.props, "object.serial")
	s.graph[id] = g
	switch k {
	case factory: // tells all it has to say at once
		if err := s.hold(id, a.props); err != nil {
			return err
		}
		g.props = a.props
		return nil
	case link:
		fact, err := linkFact(id, a.props)
		if err != nil {
			return err
		}
		return s.tell(a.at, fact)
	}
	g.proxy = s.next
	s.proxies[g.proxy] = id
	s.next++
	arguments := appendText(appendInt(nil, id), a.name)
	return s.send(registryObject, registryBind, appendInt(appendInt(arguments, a.version), g.proxy))
}

func (s *session) remove(id uint32, at time.Time) error {
	g := s.graph[id]
	if g == nil {
		return nil
	}
	s.bytes -= size(g.props)
	delete(s.graph, id)
	delete(s.proxies, g.proxy)
	switch g.kind {
	case node:
		for _, key := range orders { // another node may have its number
			if err := s.tell(at, s.graph.orderFact(id, key, "")); err != nil {
				return err
			}
		}
		return s.tell(at, route.Gone{ID: nodeID(id)})
	case link:
		return s.tell(at, route.Gone{ID: linkID(id)})
	}
	return nil
}

// info takes what an object says of itself.
func (s *session) info(id uint32, b pods, at time.Time) error {
	b.int() // its number again
	mask := uint64(objectProps)
	if s.graph[id].kind == node {
		mask = nodeProps
		b.int() // most inputs
		b.int() // most outputs
	}
	changed := b.long()
	if s.graph[id].kind == node {
		b.int()  // inputs
		b.int()  // outputs
		b.next() // state
		b.text() // what is wrong
	}
	props := b.dict()
	if b.err != nil || changed&mask == 0 {
		return b.err
	}
	if err := s.hold(id, props); err != nil {
		return err
	}
	for _, fact := range s.graph.learn(id, props) {
		if err := s.tell(at, fact); err != nil {
			return err
		}
	}
	return nil
}

// order takes what metadata says of a node: who has said it is not told. Of what
// is no node, it is kept for a node to come; that is not for us.
func (s *session) order(b pods, at time.Time) error {
	id, key := b.int(), b.text()
	b.text() // its type
	value := b.text()
	if b.err != nil || s.graph[id] == nil || s.graph[id].kind != node {
		return b.err
	}
	for _, order := range orders {
		if key != order && key != "" { // without a key it is all that was said of the node
			continue
		}
		if err := s.tell(at, s.graph.orderFact(id, order, value)); err != nil {
			return err
		}
	}
	return nil
}

// hold makes room for an object's properties, in the place of those it had. The
// error says that there is none.
func (s *session) hold(id uint32, props map[string]string) error {
	s.bytes += size(props) - size(s.graph[id].props)
	if s.bytes > maxBytes {
		return fmt.Errorf("%w: properties of more than %d bytes", errMalformed, maxBytes)
	}
	return nil
}
