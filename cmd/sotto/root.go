package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// newRoot makes the command tree.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "sotto",
		Short: "Calls that nobody between the two phones can listen to",
		Long: `sotto places and takes SIP calls whose voice is encrypted end to end. The two
phones agree the keys themselves with ZRTP (RFC 6189) and show the same short
authentication string (SAS): read it to each other, and you know that nobody
stands between you.

Exit codes: 0 the call ended normally, 1 the command line is wrong, 2 the call
failed, 3 it was not secure, 130 it was interrupted before it was answered.`,
		Example: `  sotto demo
  sotto listen --bind 127.0.0.1:5062 --out heard.wav
  sotto call sip:bob@127.0.0.1:5062 --in question.wav`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.DisableSuggestions = true // they take more than one line
	root.AddCommand(newDemo(), newCall(), newListen(), newRoutes(), newAudit(), newSelfTest(), newZRTP(), newVersion())
	return root
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print what this binary was built from",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), version())
			return err
		},
	}
}

// version is one line: the module's version, and the revision if it is known.
func version() string {
	v, revision := "(devel)", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			v = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " " + s.Value
			}
		}
	}
	return fmt.Sprintf("sotto %s%s %s %s/%s", v, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
