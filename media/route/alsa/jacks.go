package alsa

import (
	"errors"
	"io/fs"
	"sync"
	"syscall"
	"time"

	"sotto/media/route"
)

// opener opens the control device of the card of that number.
type opener func(number string) (control, error)

// panels are the control devices of all cards that say what is in their jacks.
// The goroutine that follows the kernel owns them; each has one that waits for
// its events.
type panels struct {
	open    opener
	of      map[cardName]*panel
	stirs   chan stir
	done    chan struct{}
	waiting sync.WaitGroup
}

// cardName is a card as long as it is there.
type cardName struct{ number, id string }

// panel is the control device of one card, and its jacks as they were read last;
// nil: they cannot be told.
type panel struct {
	control control
	jacks   *route.Jacks
}

// stir says that jacks may have changed, or why nothing more is heard.
type stir struct {
	at   time.Time
	card cardName
	from *panel
	err  error
}

func newPanels(open opener) *panels {
	return &panels{open: open, of: map[cardName]*panel{}, stirs: make(chan stir), done: make(chan struct{})}
}

// close closes all, and waits for the goroutines.
func (p *panels) close() {
	close(p.done)
	for name := range p.of {
		p.drop(name)
	}
	p.waiting.Wait()
}

// drop closes a card's.
func (p *panels) drop(name cardName) {
	_ = p.of[name].control.Close() // nothing was written
	delete(p.of, name)
}

// meet opens the control devices of cards that are new and drops those of cards
// that are gone. The error is that one cannot be read.
func (p *panels) meet(cards []card) error {
	there := map[cardName]bool{}
	for _, c := range cards {
		name := cardName{c.number, c.id}
		there[name] = true
		if p.of[name] != nil || c.usb() { // which has a class of its own, and answers slowly
			continue
		}
		control, err := p.open(c.number)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENODEV) {
			continue // we may not know, or the card goes; another time, perhaps
		}
		if err != nil {
			return err
		}
		if err := p.begin(name, control); err != nil {
			return err
		}
	}
	for name := range p.of {
		if !there[name] {
			p.drop(name)
		}
	}
	return nil
}

// begin reads a card's jacks and waits for its events.
func (p *panels) begin(name cardName, c control) error {
	n := &panel{control: c}
	p.of[name] = n
	if err := c.subscribe(); err != nil { // before reading, so that nothing is missed
		return p.lost(name, err)
	}
	if err := p.read(name); err != nil || p.of[name] == nil {
		return err
	}
	p.waiting.Go(func() { p.await(name, n) })
	return nil
}

// await tells of a panel's events until it is closed.
func (p *panels) await(name cardName, n *panel) {
	for {
		err := awaitJacks(n.control)
		select {
		case p.stirs <- stir{time.Now(), name, n, err}:
		case <-p.done:
			return
		}
		if err != nil {
			return
		}
	}
}

// take reads a card's jacks anew.
func (p *panels) take(s stir) error {
	switch {
	case p.of[s.card] != s.from:
		return nil // it was dropped meanwhile
	case s.err != nil:
		return p.lost(s.card, s.err)
	}
	return p.read(s.card)
}

// read reads a card's jacks.
func (p *panels) read(name cardName) error {
	n := p.of[name]
	n.jacks = nil
	jacks, err := readJacks(n.control, name.id)
	switch {
	case errors.Is(err, errUntold):
		return nil
	case err != nil:
		return p.lost(name, err)
	}
	n.jacks = &jacks
	return nil
}

// lost drops a card's panel. The error is nil if that is because the card goes.
func (p *panels) lost(name cardName, err error) error {
	p.drop(name)
	if errors.Is(err, syscall.ENODEV) {
		return nil
	}
	return err
}

// tell adds all jacks to facts.
func (p *panels) tell(facts map[route.ID]route.Fact) {
	for _, n := range p.of {
		if n.jacks != nil {
			facts[n.jacks.ID] = *n.jacks
		}
	}
}
