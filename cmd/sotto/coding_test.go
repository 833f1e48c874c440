package main

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"sotto/codecs"
)

// What is said about the coding reaches the engine, 0 as well, which is not what
// the engine takes 0 for.
func TestCodingFlags(t *testing.T) {
	for args, want := range map[string]codecs.Options{
		"": {},
		"--bitrate 24000 --packet-time 40ms --fec 20 --complexity 9": {
			Bitrate: 24000, PacketTime: 40 * time.Millisecond, ExpectedLoss: 20, Complexity: 9},
		"--fec 0 --complexity 0": {ExpectedLoss: codecs.Off, Complexity: codecs.Off},
	} {
		opts, cmd := &options{}, &cobra.Command{}
		opts.register(cmd, "127.0.0.1:0")
		if err := cmd.ParseFlags(strings.Fields(args)); err != nil {
			t.Errorf("%q: %v", args, err)
		}
		if got := opts.config().Coding; got != want {
			t.Errorf("%q: %+v, want %+v", args, got, want)
		}
	}
}
