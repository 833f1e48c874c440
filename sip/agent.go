package sip

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"sotto/sip/sdp"
)

const (
	// backlog is how many incoming calls may wait for Accept.
	backlog = 16
	// maxDialogs bounds the dialogs of an agent, those that end included.
	maxDialogs     = 4096
	resolveTimeout = 5 * time.Second
)

var errBacklog = errors.New("sip: too many calls wait for Accept")

// Config is what an Agent needs.
type Config struct {
	// Bind is the one address, "host:port", for UDP and TCP. It must not be
	// the wildcard: it is written into every message. Port 0 takes a free one.
	Bind string
	// Identity is who we are, such as "sip:alice@example.org". Empty: the user
	// "anonymous" at the bind address.
	Identity string
	// UserAgent is the product we name ourselves. Empty: "Sotto".
	UserAgent string
	// Logger gets what a developer needs to follow the signalling; it never
	// sees session descriptions. Nil: nothing is logged.
	Logger *slog.Logger
}

// Agent is one SIP identity on one address. All its methods may be called
// from any goroutine.
type Agent struct {
	identity  sip.Uri
	userAgent string
	log       *slog.Logger
	transport *transport
	resolver  func(ctx context.Context, host string) ([]netip.Addr, error)
	tagKey    [16]byte // makes the To tags of stateless responses

	ctx      context.Context // the agent's lifetime
	stop     context.CancelFunc
	work     sync.WaitGroup // dialogs, and look-ups on their behalf
	incoming chan *Dialog
	dropped  flood // messages that found no room in their dialog's inbox

	mu      sync.Mutex
	closed  bool
	dialogs map[dialogKey]*Dialog
	invites map[inviteKey]*Dialog
}

// New opens the sockets and starts to listen. The errors are ErrPortInUse,
// ErrBadAddress, and those of the network.
func New(cfg Config) (*Agent, error) {
	bind, err := bindAddress(cfg.Bind)
	if err != nil {
		return nil, err
	}
	if cfg.Identity != "" {
		if _, err := parseURI(cfg.Identity); err != nil {
			return nil, fmt.Errorf("identity: %w", err)
		}
	}
	udp, tcp, err := listen(bind)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{
		Timeout:   dialTimeout,
		LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(bind.Addr(), 0)),
	}
	return newAgent(cfg, udp, tcp, func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
		return dialer.DialContext(ctx, "tcp", to.String())
	})
}

func bindAddress(bind string) (netip.AddrPort, error) {
	a, err := net.ResolveUDPAddr("udp", bind)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("sip: bind address %q: %w", bind, err)
	}
	at := a.AddrPort()
	at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	if !at.Addr().IsValid() || at.Addr().IsUnspecified() {
		return netip.AddrPort{}, fmt.Errorf("sip: bind address %q must name one address of this machine", bind)
	}
	return at, nil
}

// newAgent runs an agent on sockets of the caller's, which become its own.
func newAgent(cfg Config, udp packetConn, tcp net.Listener, dialer func(context.Context, netip.AddrPort) (net.Conn, error)) (*Agent, error) {
	addr, err := netip.ParseAddrPort(udp.LocalAddr().String())
	if err != nil {
		return nil, err
	}
	identity := sip.Uri{Scheme: "sip", User: "anonymous", Host: hostOf(addr.Addr())}
	if cfg.Identity != "" {
		if identity, err = parseURI(cfg.Identity); err != nil {
			return nil, err
		}
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	a := &Agent{
		identity:  identity,
		userAgent: cfg.UserAgent,
		log:       log,
		resolver:  lookup,
		incoming:  make(chan *Dialog, backlog),
		dialogs:   map[dialogKey]*Dialog{},
		invites:   map[inviteKey]*Dialog{},
	}
	if a.userAgent == "" {
		a.userAgent = "Sotto"
	}
	rand.Read(a.tagKey[:])
	a.ctx, a.stop = context.WithCancel(context.Background())
	a.transport = &transport{
		udp: udp, tcp: tcp, addr: addr, dialer: dialer,
		deliver: a.handle, log: log, parser: sip.NewParser(),
		streams: map[netip.AddrPort]*stream{}, all: map[*stream]struct{}{},
	}
	a.transport.start()
	return a, nil
}

// lookup finds the addresses of a host name.
func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// Addr returns the address that both sockets are bound to.
func (a *Agent) Addr() netip.AddrPort { return a.transport.addr }

// Invite calls uri with a description as the offer, and returns at once; how
// it goes on comes from Dialog.Next. Until the call is answered ctx is its
// life: when it ends, the call is cancelled, with NoAnswer if a deadline ran
// out. The errors are ErrBadAddress, ErrClosed and what is wrong with offer.
func (a *Agent) Invite(ctx context.Context, uri string, offer []byte) (*Dialog, error) {
	to, err := parseURI(uri)
	if err != nil {
		return nil, err
	}
	if _, err := sdp.Parse(offer); err != nil {
		return nil, err
	}
	d := newDialog(a, rand.Text(), newTag())
	d.outgoing(to)
	err = a.add(d, inviteKey{}, func() {
		d.invite(offer)
		d.run(ctx.Done(), ctx.Err)
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Accept waits for the next incoming call. It has been told that we try
// (100), and not yet that it rings.
func (a *Agent) Accept(ctx context.Context) (*Dialog, error) {
	for {
		select {
		case d := <-a.incoming:
			select {
			case <-d.over: // its caller has given up meanwhile
			default:
				return d, nil
			}
		case <-a.ctx.Done():
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Close ends every call, telling the other sides once, closes the sockets, and
// waits for every goroutine of the agent.
func (a *Agent) Close() error {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.stop()
	a.work.Wait()
	a.transport.close()
	if n := a.dropped.rest(); n > 0 {
		a.log.Warn("too many messages for one dialog", "dropped", n)
	}
	return nil
}

// add registers a dialog and starts its goroutine. A call of the peer comes
// with its invite key, and goes to Accept.
func (a *Agent) add(d *Dialog, invite inviteKey, run func()) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed:
		return ErrClosed
	case len(a.dialogs) >= maxDialogs:
		return fmt.Errorf("sip: more than %d dialogs", maxDialogs)
	}
	if invite != (inviteKey{}) {
		select {
		case a.incoming <- d:
		default:
			return errBacklog
		}
		d.inviteKey = invite
		a.invites[invite] = d
	}
	a.dialogs[d.key()] = d
	a.work.Go(run) // under the lock: never after Close has begun to wait
	return nil
}

func (a *Agent) remove(d *Dialog) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.dialogs, d.key())
	if a.invites[d.inviteKey] == d {
		delete(a.invites, d.inviteKey)
	}
}

func (a *Agent) find(key dialogKey) *Dialog {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.dialogs[key]
}

func (a *Agent) findInvite(key inviteKey) *Dialog {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.invites[key]
}

// all returns every dialog there is.
func (a *Agent) all() []*Dialog {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]*Dialog, 0, len(a.dialogs))
	for _, d := range a.dialogs {
		list = append(list, d)
	}
	return list
}

// target is where a request goes: a host and port, and a transport.
type target struct {
	host string
	port uint16
	tcp  bool
}

// targetOf reads the host, port and transport of a URI. Without a transport in
// it, tcp decides.
func targetOf(u sip.Uri, tcp bool) (target, error) {
	t := target{host: strings.Trim(u.Host, "[]"), port: 5060, tcp: tcp}
	if u.Scheme != "sip" || !writable(u) || !plain(u.String()) || u.Port < 0 || u.Port > 0xffff {
		return t, fmt.Errorf("%w: %q", ErrBadAddress, printable(u.String()))
	}
	if u.Port != 0 {
		t.port = uint16(u.Port)
	}
	switch transport, _ := u.UriParams.Get("transport"); strings.ToLower(transport) {
	case "":
	case "udp":
		t.tcp = false
	case "tcp":
		t.tcp = true
	default:
		return t, fmt.Errorf("%w: transport %q", ErrBadAddress, printable(transport))
	}
	return t, nil
}

// resolve finds the address of a target, of the same family as our own.
func (a *Agent) resolve(ctx context.Context, t target) (netip.AddrPort, error) {
	if addr, err := netip.ParseAddr(t.host); err == nil {
		return netip.AddrPortFrom(addr.Unmap(), t.port), nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	addrs, err := a.resolver(ctx, t.host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	for _, addr := range addrs {
		if addr = addr.Unmap(); addr.Is4() == a.Addr().Addr().Is4() {
			return netip.AddrPortFrom(addr, t.port), nil
		}
	}
	return netip.AddrPort{}, fmt.Errorf("sip: %s has no address of our family", t.host)
}

// reach finds a way for a request of the given size. It may take seconds.
func (a *Agent) reach(ctx context.Context, t target, size int) (flow, error) {
	peer, err := a.resolve(ctx, t)
	if err != nil {
		return flow{}, err
	}
	if !t.tcp && size <= maxDatagram {
		return flow{peer: peer}, nil
	}
	f, err := a.transport.dial(ctx, peer)
	if err != nil && !t.tcp {
		// The peer asked for UDP and only the size brought TCP up: as it does
		// not take that, a large datagram it is, RFC 3261 §18.1.1.
		return flow{peer: peer}, nil
	}
	return f, err
}
