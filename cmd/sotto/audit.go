package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"sotto/engine/audit"
)

func newAudit() *cobra.Command {
	return &cobra.Command{
		Use:   "audit FILE",
		Short: "Check whether an audit trail was changed",
		Long: `audit checks the trail that call and listen write with --audit: each line holds
the SHA-256 of the line before. It prints how many records there are, how many the
disk did not take or a crash has cut off, how many calls begin and do not end, and
the hash of the last line; keep that elsewhere, because a file alone can't show that
whole calls are missing at its end. It exits with 1 if the chain is broken.`,
		Example: `  sotto audit trail.jsonl`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			file, err := os.Open(args[0])
			if err != nil {
				return failed(err)
			}
			defer func() { err = errors.Join(err, file.Close()) }()
			s, err := audit.Verify(file)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			_, err = io.WriteString(cmd.OutOrStdout(), auditText(s))
			return err
		},
	}
}

// auditText is what has been found of a trail whose chain is unbroken.
func auditText(s audit.Summary) string {
	if s.Records == 0 {
		return "The trail is empty: no call has been recorded, or all that was is gone.\n"
	}
	text := fmt.Sprintf("%d records, unbroken; %d more that the disk did not take and %d lines that a crash cut off, all known. Last line: %s\n",
		s.Records, s.Missing, s.Torn, s.Last)
	if s.Unended > 0 {
		text += fmt.Sprintf("Calls that begin and do not end: %d. Such a call is under way, its program was killed, the disk did not take its end, or lines are missing.\n", s.Unended)
	}
	return text
}
