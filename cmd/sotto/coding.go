package main

import (
	"errors"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"sotto/codecs"
)

// registerCoding adds the flags that say how our voice is coded. Their errors
// come while they are parsed, and so name the flag.
func registerCoding(cmd *cobra.Command, o *codecs.Options) {
	number := func(name, usage string, field *int) {
		cmd.Flags().Func(name, usage, func(value string) error {
			n, err := strconv.ParseUint(value, 10, 31)
			if err != nil {
				return errors.New("want a whole number")
			}
			if *field = int(n); n == 0 {
				*field = codecs.Off
			}
			return o.Check()
		})
	}
	number("bitrate", "of Opus, in `bit/s`: a multiple of 800 from 8000 to 128000 (default 32000)", &o.Bitrate)
	number("fec", "`percent` of loss that Opus always prepares for, 0 to 100; 0: no error correction (default 10, then what the other side loses)", &o.ExpectedLoss)
	number("complexity", "processor time for Opus's quality, a `number` from 0 to 10 (default 2)", &o.Complexity)
	cmd.Flags().Func("packet-time", "`length` of packets of voice: 10ms, 20ms, 40ms or 60ms, unless the other side asks for another (default 20ms)", func(value string) (err error) {
		if o.PacketTime, err = time.ParseDuration(value); err != nil {
			return errors.New("want a length of time, such as 20ms")
		}
		if o.PacketTime == 0 {
			return errors.New("want more than 0")
		}
		return o.Check()
	})
}
