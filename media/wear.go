package media

import "sync/atomic"

// A key wears thin when it is good for no more than this (RFC 3711 §9.2): more than
// an hour's packets, even of 2.5 ms, and more than an hour's reports.
const (
	thinPackets = 1 << 21
	thinReports = 1 << 10
)

// wear says whether a key wears thin. The goroutine that uses the key sets it, any
// may read it.
type wear struct{ thin atomic.Bool }

// set is called when the key was used.
func (w *wear) set(key interface {
	Left() (packets uint64, reports uint32)
}) {
	packets, reports := key.Left()
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
