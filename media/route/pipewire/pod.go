package pipewire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A message of the native protocol: a header of 16 bytes, then a "POD" that
// is a struct of the arguments, padded to 8 bytes, and perhaps a footer.
const (
	headerSize = 16
	maxMessage = 1 << 20
	maxProps   = 1024 // entries of one dictionary
)

// The types of PODs that occur in messages of interest.
const (
	podNone   = 1
	podBool   = 2
	podID     = 3
	podInt    = 4
	podLong   = 5
	podString = 8
	podStruct = 14
)

var errMalformed = errors.New("what it says cannot be understood")

// message is a call of a method, or an event, of an object.
type message struct {
	object uint32
	opcode byte
	body   pods
}

func readMessage(r io.Reader) (message, error) {
	var head [headerSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return message{}, err
	}
	word := binary.NativeEndian.Uint32(head[4:])
	size := word & 0xffffff
	if size > maxMessage {
		return message{}, fmt.Errorf("%w: a message of %d bytes", errMalformed, size)
	}
	payload := make([]byte, size)
	if _, err := io.ReadFull(r, payload); err != nil {
		return message{}, err
	}
	m := message{object: binary.NativeEndian.Uint32(head[:]), opcode: byte(word >> 24)}
	outer := pods{rest: payload}
	m.body = outer.structure()
	return m, outer.err
}

// appendMessage appends a message whose arguments were made with the append
// functions below.
func appendMessage(dst []byte, m message, sequence uint32) []byte {
	body := appendPOD(nil, podStruct, m.body.rest)
	dst = binary.NativeEndian.AppendUint32(dst, m.object)
	dst = binary.NativeEndian.AppendUint32(dst, uint32(m.opcode)<<24|uint32(len(body)))
	dst = binary.NativeEndian.AppendUint32(dst, sequence)
	dst = binary.NativeEndian.AppendUint32(dst, 0) // file descriptors
	return append(dst, body...)
}

func appendPOD(dst []byte, kind uint32, value []byte) []byte {
	dst = binary.NativeEndian.AppendUint32(dst, uint32(len(value)))
	dst = binary.NativeEndian.AppendUint32(dst, kind)
	dst = append(dst, value...)
	return append(dst, make([]byte, -len(value)&7)...)
}

func appendInt(dst []byte, v uint32) []byte {
	return appendPOD(dst, podInt, binary.NativeEndian.AppendUint32(nil, v))
}

func appendText(dst []byte, s string) []byte {
	return appendPOD(dst, podString, append([]byte(s), 0))
}

// appendDict appends a dictionary: a struct of a count, keys and values.
func appendDict(dst []byte, keysAndValues ...string) []byte {
	entries := appendInt(nil, uint32(len(keysAndValues)/2))
	for _, s := range keysAndValues {
		entries = appendText(entries, s)
	}
	return appendPOD(dst, podStruct, entries)
}

// pods are what is left of a struct. After the first value that is not what
// was expected, err is set and all values are zero.
type pods struct {
	rest []byte
	err  error
}

func (p *pods) fail() {
	p.err, p.rest = errMalformed, nil
}

// next takes the next value of whatever type.
func (p *pods) next() (kind uint32, value []byte) {
	const header = 8
	if p.err != nil || len(p.rest) < header {
		p.fail()
		return 0, nil
	}
	size := uint64(binary.NativeEndian.Uint32(p.rest))
	kind = binary.NativeEndian.Uint32(p.rest[4:])
	padded := (size + 7) &^ 7
	if padded > uint64(len(p.rest)-header) {
		p.fail()
		return 0, nil
	}
	value = p.rest[header : header+size]
	p.rest = p.rest[header+padded:]
	return kind, value
}

// want takes the next value, which must be of kind and of size bytes.
func (p *pods) want(kind uint32, size int) []byte {
	k, value := p.next()
	if p.err != nil || k != kind || len(value) != size {
		p.fail()
		return make([]byte, size)
	}
	return value
}

func (p *pods) int() uint32  { return binary.NativeEndian.Uint32(p.want(podInt, 4)) }
func (p *pods) long() uint64 { return binary.NativeEndian.Uint64(p.want(podLong, 8)) }

// text takes a string, or none, which is "".
func (p *pods) text() string {
	kind, value := p.next()
	if kind == podNone && len(value) == 0 {
		return ""
	}
	if kind != podString || len(value) == 0 || value[len(value)-1] != 0 {
		p.fail()
		return ""
	}
	return string(value[:len(value)-1])
}

// structure takes a struct.
func (p *pods) structure() pods {
	kind, value := p.next()
	if kind != podStruct {
		p.fail()
	}
	return pods{rest: value, err: p.err}
}

// dict takes a dictionary.
func (p *pods) dict() map[string]string {
	s := p.structure()
	count := s.int()
	if count > maxProps {
		s.fail()
	}
	props := map[string]string{}
	for range count {
		key, value := s.text(), s.text()
		if s.err != nil {
			break
		}
		props[key] = value
	}
	if s.err != nil {
		p.fail()
		return nil
	}
	return props
}
