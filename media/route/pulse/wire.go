package pulse

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Packets of the native protocol: a descriptor of 20 bytes, and a "tagstruct",
// in which each value has a letter before it that says what it is.
const (
	descriptorSize = 20
	control        = 0xffffffff // the channel of commands
	undefined      = 0xffffffff // an index that says: none
	maxPacket      = 4 << 20    // a list of a thousand sinks is smaller
	maxProps       = 512        // entries of one property list
	maxItems       = 1024       // of any other list within an object
)

// The commands that we send or receive.
const (
	cmdError           = 0
	cmdReply           = 2
	cmdAuth            = 8
	cmdSetClientName   = 9
	cmdServerInfo      = 20
	cmdSink            = 21 // and its list is the next number, as for the others
	cmdSource          = 23
	cmdSinkInput       = 29
	cmdSourceOutput    = 31
	cmdSubscribe       = 35
	cmdSubscribedEvent = 66
)

var errMalformed = errors.New("what it says cannot be understood")

// packet is one command or reply.
type packet struct {
	command, tag uint32
	body         body
}

// readPacket reads the next control packet from r.
func readPacket(r io.Reader) (packet, error) {
	var head [descriptorSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return packet{}, err
	}
	size, channel := binary.BigEndian.Uint32(head[:]), binary.BigEndian.Uint32(head[4:])
	if size > maxPacket || channel != control {
		return packet{}, fmt.Errorf("%w: a packet of %d bytes on channel %d", errMalformed, size, channel)
	}
	payload := make([]byte, size)
	if _, err := io.ReadFull(r, payload); err != nil {
		return packet{}, err
	}
	return parsePacket(payload)
}

func parsePacket(payload []byte) (packet, error) {
	p := packet{body: body{rest: payload}}
	p.command, p.tag = p.body.number(), p.body.number()
	return p, p.body.err
}

// appendPacket appends a request whose arguments have been made with the
// append functions below.
func appendPacket(dst []byte, command, tag uint32, arguments []byte) []byte {
	payload := appendNumber(appendNumber(nil, command), tag)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(payload)+len(arguments)))
	dst = binary.BigEndian.AppendUint32(dst, control)
	dst = append(dst, make([]byte, descriptorSize-8)...) // offset and flags
	return append(append(dst, payload...), arguments...)
}

func appendNumber(dst []byte, v uint32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 'L'), v)
}

func appendText(dst []byte, s string) []byte {
	return append(append(append(dst, 't'), s...), 0)
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(append(dst, 'x'), uint32(len(b))), b...)
}

// appendProps appends a property list of text.
func appendProps(dst []byte, keysAndValues ...string) []byte {
	dst = append(dst, 'P')
	for i := 0; i+1 < len(keysAndValues); i += 2 {
		value := append([]byte(keysAndValues[i+1]), 0)
		dst = appendBytes(appendNumber(appendText(dst, keysAndValues[i]), uint32(len(value))), value)
	}
	return append(dst, 'N')
}

// body is what is left of a tagstruct. After the first value that is not what
// was expected, err is set and all values are zero.
type body struct {
	rest []byte
	err  error
}

func (b *body) fail() {
	b.err, b.rest = errMalformed, nil
}

// take returns the next n bytes, or nil.
func (b *body) take(n int) []byte {
	if b.err != nil || n > len(b.rest) {
		b.fail()
		return nil
	}
	taken := b.rest[:n]
	b.rest = b.rest[n:]
	return taken
}

// letter takes the next letter and fails unless it is among those wanted.
func (b *body) letter(wanted string) byte {
	l := b.take(1)
	if l == nil || strings.IndexByte(wanted, l[0]) < 0 {
		b.fail()
		return 0
	}
	return l[0]
}

func (b *body) u32() uint32 {
	if v := b.take(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

func (b *body) number() uint32 {
	b.letter("L")
	return b.u32()
}

func (b *body) octet() byte {
	b.letter("B")
	if v := b.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (b *body) boolean() bool { return b.letter("10") == '1' }

func (b *body) text() string {
	if b.letter("tN") != 't' {
		return ""
	}
	end := bytes.IndexByte(b.rest, 0)
	if end < 0 {
		b.fail()
		return ""
	}
	return string(b.take(end + 1)[:end])
}

// skip passes over values that we have no use for: a channel map m, a sample
// specification a, volumes v or V, microseconds U.
func (b *body) skip(letters string) {
	for _, l := range []byte(letters) {
		b.letter(string(l))
		switch l {
		case 'a':
			b.take(6)
		case 'm', 'v':
			count := b.take(1)
			if count == nil {
				return
			}
			size := int(count[0])
			if l == 'v' {
				size *= 4
			}
			b.take(size)
		case 'V':
			b.take(4)
		case 'U':
			b.take(8)
		}
	}
}

// props takes a property list. What is no text is left out.
func (b *body) props() map[string]string {
	b.letter("P")
	props := map[string]string{}
	for b.err == nil {
		if len(b.rest) > 0 && b.rest[0] == 'N' {
			b.take(1)
			return props
		}
		key := b.text()
		size := b.number()
		b.letter("x")
		if b.u32() != size || size > maxPacket || len(props) == maxProps {
			b.fail()
			return nil
		}
		if value, isText := strings.CutSuffix(string(b.take(int(size))), "\x00"); isText {
			props[key] = value
		}
	}
	return nil
}

// count takes the length of a list of objects.
func (b *body) count() int {
	n := b.number()
	if n > maxItems {
		b.fail()
		return 0
	}
	return int(n)
}
