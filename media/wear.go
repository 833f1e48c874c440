package media

import "sync/atomic"

// A key wears thin when it is good for no more than this (RFC 3711 §9.2): more than
// an hour's packets, even of 2.5 ms, and more than an hour's reports.
const (
	thinPackets = 1 << 21
	thinReports = 1 << 10
)

// wearEvery is how many packets a key is used for between two looks at what is left
// of it.
const wearEvery = 1 << 10

// wear says whether a key wears thin. The goroutine that uses the key counts, any may
// read.
type wear struct {
	thin atomic.Bool
	uses uint32 // for packets
}

// key is a Sealer or an Opener.
type key interface {
	Left() (packets uint64, reports uint32)
}

// packet is called when k was used for a packet. What is left of it stands in other
// cache lines than what packets need, and is looked at now and then.
func (w *wear) packet(k key) {
	if w.uses++; w.uses%wearEvery == 1 {
		w.look(k)
	}
}

// look is called when k was used for a report.
func (w *wear) look(k key) {
	packets, reports := k.Left()
	w.thin.Store(packets < thinPackets || reports < thinReports)
}

// KeysWearThin reports whether a key of the call, of either side, is nearly used up:
// in an hour or more nothing can be sealed or opened under it any more. What is
// sealed then fails with [protect.ErrKeyLimit].
func (r *Reports) KeysWearThin() bool {
	for _, k := range []*sealing{r.sealing.Load(), r.cfg.Sender.sealing.Load()} {
		if k != nil && k.wear.thin.Load() {
			return true
		}
	}
	for _, k := range []*opening{r.opening.Load(), r.cfg.Receiver.opening.Load()} {
		if k != nil && k.wear.thin.Load() {
			return true
		}
	}
	return false
}
