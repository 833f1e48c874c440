package route_test

import (
	"errors"
	"testing"

	"sotto/media/route"
)

// An application reports changes: one alarm waits however many there are, and
// after it has been read the Report is the last one.
func TestReporter(t *testing.T) {
	good := route.Report{Routes: []route.Route{{Class: route.BuiltinSpeaker}}}
	bad := route.Report{Routes: []route.Route{{Class: route.BluetoothSCO}}}
	r := route.NewReporter(good)
	var watch route.Watch = r
	expect := func(want route.Report) {
		t.Helper()
		if got, err := watch.Report(t.Context()); err != nil || !got.Same(want) {
			t.Error(got, err)
		}
	}
	expect(good)
	for range 100 {
		r.Set(bad)
	}
	if len(watch.Alarms()) != 1 {
		t.Errorf("%d alarms", len(watch.Alarms()))
	}
	<-watch.Alarms()
	expect(bad)
	r.Set(good)
	<-watch.Alarms()
	expect(good)
	if err := errors.Join(watch.Close(), watch.Close()); err != nil {
		t.Error(err)
	}
	if a, open := <-watch.Alarms(); open {
		t.Errorf("%+v after Close", a)
	}
	r.Set(bad)
	if _, err := watch.Report(t.Context()); !errors.Is(err, route.ErrWatch) {
		t.Error(err)
	}
}
