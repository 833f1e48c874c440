package main

import (
	"bytes"
	"fmt"
	"math"
)

// Geometry of the plot, in pixels.
const (
	panelWidth  = 400
	panelHeight = 290
	marginLeft  = 64
	marginTop   = 84
	gapX, gapY  = 76, 78
	plotWidth   = marginLeft + 2*panelWidth + gapX + 24
	plotHeight  = marginTop + 2*panelHeight + gapY + 56
)

// curve is one line of a panel.
type curve struct {
	label, colour, dash string
	of                  func(*row) *float64
	tier                string // whose rows it takes
}

// panel is one system of axes.
type panel struct {
	title         string
	profile, mode string
	contexts      int
}

var panels = [...]panel{
	{"AES_CM_128_HMAC_SHA1_80, one packet a call, one context", "AES_CM_128_HMAC_SHA1_80", single, 1},
	{"AES_CM_128_HMAC_SHA1_80, batch of 32, 32 contexts", "AES_CM_128_HMAC_SHA1_80", batch, 32},
	{"AEAD_AES_128_GCM, one packet a call, one context", "AEAD_AES_128_GCM", single, 1},
	{"AEAD_AES_128_GCM, batch of 32, 32 contexts", "AEAD_AES_128_GCM", batch, 32},
}

var tierColours = map[string]string{"go": "#8fb7dd", "aesni": "#4a90c9", "shani": "#1f5fa8", "avx512": "#0b2f66"}

func (r results) curves() []curve {
	var all []curve
	for _, tier := range r.Machine.Tiers {
		all = append(all, curve{"ours, " + tier, tierColours[tier], "", func(k *row) *float64 { return &k.OursNS }, tier})
	}
	best := r.Machine.best()
	return append(all,
		curve{"pion/srtp", "#d9731a", "", func(k *row) *float64 { return k.PionNS }, best},
		curve{"libsrtp (Debian, NSS)", "#8a6d4b", "", func(k *row) *float64 { return k.LibsrtpNS }, best},
		curve{"limit: the cryptography alone", "#222222", "5 4", func(k *row) *float64 { return k.LimitNS }, best})
}

// at is the curve's value for protecting packets of one size; nil: not measured.
func (r results) at(p panel, c curve, size int) *float64 {
	found := r.find(cell{p.profile, size, protectOp, p.contexts}, p.mode, c.tier)
	if found == nil {
		return nil
	}
	return c.of(found)
}

// plot is the SVG: time over size, time on a logarithmic scale.
func (r results) plot() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		plotWidth, plotHeight, plotWidth, plotHeight)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#ffffff"/>`+"\n")
	fmt.Fprintf(&b, `<text x="%d" y="22" font-size="15" font-weight="bold">Protecting one SRTP packet, ns over bytes of payload (%s)</text>`+"\n",
		marginLeft, escape(r.Machine.Processor))
	for i, c := range r.curves() {
		x, y := marginLeft+(i%4)*215, 40+(i/4)*18
		fmt.Fprintf(&b, `<path d="M%d %d h26" stroke="%s" stroke-width="2.5" stroke-dasharray="%s"/><text x="%d" y="%d">%s</text>`+"\n",
			x, y, c.colour, c.dash, x+32, y+4, escape(c.label))
	}
	low, high := r.decades()
	for i, p := range panels {
		fmt.Fprintf(&b, `<g transform="translate(%d %d)">`+"\n", marginLeft+(i%2)*(panelWidth+gapX), marginTop+20+(i/2)*(panelHeight+gapY))
		r.panel(&b, p, scale{low, high})
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// scale has the powers of ten between which all times lie.
type scale struct{ low, high int }

func (s scale) y(ns float64) float64 {
	return panelHeight * (1 - (math.Log10(ns)-float64(s.low))/float64(s.high-s.low))
}

func x(size int) float64 { return panelWidth * float64(size) / 340 }

// decades are the same for all panels, so that they compare.
func (r results) decades() (low, high int) {
	least, most := math.Inf(1), 1.0
	for _, p := range panels {
		for _, c := range r.curves() {
			for _, size := range sizes {
				if ns := r.at(p, c, size); ns != nil && *ns > 0 {
					least, most = min(least, *ns), max(most, *ns)
				}
			}
		}
	}
	if least > most { // nothing was measured
		least = 1
	}
	low = int(math.Floor(math.Log10(least)))
	return low, max(int(math.Ceil(math.Log10(most))), low+1)
}

// panel draws one system of axes and its curves.
func (r results) panel(b *bytes.Buffer, p panel, s scale) {
	fmt.Fprintf(b, `<text x="0" y="-9" font-weight="bold">%s</text>`+"\n", escape(p.title))
	for decade := s.low; decade <= s.high; decade++ {
		for _, step := range []float64{1, 2, 5} {
			ns := step * math.Pow10(decade)
			if decade == s.high && step > 1 {
				break
			}
			fmt.Fprintf(b, `<path d="M0 %.1f h%d" stroke="#e4e4e4"/><text x="-8" y="%.1f" text-anchor="end">%g</text>`+"\n", s.y(ns), panelWidth, s.y(ns)+4, ns)
		}
	}
	for _, size := range sizes {
		fmt.Fprintf(b, `<path d="M%.1f 0 v%d" stroke="#f0f0f0"/><text x="%.1f" y="%d" text-anchor="middle">%d</text>`+"\n", x(size), panelHeight, x(size), panelHeight+17, size)
	}
	fmt.Fprintf(b, `<path d="M0 0 v%d h%d" fill="none" stroke="#444444"/>`+"\n", panelHeight, panelWidth)
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">payload, bytes</text>`+"\n", panelWidth/2, panelHeight+34)
	fmt.Fprintf(b, `<text transform="translate(-44 %d) rotate(-90)" text-anchor="middle">ns a packet</text>`+"\n", panelHeight/2)
	for _, c := range r.curves() {
		var path, dots bytes.Buffer
		for _, size := range sizes {
			ns := r.at(p, c, size)
			if ns == nil {
				continue
			}
			verb := "L"
			if path.Len() == 0 {
				verb = "M"
			}
			fmt.Fprintf(&path, "%s%.1f %.1f ", verb, x(size), s.y(*ns))
			fmt.Fprintf(&dots, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, x(size), s.y(*ns), c.colour)
		}
		if path.Len() > 0 {
			fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s"/>%s`+"\n", path.String(), c.colour, c.dash, dots.String())
		}
	}
}

// escape makes text of what a machine calls itself.
func escape(s string) string {
	var b bytes.Buffer
	for _, r := range s {
		switch r {
		case '<', '>', '&':
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
