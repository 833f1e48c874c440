package engine

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"

	"sotto/sip"
	"sotto/zrtp"
	"sotto/zrtp/wire"
	"sotto/zrtp/zidcache"
)

// ErrClosed says that the Engine has been closed.
var ErrClosed = errors.New("engine: closed")

// backlog is how many incoming calls may wait for Accept; more are busy.
const backlog = 16

// Engine makes and takes calls for one identity. Its methods may be called
// from any goroutine.
type Engine struct {
	cfg      Config
	offer    zrtp.Offer
	agent    *sip.Agent
	memory   memory
	log      *slog.Logger
	incoming chan *Call
	ctx      context.Context // ends with the Engine; every call's lifetime
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
	offer := zrtp.Offer{KeyAgreements: names(cfg.KeyAgreements), SASTypes: names(cfg.SASTypes)}
	if err := offer.Validate(); err != nil {
		return nil, err
	}
	agent, err := sip.New(sip.Config{Bind: cfg.Bind, Identity: cfg.Identity, UserAgent: "Sotto", Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	state, err := openMemory(cfg.StateDir)
	if err != nil {
		return nil, errors.Join(err, agent.Close())
	}
	e := &Engine{
		cfg: cfg, offer: offer, agent: agent, memory: state, log: cfg.Logger,
		incoming: make(chan *Call, backlog),
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.wg.Go(e.accept)
	return e, nil
}

func names(list []string) []wire.Algo {
	var algos []wire.Algo
	for _, name := range list {
		algos = append(algos, wire.A(name))
	}
	return algos
}

func openMemory(dir string) (memory, error) {
	if dir == "" {
		return zidcache.NewMemory(), nil
	}
	return zidcache.Open(filepath.Join(dir, "peers.db"))
}

// Addr is where SIP listens, over UDP and TCP.
func (e *Engine) Addr() netip.AddrPort { return e.agent.Addr() }

// Dial calls a SIP address, such as "sip:bob@example.org". The error tells of
// a malformed address or a closed Engine; all else is an event of the Call.
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

// Accept waits for the next incoming call. It rings until Answer or Reject.
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

// accept takes incoming dialogs until the agent is closed.
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
	if len(e.incoming) == cap(e.incoming) {
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
	e.wg.Go(func() { l.run(e.ctx) })
	return l.call, nil
}

// Close ends every call, waits for every goroutine and closes the state.
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
	return errors.Join(e.agent.Close(), e.memory.Close())
}
