// Command fakebluez is a Bluetooth service with one radio and as many headsets
// as wanted, none of them real: PulseAudio and PipeWire connect to them as they
// do to BlueZ's, and what they would send over the air is counted here.
//
// It owns the name org.bluez on the bus that DBUS_SYSTEM_BUS_ADDRESS names,
// which must not be the machine's. It takes one command a line on its standard
// input, and answers each with a line of JSON:
//
//	connect ADDRESS NAME   a headset appears and connects; {"at": when, in ns}
//	disconnect ADDRESS     it goes
//	power                  whether the radio has power
//	server                 whether a sound server is there for headsets
//	air                    what was on air since the last reset
//	reset                  begin to count anew
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/godbus/dbus/v5"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "fakebluez:", err)
		os.Exit(1)
	}
}

func run() error {
	address := os.Getenv("DBUS_SYSTEM_BUS_ADDRESS")
	if address == "" || strings.Contains(address, "/run/dbus/") {
		return fmt.Errorf("%q is no bus of a test", address)
	}
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		return err
	}
	service, err := newService(conn)
	if err != nil {
		return err
	}
	answers := json.NewEncoder(os.Stdout)
	if err := answers.Encode(map[string]bool{"ready": true}); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		answer, err := service.obey(lines.Text())
		if err != nil {
			answer = map[string]string{"error": err.Error()}
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
	return nil
}

// obey carries out one command.
func (s *service) obey(line string) (any, error) {
	command, rest, _ := strings.Cut(line, " ")
	switch command {
	case "connect":
		address, name, _ := strings.Cut(rest, " ")
		at, err := s.connect(address, name)
		return map[string]int64{"at": at.UnixNano()}, err
	case "disconnect":
		return map[string]bool{"ok": true}, s.disconnect(rest)
	case "power":
		on, err := node{s.tree, radio}.Get("org.bluez.Adapter1", "Powered")
		if err != nil {
			return nil, err
		}
		return map[string]any{"on": on.Value()}, nil
	case "server":
		_, err := s.nearEnd()
		return map[string]bool{"there": err == nil}, nil
	case "air":
		return s.air.report(), nil
	case "reset":
		s.air.reset()
		return map[string]bool{"ok": true}, nil
	}
	return nil, fmt.Errorf("no command %q", command)
}
