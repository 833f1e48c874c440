//go:build interop

package routes

import (
	"testing"
	"time"

	"sotto/media/route"
)

// A headset connects in the middle of a call. It is known before it can be used,
// the call stays where it is, and nothing of it is on air.
func TestHeadsetConnects(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		const times = 100
		c := startCall(t)
		var detected figures
		for range times {
			c.forget()
			at := w.air.connect(t)
			alarm := c.until("the headset is reported", func(r route.Report) bool { return r.Unknown != "" || len(r.Bluetooth) > 0 })
			detected = append(detected, alarm.at.Sub(at))
			if r := alarm.Report; r.Unknown == "" && (!accepted(r) || r.Bluetooth[0].Name != headsetName) {
				t.Errorf("%+v", r)
			}
			if _, err := (route.Policy{Strict: true}).Check(alarm.Report); err == nil {
				t.Error("a strict policy goes on")
			}
			w.sink(true)
			w.air.disconnect(t)
			c.known()
		}
		detected.within(t, "from BlueZ's signal to the alarm", 20*time.Millisecond)
		sum := w.air.traffic(t)
		figure(t, "%d packets on air, of them %d not digital silence", sum.Packets, sum.Loud)
		if sum.Loud != 0 {
			t.Errorf("%d packets with sound in %d samples were on air", sum.Loud, sum.Samples)
		}
	})
}
