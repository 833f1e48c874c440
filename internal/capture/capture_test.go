package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"slices"
	"testing"
	"time"
)

var (
	seenAt  = time.Unix(1_700_000_000, 123_456_000)
	from4   = netip.MustParseAddrPort("192.0.2.1:5004")
	to4     = netip.MustParseAddrPort("192.0.2.2:5006")
	from6   = netip.MustParseAddrPort("[2001:db8::1]:5004")
	to6     = netip.MustParseAddrPort("[2001:db8::2]:5006")
	content = []byte("what was said")
)

// udpPacket is an IP packet of the addresses' version around content.
func udpPacket(from, to netip.AddrPort) []byte {
	u := binary.BigEndian.AppendUint16(nil, from.Port())
	u = binary.BigEndian.AppendUint16(u, to.Port())
	u = binary.BigEndian.AppendUint16(u, uint16(8+len(content)))
	u = append(append(u, 0, 0), content...)
	if from.Addr().Is4() {
		head := []byte{0x45, 0, 0, byte(20 + len(u)), 0, 0, 0, 0, 64, protocolUDP, 0, 0}
		return slices.Concat(head, from.Addr().AsSlice(), to.Addr().AsSlice(), u)
	}
	head := []byte{0x60, 0, 0, 0, 0, byte(len(u)), protocolUDP, 64}
	return slices.Concat(head, from.Addr().AsSlice(), to.Addr().AsSlice(), u)
}

// ipv6With puts extension headers of the given kinds before the datagram.
func ipv6With(kinds ...byte) []byte {
	packet := udpPacket(from6, to6)
	var extensions []byte
	next := byte(protocolUDP)
	for _, kind := range slices.Backward(kinds) {
		extensions = append([]byte{next, 0, 0, 0, 0, 0, 0, 0}, extensions...)
		next = kind
	}
	packet[6] = next
	return slices.Concat(packet[:40], extensions, packet[40:])
}

type shape struct {
	order binary.AppendByteOrder
	nano  bool
}

func (s shape) pcap(link uint32, frames ...[]byte) []byte {
	magic, tick := uint32(magicMicro), time.Microsecond
	if s.nano {
		magic, tick = magicNano, time.Nanosecond
	}
	b := s.order.AppendUint32(nil, magic)
	b = s.order.AppendUint16(b, 2)
	b = s.order.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...)
	b = s.order.AppendUint32(b, maxFrameLen)
	b = s.order.AppendUint32(b, link)
	for _, f := range frames {
		b = s.order.AppendUint32(b, uint32(seenAt.Unix()))
		b = s.order.AppendUint32(b, uint32(seenAt.Nanosecond()/int(tick)))
		b = s.order.AppendUint32(b, uint32(len(f)))
		b = s.order.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	return b
}

func (s shape) block(kind uint32, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	body = append(body, make([]byte, -len(body)&3)...)
	b := s.order.AppendUint32(nil, kind)
	b = s.order.AppendUint32(b, uint32(12+len(body)))
	b = append(b, body...)
	return s.order.AppendUint32(b, uint32(12+len(body)))
}

func (s shape) words(values ...uint32) (b []byte) {
	for _, v := range values {
		b = s.order.AppendUint32(b, v)
	}
	return b
}

func (s shape) section() []byte {
	return s.block(blockSection, s.words(sectionMagic, 1, 0xffffffff, 0xffffffff))
}

func (s shape) describe(link uint32, options ...[]byte) []byte {
	head := s.order.AppendUint16(nil, uint16(link))
	return s.block(blockInterface, append([][]byte{append(head, 0, 0), s.words(0)}, options...)...)
}

// resolution is the option that says what unit time stamps have.
func (s shape) resolution(r byte) []byte {
	b := s.order.AppendUint16(nil, optionResolution)
	return append(s.order.AppendUint16(b, 1), r, 0, 0, 0)
}

func (s shape) packet(stamp uint64, f []byte) []byte {
	return s.block(blockPacket, s.words(0, uint32(stamp>>32), uint32(stamp), uint32(len(f)), uint32(len(f))), f)
}

// pcapng has each frame in a block of another kind, as far as there are kinds,
// and between them a block to be passed over.
func (s shape) pcapng(link uint32, frames ...[]byte) []byte {
	stamp := uint64(seenAt.UnixMicro())
	option := []byte(nil)
	if s.nano {
		stamp, option = uint64(seenAt.UnixNano()), s.resolution(9)
	}
	b := slices.Concat(s.section(), s.describe(link, option))
	for i, f := range frames {
		switch i % 2 {
		case 0:
			b = append(b, s.packet(stamp, f)...)
		case 1:
			head := s.order.AppendUint16(nil, 0)
			head = s.order.AppendUint16(head, 7)
			head = append(head, s.words(uint32(stamp>>32), uint32(stamp), uint32(len(f)), uint32(len(f)))...)
			b = append(b, s.block(blockObsolete, head, f)...)
		}
		b = append(b, s.block(5, s.words(1, 2, 3))...)
	}
	return b
}

var shapes = []shape{
	{binary.LittleEndian, false}, {binary.LittleEndian, true}, {binary.BigEndian, false}, {binary.BigEndian, true},
}

// readAll reads a file to its end.
func readAll(t testing.TB, file []byte) ([]Datagram, Skipped, error) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, Skipped{}, err
	}
	var all []Datagram
	for {
		d, err := r.Next()
		if err != nil {
			return all, r.Skipped(), err
		}
		d.Payload = bytes.Clone(d.Payload)
		all = append(all, d)
	}
}

func TestFormats(t *testing.T) {
	ethernet4 := slices.Concat(make([]byte, 12), []byte{0x08, 0}, udpPacket(from4, to4))
	ethernet6 := slices.Concat(make([]byte, 12), []byte{0x86, 0xdd}, udpPacket(from6, to6), make([]byte, 6)) // padded
	for _, s := range shapes {
		for name, write := range map[string]func(uint32, ...[]byte) []byte{"pcap": s.pcap, "pcapng": s.pcapng} {
			all, skipped, err := readAll(t, write(linkEthernet, ethernet4, ethernet6))
			if !errors.Is(err, io.EOF) || len(all) != 2 || skipped != (Skipped{}) {
				t.Fatalf("%s %+v: %d datagrams, %+v, %v", name, s, len(all), skipped, err)
			}
			for i, want := range []Datagram{{1, seenAt, from4, to4, content, 0}, {2, seenAt, from6, to6, content, 0}} {
				d := all[i]
				if d.Number != want.Number || !d.Time.Equal(want.Time) || d.From != want.From || d.To != want.To ||
					!bytes.Equal(d.Payload, want.Payload) || d.Missing != 0 {
					t.Errorf("%s %+v: %+v", name, s, d)
				}
			}
		}
	}
}

func TestLinks(t *testing.T) {
	ip4, ip6 := udpPacket(from4, to4), udpPacket(from6, to6)
	for _, c := range []struct {
		name string
		link uint32
		head []byte
		ip   []byte
	}{
		{"loopback", linkNull, []byte{2, 0, 0, 0}, ip4},
		{"loopback, other byte order", linkNull, []byte{0, 0, 0, 30}, ip6},
		{"OpenBSD loopback", linkLoop, []byte{0, 0, 0, 2}, ip4},
		{"raw", linkRaw, nil, ip4},
		{"raw 6", linkRaw, nil, ip6},
		{"raw of BSD", linkRawBSD, nil, ip4},
		{"IPv4", linkIPv4, nil, ip4},
		{"IPv6", linkIPv6, nil, ip6},
		{"cooked", linkCooked, append(make([]byte, 14), 0x08, 0x00), ip4},
		{"cooked 2", linkCooked2, append([]byte{0x86, 0xdd}, make([]byte, 18)...), ip6},
		{"two VLANs", linkEthernet, append(make([]byte, 12), 0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 0x08, 0), ip4},
		{"IPv6 options", linkRaw, nil, ipv6With(0, 43, 60)},
		{"IPv6 fragment that is all", linkRaw, nil, ipv6With(44)},
	} {
		for name, file := range map[string][]byte{
			"pcap":   shapes[0].pcap(c.link, append(c.head, c.ip...)),
			"pcapng": shapes[0].pcapng(c.link, append(c.head, c.ip...)),
		} {
			all, _, err := readAll(t, file)
			if !errors.Is(err, io.EOF) || len(all) != 1 || !bytes.Equal(all[0].Payload, content) || all[0].To.Port() != 5006 {
				t.Errorf("%s, %s: %+v, %v", c.name, name, all, err)
			}
		}
	}
}

func TestSkips(t *testing.T) {
	first, later, six := udpPacket(from4, to4), udpPacket(from4, to4), ipv6With(44)
	first[6] = 0x20 // more to come
	later[7] = 1    // not the first
	six[40+3] = 1   // more to come
	tcp, damaged := udpPacket(from4, to4), udpPacket(from4, to4)
	tcp[9] = 6
	damaged[25] = 7 // the length of UDP, shorter than its head
	all, skipped, err := readAll(t, shapes[0].pcap(linkRaw, first, later, six, tcp, damaged, damaged[:19], nil))
	if !errors.Is(err, io.EOF) || len(all) != 0 || skipped != (Skipped{Fragments: 3, Damaged: 3}) {
		t.Errorf("%d datagrams, %+v, %v", len(all), skipped, err)
	}
	if _, skipped, _ := readAll(t, shapes[0].pcap(147, first)); skipped != (Skipped{Links: 1}) {
		t.Errorf("unknown link: %+v", skipped)
	}
}

// A capture with a snapshot length has the heads of packets only.
func TestMissing(t *testing.T) {
	whole := udpPacket(from4, to4)
	all, _, _ := readAll(t, shapes[0].pcap(linkRaw, whole[:len(whole)-5]))
	if len(all) != 1 || all[0].Missing != 5 || !bytes.Equal(all[0].Payload, content[:len(content)-5]) {
		t.Errorf("%+v", all)
	}
}

func TestSimpleBlocks(t *testing.T) {
	s := shapes[0]
	packet := udpPacket(from4, to4)
	simple := s.block(blockSimple, s.words(uint32(len(packet))), packet)
	all, _, err := readAll(t, slices.Concat(s.section(), s.describe(linkRaw), simple))
	if !errors.Is(err, io.EOF) || len(all) != 1 || !all[0].Time.IsZero() || !bytes.Equal(all[0].Payload, content) {
		t.Errorf("%+v, %v", all, err)
	}
	if _, _, err := readAll(t, slices.Concat(s.section(), simple)); !errors.Is(err, ErrFormat) {
		t.Errorf("without interface: %v", err)
	}
}

// A second section may have another byte order, and knows no interface of the
// first.
func TestSections(t *testing.T) {
	packet := udpPacket(from4, to4)
	little, big := shapes[0], shapes[2]
	all, _, err := readAll(t, append(little.pcapng(linkRaw, packet), big.pcapng(linkRaw, packet)...))
	if !errors.Is(err, io.EOF) || len(all) != 2 || !all[1].Time.Equal(seenAt) || all[1].Number != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	orphan := slices.Concat(little.pcapng(linkRaw, packet), big.section(), big.packet(1, packet))
	if _, _, err := readAll(t, orphan); !errors.Is(err, ErrFormat) {
		t.Errorf("without interface: %v", err)
	}
}

func TestTimes(t *testing.T) {
	for _, c := range []struct {
		resolution byte
		stamp      uint64
		want       time.Time
	}{
		{0, 1_700_000_000, time.Unix(1_700_000_000, 0)},
		{3, 1_700_000_000_250, time.Unix(1_700_000_000, 250_000_000)},
		{12, 1_700_000_000_500_000_000, time.Unix(1_700_000, 500_000)},
		{0x80 | 2, 6, time.Unix(1, 500_000_000)},
		{0x80 | 32, 3 << 31, time.Unix(1, 500_000_000)},
		{19, 1, time.Time{}},
		{0xff, 1, time.Time{}},
	} {
		if got := (netInterface{resolution: c.resolution}).time(c.stamp); !got.Equal(c.want) {
			t.Errorf("resolution %#x: %d is %v, want %v", c.resolution, c.stamp, got, c.want)
		}
	}
	if got := (netInterface{resolution: 6, offset: 60}).time(0); !got.Equal(time.Unix(60, 0)) {
		t.Errorf("with an offset: %v", got)
	}
}

// Every prefix of a file is an error, unless it ends between two records.
func TestPrefixes(t *testing.T) {
	packet := udpPacket(from4, to4)
	for name, write := range map[string]func(uint32, ...[]byte) []byte{"pcap": shapes[0].pcap, "pcapng": shapes[0].pcapng} {
		ends := map[int]bool{}
		for n := range 4 {
			ends[len(write(linkRaw, slices.Repeat([][]byte{packet}, n)...))] = true
		}
		if name == "pcapng" { // what stands before the blocks that are passed over is an end too
			ends[len(shapes[0].section())] = true
			for n := 1; n < 4; n++ {
				ends[len(write(linkRaw, slices.Repeat([][]byte{packet}, n)...))-24] = true
			}
		}
		file := write(linkRaw, packet, packet, packet)
		for n := range len(file) {
			_, _, err := readAll(t, file[:n])
			if want := ends[n]; errors.Is(err, io.EOF) != want || !want && !errors.Is(err, ErrFormat) {
				t.Errorf("%s, %d of %d bytes: %v", name, n, len(file), err)
			}
		}
	}
}

// A file can't announce more than it has to bring.
func TestRefuses(t *testing.T) {
	s := shapes[0]
	frame := append(make([]byte, 8), s.words(0xfffffff0, 0xfffffff0)...)
	for name, file := range map[string][]byte{
		"a picture":           []byte("\x89PNG\r\n\x1a\n and so on, long enough for a head"),
		"nothing":             nil,
		"a huge frame":        append(s.pcap(linkRaw), frame...),
		"pcap 1":              append(s.words(magicMicro, 1), make([]byte, 40)...),
		"a huge block":        append(s.section(), s.words(blockPacket, 0xfffffff0)...),
		"a tiny block":        append(s.section(), s.words(blockPacket, 8)...),
		"an odd block":        append(s.section(), s.words(99, 13, 0, 0)...),
		"two lengths":         append(s.section(), s.words(blockInterface, 20, 0, 0, 24)...),
		"no byte order":       s.words(blockSection, 28, 0, 0, 0, 0, 28),
		"short head":          s.words(blockSection, 12, sectionMagic),
		"a packet too long":   slices.Concat(s.section(), s.describe(linkRaw), s.block(blockPacket, s.words(0, 0, 0, 99, 99))),
		"a packet of nothing": slices.Concat(s.section(), s.describe(linkRaw), s.block(blockPacket)),
		"interfaces":          append(s.section(), bytes.Repeat(s.describe(linkRaw), maxInterfaces+1)...),
	} {
		if _, _, err := readAll(t, file); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The errors of the file itself come through.
func TestReadError(t *testing.T) {
	broken := errors.New("the disk is gone")
	file := shapes[0].pcap(linkRaw, udpPacket(from4, to4))
	for n := range len(file) {
		r, err := NewReader(io.MultiReader(bytes.NewReader(file[:n]), failing{broken}))
		if err == nil {
			for err == nil {
				_, err = r.Next()
			}
		}
		if !errors.Is(err, broken) {
			t.Fatalf("after %d bytes: %v", n, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func FuzzReader(f *testing.F) {
	ethernet := slices.Concat(make([]byte, 12), []byte{0x08, 0}, udpPacket(from4, to4))
	for _, s := range shapes {
		f.Add(s.pcap(linkEthernet, ethernet))
		f.Add(s.pcapng(linkRaw, udpPacket(from6, to6), ipv6With(0, 44), udpPacket(from4, to4)))
		f.Add(slices.Concat(s.section(), s.describe(linkRaw, s.resolution(0xa0)), s.packet(1<<60, udpPacket(from4, to4))))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		all, skipped, err := readAll(t, file)
		if !errors.Is(err, io.EOF) && !errors.Is(err, ErrFormat) {
			t.Fatalf("error %v", err)
		}
		total := skipped.Damaged + skipped.Fragments + skipped.Links
		last := 0
		for _, d := range all {
			total += 1 + len(d.Payload)
			if d.Number <= last || d.Missing < 0 || !d.From.IsValid() {
				t.Fatalf("%+v after %d", d, last)
			}
			last = d.Number
		}
		if total > len(file) {
			t.Fatalf("%d bytes gave more than they hold: %d", len(file), total)
		}
	})
}
