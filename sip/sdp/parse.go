package sdp

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrMalformed is what every error of Parse wraps.
var ErrMalformed = errors.New("sdp: malformed session description")

// maxHashes bounds the ZRTP versions one stream may list.
const maxHashes = 8

// Parse reads one session description. Lines may end in LF alone. An error
// wraps ErrMalformed, names the line, and comes with a nil Session.
func Parse(b []byte) (*Session, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, MaxSize)
	}
	if !utf8.Valid(b) {
		return nil, fmt.Errorf("%w: not UTF-8", ErrMalformed)
	}
	var p parser
	number := 0
	for line := range strings.Lines(string(b)) {
		number++
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if line == "" {
			continue // some agents end with an empty line
		}
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrMalformed, number, err)
		}
	}
	if err := p.finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return &p.session, nil
}

// parser holds what one description has said so far.
type parser struct {
	session Session
	seen    map[byte]bool // session lines that occur once
	address netip.Addr    // session-level c=
	dir     dirLine       // session-level direction
	media   []section     // grows with session.Media
}

// section is what the lines below one m= line said; finish makes Media of it.
type section struct {
	address netip.Addr
	dir     dirLine
	rtpmap  map[uint8]Codec
	fmtp    map[uint8]string
	rtcp    string
}

// dirLine is a direction attribute, if there was one.
type dirLine struct {
	set   bool
	value Direction
}

func (d *dirLine) put(v Direction) error {
	if d.set && d.value != v {
		return fmt.Errorf("directions %s and %s for one stream", d.value, v)
	}
	*d = dirLine{true, v}
	return nil
}

func (p *parser) line(line string) error {
	if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return errors.New("control character")
	}
	if len(line) < 2 || line[1] != '=' || line[0] < 'a' || line[0] > 'z' {
		return errors.New("not of the form x=value")
	}
	key, value := line[0], line[2:]
	if !p.seen['v'] && key != 'v' {
		return errors.New("v= must come first")
	}
	switch key {
	case 'v', 'o', 's':
		return p.once(key, value)
	case 't':
		p.mark('t')
	case 'c':
		return p.connection(value)
	case 'm':
		return p.mediaLine(value)
	case 'a':
		name, arg, _ := strings.Cut(value, ":")
		return p.attribute(name, arg)
	}
	return nil // b=, i=, k= and all others say nothing we use
}

func (p *parser) mark(key byte) {
	if p.seen == nil {
		p.seen = map[byte]bool{}
	}
	p.seen[key] = true
}

// once reads the lines which stand once, above the first m= line.
func (p *parser) once(key byte, value string) error {
	if p.seen[key] || len(p.media) > 0 {
		return fmt.Errorf("misplaced %c=", key)
	}
	p.mark(key)
	switch {
	case key == 'v' && value != "0":
		return fmt.Errorf("version %q", value)
	case key == 'o':
		return p.origin(value)
	}
	return nil
}

func (p *parser) origin(value string) error {
	f := strings.Fields(value)
	if len(f) != 6 || f[3] != "IN" || f[4] != "IP4" && f[4] != "IP6" {
		return errors.New("o= needs user, id, version, IN, IP4 or IP6, address")
	}
	id, err1 := strconv.ParseUint(f[1], 10, 64)
	version, err2 := strconv.ParseUint(f[2], 10, 64)
	if err1 != nil || err2 != nil {
		return errors.New("o= needs a numeric id and version")
	}
	p.session.Origin = Origin{Username: f[0], ID: id, Version: version, Address: f[4] + " " + f[5]}
	return nil
}

func (p *parser) connection(value string) error {
	if n := len(p.media); n > 0 {
		if p.session.Media[n-1].Kind != "audio" {
			return nil
		}
		a, err := parseAddress(value)
		p.media[n-1].address = a
		return err
	}
	a, err := parseAddress(value)
	p.address = a
	return err
}

// parseAddress reads "IN IP4 192.0.2.1", RFC 8866 §5.7. Names are refused: we
// send voice only to an address that the peer has spelt out.
func parseAddress(value string) (netip.Addr, error) {
	f := strings.Fields(value)
	if len(f) != 3 || f[0] != "IN" {
		return netip.Addr{}, errors.New("address needs IN, IP4 or IP6, address")
	}
	a, err := netip.ParseAddr(f[2])
	if err != nil || a.Zone() != "" || a.Is4In6() || f[1] != family(a) {
		return netip.Addr{}, fmt.Errorf("%q is no %s address", f[2], f[1])
	}
	if a.IsMulticast() {
		return netip.Addr{}, fmt.Errorf("%s is a multicast address", a)
	}
	return a, nil
}

// family is the address type of a, RFC 8866 §5.7.
func family(a netip.Addr) string {
	if a.Is4() {
		return "IP4"
	}
	return "IP6"
}

func (p *parser) mediaLine(value string) error {
	f := strings.Fields(value)
	if len(f) < 4 {
		return errors.New("m= needs kind, port, profile, formats")
	}
	first, count, several := strings.Cut(f[1], "/")
	port, err := strconv.ParseUint(first, 10, 16)
	if err != nil {
		return fmt.Errorf("port %q", f[1])
	}
	m := Media{Kind: f[0], Port: uint16(port), Profile: f[2]}
	if m.voice() {
		if several && count != "1" {
			return fmt.Errorf("%s ports for one audio stream", count)
		}
		if m.Codecs, err = payloadTypes(f[3:]); err != nil {
			return err
		}
	} else {
		m.Formats = strings.Join(f[3:], " ")
	}
	p.session.Media = append(p.session.Media, m)
	p.media = append(p.media, section{rtpmap: map[uint8]Codec{}, fmtp: map[uint8]string{}})
	return nil
}

func payloadTypes(formats []string) ([]Codec, error) {
	var codecs []Codec
	for _, f := range formats {
		pt, err := parsePayloadType(f)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(codecs, func(c Codec) bool { return c.PayloadType == pt }) {
			return nil, fmt.Errorf("payload type %d twice", pt)
		}
		codecs = append(codecs, Codec{PayloadType: pt})
	}
	return codecs, nil
}

func parsePayloadType(s string) (uint8, error) {
	pt, err := strconv.ParseUint(s, 10, 7)
	if err != nil {
		return 0, fmt.Errorf("payload type %q", s)
	}
	return uint8(pt), nil
}

// attribute reads one a= line. Those of streams we do not use are skipped.
func (p *parser) attribute(name, arg string) error {
	dir := slices.Index(directions[:], name)
	n := len(p.media)
	if n == 0 {
		if dir >= 0 {
			return p.dir.put(Direction(dir))
		}
		p.session.Recorded = p.session.Recorded || recording(name, arg)
		return nil
	}
	m, s := &p.session.Media[n-1], &p.media[n-1]
	if !m.voice() {
		return nil
	}
	if dir >= 0 {
		return s.dir.put(Direction(dir))
	}
	p.session.Recorded = p.session.Recorded || recording(name, arg)
	switch name {
	case "rtpmap":
		return s.readRTPMap(arg)
	case "fmtp":
		return s.readFormat(arg)
	case "rtcp":
		s.rtcp = arg
	case "rtcp-mux":
		m.Mux = true
	case "ptime":
		m.PacketTime = milliseconds(arg)
	case "maxptime":
		m.MaxPacket = milliseconds(arg)
	case "crypto":
		if c, ok := parseCrypto(arg); ok && m.Crypto == nil {
			m.Crypto = &c
		}
	case "zrtp-hash":
		if arg == "" { // a phone that has no ZRTP may still write the name
			return nil
		}
		h, err := parseZRTPHash(arg)
		if err != nil {
			return err
		}
		if len(m.ZRTPHashes) == maxHashes {
			return errors.New("too many a=zrtp-hash")
		}
		m.ZRTPHashes = append(m.ZRTPHashes, h)
	}
	return nil
}

// recording reports whether an attribute says that its author records the call.
// While it is paused it may go on at any time.
func recording(name, arg string) bool { return name == "record" && (arg == "on" || arg == "paused") }

// milliseconds reads the length of a packet (RFC 8866 §6.4), a wish: one that
// cannot be read is none.
func milliseconds(arg string) int {
	ms, err := strconv.ParseUint(arg, 10, 10)
	if err != nil {
		return 0
	}
	return int(ms)
}

// readRTPMap reads "96 opus/48000/2", RFC 8866 §6.6.
func (s *section) readRTPMap(arg string) error {
	number, encoding, _ := strings.Cut(arg, " ")
	pt, err := parsePayloadType(number)
	if err != nil {
		return err
	}
	f := strings.Split(strings.TrimSpace(encoding), "/")
	if len(f) < 2 || len(f) > 3 || f[0] == "" || strings.ContainsAny(f[0], " \t") {
		return fmt.Errorf("encoding %q", encoding)
	}
	rate, err := strconv.ParseUint(f[1], 10, 31)
	channels := uint64(1)
	if err == nil && len(f) == 3 {
		channels, err = strconv.ParseUint(f[2], 10, 8)
	}
	if err != nil || rate == 0 || channels == 0 {
		return fmt.Errorf("encoding %q", encoding)
	}
	c := Codec{PayloadType: pt, Name: f[0], ClockRate: int(rate), Channels: int(channels)}
	if old, twice := s.rtpmap[pt]; twice && old != c {
		return fmt.Errorf("two meanings of payload type %d", pt)
	}
	s.rtpmap[pt] = c
	return nil
}

// readFormat reads "96 useinbandfec=1", RFC 8866 §6.15.
func (s *section) readFormat(arg string) error {
	number, params, _ := strings.Cut(arg, " ")
	pt, err := parsePayloadType(number)
	if err != nil {
		return err
	}
	if _, twice := s.fmtp[pt]; !twice {
		s.fmtp[pt] = strings.TrimSpace(params)
	}
	return nil
}

// parseZRTPHash reads "1.10 <hex>", RFC 6189 §8.
func parseZRTPHash(arg string) (ZRTPHash, error) {
	f := strings.Fields(arg)
	if len(f) != 2 {
		return ZRTPHash{}, errors.New("a=zrtp-hash needs version and hash")
	}
	hash, err := hex.DecodeString(f[1])
	if err != nil || len(hash) > 64 || f[0] == "1.10" && len(hash) != 32 {
		return ZRTPHash{}, fmt.Errorf("a=zrtp-hash of %d digits", len(f[1]))
	}
	return ZRTPHash{Version: f[0], Hash: hash}, nil
}

// finish checks what only the whole text shows, and fills the streams in.
func (p *parser) finish() error {
	for _, key := range []byte("vost") {
		if !p.seen[key] {
			return fmt.Errorf("no %c= line", key)
		}
	}
	for i := range p.session.Media {
		m, s := &p.session.Media[i], &p.media[i]
		if !m.voice() {
			continue
		}
		m.Address = s.address
		if !m.Address.IsValid() {
			m.Address = p.address
		}
		if !m.Address.IsValid() {
			return errors.New("audio without an address: no c= line")
		}
		m.Direction = p.dir.value
		if s.dir.set {
			m.Direction = s.dir.value
		}
		if err := s.fillRTCP(m); err != nil {
			return err
		}
		s.fillCodecs(m)
	}
	return nil
}

// fillRTCP finds where m's author receives RTCP without multiplexing: one port
// above RTP, RFC 3264 §6.1, unless a=rtcp says otherwise.
func (s *section) fillRTCP(m *Media) error {
	if s.rtcp == "" {
		if m.Port == 0xffff {
			m.RTCP = netip.AddrPort{} // nothing is one above
			return nil
		}
		m.RTCP = netip.AddrPortFrom(m.Address, m.Port+1)
		return nil
	}
	number, rest, _ := strings.Cut(s.rtcp, " ")
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil || port == 0 {
		return fmt.Errorf("a=rtcp port %q", number)
	}
	addr := m.Address
	if rest != "" {
		if addr, err = parseAddress(rest); err != nil {
			return err
		}
	}
	m.RTCP = netip.AddrPortFrom(addr, uint16(port))
	return nil
}

// static gives the payload types we use that need no a=rtpmap, RFC 3551 §6.
// G.722 has 16000 samples a second, but its RTP counts 8000 (RFC 3551 §4.5.2).
var static = map[uint8]Codec{
	0: {PayloadType: 0, Name: "PCMU", ClockRate: 8000, Channels: 1},
	8: {PayloadType: 8, Name: "PCMA", ClockRate: 8000, Channels: 1},
	9: {PayloadType: 9, Name: "G722", ClockRate: 8000, Channels: 1},

	13: {PayloadType: 13, Name: "CN", ClockRate: 8000, Channels: 1},
}

func (s *section) fillCodecs(m *Media) {
	for i := range m.Codecs {
		c := &m.Codecs[i]
		pt := c.PayloadType
		if known, ok := s.rtpmap[pt]; ok {
			*c = known
		} else if known, ok := static[pt]; ok {
			*c = known
		}
		c.Params = s.fmtp[pt]
	}
}
