package audit

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"sotto/zrtp/wire"
)

// describe says what stands in a message, with a fault if it can't be read.
func describe(m *Message, t wire.Type, msg []byte) {
	var err error
	switch t {
	case wire.TypeHello:
		err = describeHello(m, msg)
	case wire.TypeCommit:
		err = describeCommit(m, msg)
	case wire.TypeDHPart1, wire.TypeDHPart2:
		var d wire.DHPart
		d, err = wire.ParseDHPart(msg)
		m.field("public value", "%d bytes", len(d.PV))
	case wire.TypeConfirm1, wire.TypeConfirm2:
		var c wire.Sealed
		c, err = wire.ParseSealed(msg)
		m.field("encrypted", "%d bytes", len(c.Encrypted))
	case wire.TypeError:
		var e wire.Error
		e, err = wire.ParseError(msg)
		m.field("code", "%#x", uint32(e.Code))
		m.field("reason", "%q", e.Code)
	case wire.TypeGoClear:
		_, err = wire.ParseGoClear(msg)
		m.note("asks to go on in the clear")
	case wire.TypeSASRelay:
		_, err = wire.ParseSealed(msg)
	case wire.TypePing:
		var p wire.Ping
		p, err = wire.ParsePing(msg)
		m.field("version", "%s", printable(p.Version[:]))
		m.field("endpoint", "%x", p.EndpointHash)
	case wire.TypePingACK:
		var p wire.PingACK
		p, err = wire.ParsePingACK(msg)
		m.field("version", "%s", printable(p.Version[:]))
		m.field("endpoint", "%x", p.EndpointHash)
		m.field("answers", "%x", p.PeerEndpointHash)
	default:
		_, err = wire.ParseACK(msg)
	}
	if err != nil {
		m.Fields = nil
		m.fault("%s", reason(err))
	}
}

func describeHello(m *Message, msg []byte) error {
	h, err := wire.ParseHello(msg)
	if err != nil {
		return err
	}
	m.field("version", "%s", printable(h.Version[:]))
	m.field("client", "%q", printable(h.ClientID[:]))
	m.field("ZID", "%s", h.ZID)
	var flags []string
	for _, f := range []struct {
		set  bool
		name string
	}{{h.SASSigning, "S"}, {h.MiTM, "M"}, {h.Passive, "P"}} {
		if f.set {
			flags = append(flags, f.name)
		}
	}
	if flags != nil {
		m.field("flags", "%s", strings.Join(flags, ","))
	}
	for _, list := range []struct {
		name  string
		algos []wire.Algo
	}{{"agreements", h.KeyAgreements}, {"hashes", h.Hashes}, {"ciphers", h.Ciphers}, {"tags", h.AuthTags}, {"SAS", h.SASTypes}} {
		if len(list.algos) > 0 {
			m.field(list.name, "%s", algoNames(list.algos))
		}
	}
	return nil
}

func describeCommit(m *Message, msg []byte) error {
	c, err := wire.ParseCommit(msg)
	if err != nil {
		return err
	}
	m.field("suite", "%s", suite(&c))
	m.field("ZID", "%s", c.ZID)
	if isDH(c.KeyAgreement) {
		m.field("hvi", "%x…", c.HVI[:8])
	} else {
		m.field("nonce", "%x", c.Nonce)
	}
	if c.KeyAgreement == wire.Preshared {
		m.field("key", "%x", c.KeyID)
	}
	return nil
}

func suite(c *wire.Commit) string {
	return algoNames([]wire.Algo{c.KeyAgreement, c.Hash, c.Cipher, c.AuthTag, c.SAS})
}

func algoNames(algos []wire.Algo) string {
	names := make([]string, len(algos))
	for i, a := range algos {
		names[i] = algoName(a)
	}
	return strings.Join(names, " ")
}

func algoName(a wire.Algo) string { return printable(a[:]) }

func typeName(t wire.Type) string { return printable(t[:]) }

// printable is a name without its padding, with a dot for each byte that is no
// ASCII character.
func printable(b []byte) string {
	b = bytes.TrimRight(b, " \x00")
	text := make([]byte, len(b))
	for i, c := range b {
		if text[i] = c; c > unicode.MaxASCII || !unicode.IsPrint(rune(c)) {
			text[i] = '.'
		}
	}
	return string(text)
}

func known(t wire.Type) bool {
	switch t {
	case wire.TypeHello, wire.TypeHelloACK, wire.TypeCommit, wire.TypeDHPart1, wire.TypeDHPart2,
		wire.TypeConfirm1, wire.TypeConfirm2, wire.TypeConf2ACK, wire.TypeError, wire.TypeErrorACK,
		wire.TypeGoClear, wire.TypeClearACK, wire.TypeSASRelay, wire.TypeRelayACK, wire.TypePing, wire.TypePingACK:
		return true
	}
	return false
}

// reason is an error of wire without the prefix that says where it arose.
func reason(err error) string {
	text := strings.TrimPrefix(err.Error(), "wire: ")
	if errors.Is(err, wire.ErrMalformed) {
		return text
	}
	return fmt.Sprintf("can't be read: %s", text)
}
