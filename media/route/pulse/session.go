package pulse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"sotto/media/route"
	"sotto/media/route/internal/attend"
)

const (
	version    = 35 // of the protocol: the first with all that is asked for
	noEntity   = 5  // the error of who asks for an object that is gone
	maxPending = 4096
)

// session is one connection. One goroutine owns it; another one reads for it.
type session struct {
	conn net.Conn
	tell attend.Tell
	// onServer is given what the server calls itself, whenever that was asked.
	onServer func(name string) error

	heart   attend.Heart
	tag     uint32
	pending map[uint32]reply // by tag
	asked   map[object]bool  // which are being asked for; true: ask again
}

// reply takes the answer to a request.
type reply struct {
	take   func(b *body, at time.Time) error
	failed func() error // instead, if the server reports noEntity; nil: an error
}

func newSession(conn net.Conn) *session {
	return &session{conn: conn, pending: map[uint32]reply{}, asked: map[object]bool{}}
}

// follow greets the server and tells what it says until the connection is lost.
func (s *session) follow(ctx context.Context, pipewire bool) error {
	s.onServer = func(name string) error {
		if onPipeWire(name) != pipewire {
			return fmt.Errorf("the server is now another one, %q", name)
		}
		return nil
	}
	done := make(chan struct{})
	defer close(done)
	packets := attend.Reader(done, func() (packet, error) { return readPacket(s.conn) })
	if err := s.greet(); err != nil {
		return err
	}
	beat := time.NewTicker(attend.Beat)
	defer beat.Stop()
	for {
		var err error
		select {
		case p := <-packets:
			if err = p.Err; err == nil {
				s.heart.Answered()
				err = s.take(p.Message, p.At)
			}
		case <-beat.C:
			var ask bool
			if ask, err = s.heart.Beat(); ask {
				err = s.askServer()
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// greet begins a session. PipeWire's imitation knows what there is once it has
// answered who we are, so the rest waits for that.
func (s *session) greet() error {
	auth := reply{take: func(b *body, _ time.Time) error {
		if theirs := b.number() & 0xffff; b.err == nil && theirs < version {
			return fmt.Errorf("its protocol is %d, which is too old", theirs)
		}
		return nil
	}}
	if err := s.request(cmdAuth, appendBytes(appendNumber(nil, version), cookie()), auth); err != nil {
		return err
	}
	who := appendProps(nil, "application.name", "sotto routes")
	return s.request(cmdSetClientName, who, reply{take: func(*body, time.Time) error {
		if err := s.askServer(); err != nil || s.tell == nil {
			return err
		}
		return s.askAll()
	}})
}

// askAll subscribes to changes and then asks for all there is. The server
// answers in order.
func (s *session) askAll() error {
	const mask = 1<<sinks | 1<<sources | 1<<sinkInputs | 1<<sourceOutputs
	subscribed := reply{take: func(*body, time.Time) error { return nil }}
	if err := s.request(cmdSubscribe, appendNumber(nil, mask), subscribed); err != nil {
		return err
	}
	for f := range facility(numFacilities) {
		list := reply{take: func(b *body, at time.Time) error {
			for len(b.rest) > 0 {
				if err := s.tellAll(f, b, at); err != nil {
					return err
				}
			}
			if f != numFacilities-1 {
				return nil
			}
			s.heart.Ready()
			return s.tell(at, route.Ready{})
		}}
		if err := s.request(facilities[f].command+1, nil, list); err != nil {
			return err
		}
	}
	return nil
}

// askServer asks what the server calls itself, which is also the sign of life.
func (s *session) askServer() error {
	return s.request(cmdServerInfo, nil, reply{take: func(b *body, _ time.Time) error {
		name := b.text()
		if b.err != nil {
			return nil // take says so
		}
		return s.onServer(name)
	}})
}

func (s *session) request(command uint32, arguments []byte, r reply) error {
	if len(s.pending) == maxPending {
		return attend.ErrSlow
	}
	s.tag++
	s.pending[s.tag] = r
	return attend.Write(s.conn, appendPacket(nil, command, s.tag, arguments))
}

// take handles one packet.
func (s *session) take(p packet, at time.Time) error {
	b := &p.body
	switch p.command {
	case cmdSubscribedEvent:
		return s.changed(b.number(), b.number(), at, b)
	case cmdReply, cmdError:
		r, known := s.pending[p.tag]
		if !known {
			return fmt.Errorf("%w: it answers what was not asked", errMalformed)
		}
		delete(s.pending, p.tag)
		if p.command == cmdError {
			if code := b.number(); code != noEntity || r.failed == nil {
				return fmt.Errorf("it refuses, with its error %d", code)
			}
			return r.failed()
		}
		return errors.Join(r.take(b, at), b.err)
	}
	return nil // news of a kind that nobody has subscribed to
}

// changed takes a subscription event: what happened to which kind of object.
func (s *session) changed(event, index uint32, at time.Time, b *body) error {
	const (
		facilityMask = 0x0f
		typeMask     = 0x30
		removed      = 0x20
	)
	o := object{facility(event & facilityMask), index}
	if b.err != nil || o.facility >= numFacilities {
		return b.err
	}
	if event&typeMask != removed {
		return s.ask(o)
	}
	if o.facility == sinkInputs || o.facility == sourceOutputs {
		if err := s.tell(at, route.Gone{ID: o.link()}); err != nil {
			return err
		}
	}
	return s.tell(at, route.Gone{ID: o.id()})
}

// ask asks for one object anew, once for all that happens to it until the
// server answers.
func (s *session) ask(o object) error {
	if _, asked := s.asked[o]; asked {
		s.asked[o] = true
		return nil
	}
	s.asked[o] = false
	answered := func() error {
		again := s.asked[o]
		delete(s.asked, o)
		if again {
			return s.ask(o)
		}
		return nil
	}
	arguments := appendNumber(nil, o.index)
	if o.facility == sinks || o.facility == sources {
		arguments = append(arguments, 'N') // no name
	}
	return s.request(facilities[o.facility].command, arguments, reply{
		failed: answered, // it is gone, and an event says so
		take: func(b *body, at time.Time) error {
			if err := s.tellAll(o.facility, b, at); err != nil {
				return err
			}
			return answered()
		},
	})
}

// tellAll parses one object and tells of it.
func (s *session) tellAll(f facility, b *body, at time.Time) error {
	facts := facilities[f].parse(b)
	if b.err != nil {
		return b.err
	}
	for _, fact := range facts {
		if err := s.tell(at, fact); err != nil {
			return err
		}
	}
	return nil
}
