package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sotto/engine/audit"
	"sotto/engine/realtime"
	"sotto/media"
	"sotto/sip"
	"sotto/zrtp"
	"sotto/zrtp/wire"
	"sotto/zrtp/zidcache"
)

var (
	// ErrClosed says that the Engine has been closed.
	ErrClosed = errors.New("engine: closed")
	// ErrBadAddress says that an address of New or Dial is no SIP address.
	ErrBadAddress = sip.ErrBadAddress
)

// maxRinging is how many incoming calls may wait for an answer; more are busy.
const maxRinging = 16

// Engine makes and takes calls for one identity. Its methods may be called
// from any goroutine.
type Engine struct {
	cfg      Config
	mode     mode
	policy   zrtp.Policy
	agent    *sip.Agent
	memory   memory
	trail    *audit.Log // nil: none
	log      *slog.Logger
	incoming chan *Call
	ringing  atomic.Int32     // incoming calls without an answer; only accept adds to it
	phases   *realtime.Phases // of the frames of all calls
	ctx      context.Context  // ends with the Engine; every call's lifetime
	cancel   context.CancelFunc

	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup // accept and every leg
}

// memory is what outlasts a call: the file of Config.StateDir, or nothing.
type memory interface {
	ZID() wire.ZID
	Store(ownIdentity, peerIdentity string) zrtp.Store
	Close() error
}

// New opens the state and listens. Errors say what is wrong with the
// configuration, the port or the state in one line.
func New(cfg Config) (*Engine, error) {
	if cfg.Bind == "" {
		cfg.Bind = "127.0.0.1:0"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.OpenAudio == nil {
		cfg.OpenAudio = silence
	}
	cfg.OpenAudio = withEnds(cfg.OpenAudio)
	if !tonesKnown(cfg.Tones) {
		return nil, fmt.Errorf("engine: tones of %q: want a country's code of two letters, such as DE, or %s", cfg.Tones, NoTones)
	}
	policy, err := policyOf(cfg)
	if err != nil {
		return nil, err
	}
	if err := cfg.Coding.Check(); err != nil {
		return nil, err
	}
	if !cfg.AllowInsecure && (cfg.Coding.VBR || cfg.Coding.DTX) {
		return nil, media.ErrVaries
	}
	agent, err := sip.New(sip.Config{Bind: cfg.Bind, Identity: cfg.Identity, UserAgent: "Sotto", Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	state, err := openMemory(cfg.StateDir)
	if err != nil {
		return nil, errors.Join(err, agent.Close())
	}
	trail, err := openTrail(cfg.AuditFile)
	if err != nil {
		return nil, errors.Join(err, agent.Close(), state.Close())
	}
	e := &Engine{
		cfg: cfg, mode: modeOf(cfg), policy: policy, agent: agent, memory: state, trail: trail, log: cfg.Logger,
		incoming: make(chan *Call, maxRinging), phases: realtime.NewPhases(),
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.wg.Go(e.accept)
	return e, nil
}

func openTrail(path string) (*audit.Log, error) {
	if path == "" {
		return nil, nil
	}
	return audit.Open(path)
}

func modeOf(cfg Config) mode {
	return mode{insecure: cfg.AllowInsecure, disclosure: cfg.AllowDisclosure, announced: cfg.RequireHelloHash}
}

// policyOf is what ZRTP may use.
func policyOf(cfg Config) (p zrtp.Policy, err error) {
	for _, list := range []struct {
		to    *[]wire.Algo
		names []string
	}{
		{&p.Offer.KeyAgreements, cfg.KeyAgreements}, {&p.Offer.AuthTags, cfg.AuthTags}, {&p.Offer.SASTypes, cfg.SASTypes},
	} {
		if *list.to, err = algorithms(list.names); err != nil {
			return zrtp.Policy{}, err
		}
	}
	p.PostQuantum, p.RequireHelloHash = cfg.PostQuantum, cfg.RequireHelloHash
	return p, p.Validate()
}

// algorithms are four characters each (RFC 6189 §5.1), so a longer name must
// not be cut to one that is known.
func algorithms(names []string) ([]wire.Algo, error) {
	var list []wire.Algo
	for _, name := range names {
		if len(name) == 0 || len(name) > len(wire.Algo{}) {
			return nil, fmt.Errorf("engine: unknown algorithm %q: names have one to four characters", name)
		}
		list = append(list, wire.A(name))
	}
	return list, nil
}

func openMemory(dir string) (memory, error) {
	if dir == "" {
		return zidcache.NewMemory(), nil
	}
	return zidcache.Open(filepath.Join(dir, "peers.db"))
}

// Addr is where SIP listens, over UDP and TCP.
func (e *Engine) Addr() netip.AddrPort { return e.agent.Addr() }

// Dial calls a SIP address, such as "sip:bob@example.org". The error is
// ErrBadAddress, ErrClosed or a lack of ports; all else is an event of the
// Call.
// ctx bounds the time until the call is answered.
func (e *Engine) Dial(ctx context.Context, uri string) (*Call, error) {
	l, err := newLeg(e, uri, false)
	if err != nil {
		return nil, err
	}
	if l.dialog, err = e.agent.Invite(ctx, uri, l.offer()); err != nil {
		l.abandon()
		return nil, err
	}
	return e.launch(l)
}

// Accept waits for the next incoming call. It rings until Answer or Reject, at
// most three minutes; and when 16 calls ring, others are busy.
func (e *Engine) Accept(ctx context.Context) (*Call, error) {
	select {
	case c := <-e.incoming:
		return c, nil
	case <-e.ctx.Done():
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// accept takes incoming dialogs until the Engine closes.
func (e *Engine) accept() {
	for {
		dialog, err := e.agent.Accept(e.ctx)
		if err != nil {
			return
		}
		if err := e.take(dialog); err != nil {
			e.log.Warn("incoming call turned away", "peer", dialog.RemoteIdentity(), "reason", err)
			_ = dialog.Reject(486) // gone already, if it fails
		}
	}
}

func (e *Engine) take(dialog *sip.Dialog) error {
	if e.ringing.Load() >= maxRinging || len(e.incoming) == cap(e.incoming) {
		return errors.New("too many calls are waiting")
	}
	l, err := newLeg(e, dialog.RemoteIdentity(), true)
	if err != nil {
		return err
	}
	if err := dialog.Ring(); err != nil {
		l.abandon()
		return err
	}
	l.dialog = dialog
	l.ringsUntil = time.Now().Add(ringTimeout)
	e.ringing.Add(1)
	call, err := e.launch(l)
	if err != nil {
		return err
	}
	e.incoming <- call // has room: nobody else puts calls there
	return nil
}

// launch starts a leg's goroutine unless the Engine is closing.
func (e *Engine) launch(l *leg) (*Call, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		l.abandon()
		return nil, ErrClosed
	}
	e.wg.Go(l.run)
	return l.call, nil
}

// Close ends every call, waits for every goroutine and closes the state. For a disk
// that does not answer it waits some seconds; the error says what may not be on it,
// and what is left of that ends when the disk answers.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	e.mu.Unlock()
	e.cancel()
	e.wg.Wait()
	return errors.Join(
		e.agent.Close(),
		closeFile(e.cfg.StateDir, "what was learnt of other phones", e.memory.Close),
		closeFile(e.cfg.AuditFile, "the last records", e.trail.Close),
	)
}
