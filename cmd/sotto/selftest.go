package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"sotto/internal/processor"
	"sotto/media/protect"
)

func newSelfTest() *cobra.Command {
	return &cobra.Command{
		Use:   "selftest",
		Short: "Check every primitive on this machine against known answers",
		Long: `selftest computes what others have published or recorded, with the code and the
processor of this machine, and compares. It prints one line for each check and
exits with 2 if one fails.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return selfTest(cmd.OutOrStdout(), append(primitiveChecks(), systemChecks()...))
		},
	}
}

// check is one line of the self-test.
type check struct {
	name string
	run  func() error
}

// selfTest runs all checks, also those behind one that fails.
func selfTest(w io.Writer, checks []check) error {
	fmt.Fprintf(w, "machine  %s\n", machine())
	var broken []string
	for _, c := range checks {
		if err := c.run(); err != nil {
			fmt.Fprintf(w, "FAILED   %s: %s\n", c.name, oneLine(err.Error()))
			broken = append(broken, c.name)
			continue
		}
		fmt.Fprintf(w, "ok       %s\n", c.name)
	}
	if broken != nil {
		return failed(errors.New("self-test failed: " + strings.Join(broken, ", ")))
	}
	return nil
}

// machine names the processor, those of its features that matter here, and which
// of them SRTP uses.
func machine() string {
	return fmt.Sprintf("%s/%s, %d processors: %s; SRTP on %s",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), strings.Join(processor.Features(), ", "), protect.Tier())
}
