package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// cellOf names what a row is about, for all tiers and modes.
func (r row) cellOf() cell { return cell{r.Profile, r.Size, r.Op, r.Contexts} }

// find returns a row, and nil where none was measured.
func (r results) find(c cell, mode, tier string) *row {
	for i := range r.Rows {
		if k := &r.Rows[i]; k.cellOf() == c && k.Mode == mode && k.Tier == tier {
			return k
		}
	}
	return nil
}

// cells are those that were measured, in their order.
func (r results) cells() []cell {
	var all []cell
	for _, k := range r.Rows {
		if c := k.cellOf(); len(all) == 0 || all[len(all)-1] != c {
			all = append(all, c)
		}
	}
	return all
}

// table prints one line a cell: nanoseconds a packet.
func (r results) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	head := []string{"ns a packet", "contexts", "bytes", "op"}
	for _, tier := range r.Machine.Tiers {
		head = append(head, tier, tier+"×32")
	}
	head = append(head, "pion", "libsrtp", "limit", "limit×32", "pion/ours", "pion/ours×32", "")
	line := func(cells []string) { _, _ = fmt.Fprintln(t, strings.Join(cells, "\t")) } // Flush reports
	profile := ""
	for _, c := range r.cells() {
		if c.profile != profile {
			profile = c.profile
			line(head)
		}
		line(r.line(c))
	}
	line(nil)
	if err := t.Flush(); err != nil {
		return err
	}
	for _, o := range r.outcomes() {
		if _, err := fmt.Fprintf(w, "%s: asked %s; is %s to %s, worst %s; reached: %s\n", o.What, o.Asked, o.Worst, o.Best, o.Where, o.Reached); err != nil {
			return err
		}
	}
	return nil
}

// line is that of one cell.
func (r results) line(c cell) []string {
	cells := []string{c.profile, fmt.Sprint(c.contexts), fmt.Sprint(c.size), c.op}
	var one, many row // of the best tier
	for _, tier := range r.Machine.Tiers {
		for _, mode := range []string{single, batch} {
			found := r.find(c, mode, tier)
			if found == nil {
				cells = append(cells, "–")
				continue
			}
			cells = append(cells, figure("%.0f", &found.OursNS))
			if mode == single {
				one = *found
			} else {
				many = *found
			}
		}
	}
	return append(cells, figure("%.0f", one.PionNS), figure("%.0f", one.LibsrtpNS), figure("%.0f", one.LimitNS),
		figure("%.0f", many.LimitNS), figure("%.2f", one.RatioPion), figure("%.2f", many.RatioPion), "")
}

// figure is a dash for what was not measured.
func figure(format string, f *float64) string {
	if f == nil {
		return "–"
	}
	return fmt.Sprintf(format, *f)
}
