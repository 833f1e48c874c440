package main

import (
	"bytes"
	"fmt"
	"math"
)

// Geometry of the plot, in pixels.
const (
	panelWidth  = 400
	panelHeight = 260
	marginLeft  = 64
	marginTop   = 74
	gapX        = 76
	plotWidth   = marginLeft + 2*panelWidth + gapX + 24
	plotHeight  = marginTop + panelHeight + 56
	least       = 1e-5 // the smallest share that is drawn
)

// panel draws one distribution of every run, between two powers of ten of
// microseconds.
type panel struct {
	title     string
	low, high int
	of        func(run) distribution
}

var panels = []panel{
	{"lateness of departure", 0, 5, func(r run) distribution { return r.Lateness }},
	{"the engine's own share of a frame", -1, 4, func(r run) distribution { return r.Own }},
}

var colours = []string{"#8fb7dd", "#4a90c9", "#0b2f66", "#e3a15f", "#d9731a"}

// prioritized are the runs at real-time priority.
func (r results) prioritized() (runs []run) {
	for _, run := range r.Runs {
		if run.RealTime {
			runs = append(runs, run)
		}
	}
	return runs
}

// plot is the SVG: the share of frames that took longer, over the time, both on
// logarithmic scales.
func (r results) plot() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		plotWidth, plotHeight, plotWidth, plotHeight)
	b.WriteString(`<rect width="100%" height="100%" fill="#ffffff"/>` + "\n")
	fmt.Fprintf(&b, `<text x="%d" y="22" font-size="15" font-weight="bold">Share of frames that took longer, over the time</text>`+"\n", marginLeft)
	for i, run := range r.prioritized() {
		x := marginLeft + i*170
		fmt.Fprintf(&b, `<path d="M%d 40 h26" stroke="%s" stroke-width="2.5"/><text x="%d" y="44">%s</text>`+"\n",
			x, colours[i%len(colours)], x+32, run)
	}
	for i, p := range panels {
		fmt.Fprintf(&b, `<g transform="translate(%d %d)">`+"\n", marginLeft+i*(panelWidth+gapX), marginTop)
		p.draw(&b, r)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (p panel) x(us float64) float64 {
	at := (math.Log10(us) - float64(p.low)) / float64(p.high-p.low)
	return panelWidth * min(max(at, 0), 1)
}

func y(share float64) float64 { return panelHeight * math.Log10(share) / math.Log10(least) }

func (p panel) draw(b *bytes.Buffer, r results) {
	fmt.Fprintf(b, `<text x="0" y="-9" font-weight="bold">%s</text>`+"\n", p.title)
	for decade := p.low; decade <= p.high; decade++ {
		us := math.Pow10(decade)
		fmt.Fprintf(b, `<path d="M%.1f 0 v%d" stroke="#e4e4e4"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
			p.x(us), panelHeight, p.x(us), panelHeight+17, unit(us))
	}
	for share := 1.0; share > least/2; share /= 10 {
		fmt.Fprintf(b, `<path d="M0 %.1f h%d" stroke="#e4e4e4"/><text x="-8" y="%.1f" text-anchor="end">%g %%</text>`+"\n", y(share), panelWidth, y(share)+4, share*100)
	}
	fmt.Fprintf(b, `<path d="M0 0 v%d h%d" fill="none" stroke="#444444"/>`+"\n", panelHeight, panelWidth)
	for i, run := range r.prioritized() {
		d := p.of(run)
		verb, path := "M", ""
		for k, us := range d.US {
			// The greatest of n stands for the last n-th of them.
			share := max(1-quantiles[k], 1/float64(d.Count), least)
			path += fmt.Sprintf("%s%.1f %.1f ", verb, p.x(us), y(share))
			verb = "L"
		}
		fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", path, colours[i%len(colours)])
	}
}

// unit is a power of ten of microseconds in words.
func unit(us float64) string {
	switch {
	case us >= 1000:
		return fmt.Sprintf("%g ms", us/1000)
	case us < 1:
		return fmt.Sprintf("%g ns", us*1000)
	}
	return fmt.Sprintf("%g µs", us)
}
