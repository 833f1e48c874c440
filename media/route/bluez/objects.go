package bluez

import (
	"errors"
	"maps"

	"github.com/godbus/dbus/v5"

	"sotto/media/route"
)

const (
	maxObjects = 1024 // that matter
	maxProps   = 64   // of one interface

	deviceName = "org.bluez.Device1"
)

var (
	errMalformed = errors.New("what it says cannot be understood")
	errTooMany   = errors.New("there is more than can be followed")
)

// interfaces are an object's interfaces with their properties.
type interfaces = map[string]map[string]dbus.Variant

// known says how each interface of interest becomes a fact.
var known = map[string]func(dbus.ObjectPath, values) route.Fact{
	deviceName: func(p dbus.ObjectPath, v values) route.Fact {
		d := route.BluetoothDevice{
			ID: route.ID(p), Address: get[string](v, "Address"), Name: get[string](v, "Alias"), Connected: get[bool](v, "Connected"),
			Class: get[uint32](v, "Class"), Icon: get[string](v, "Icon"), UUIDs: get[[]string](v, "UUIDs"),
		}
		if d.Name == "" {
			d.Name = get[string](v, "Name")
		}
		return d
	},
	"org.bluez.MediaTransport1": func(p dbus.ObjectPath, v values) route.Fact {
		return route.BluetoothTransport{
			ID: route.ID(p), Device: route.ID(get[dbus.ObjectPath](v, "Device")), UUID: get[string](v, "UUID"), State: get[string](v, "State"),
		}
	},
	adapterName: func(p dbus.ObjectPath, v values) route.Fact {
		return route.BluetoothAdapter{ID: route.ID(p), Powered: get[bool](v, "Powered")}
	},
}

// values are the properties of one interface.
type values map[string]dbus.Variant

// types are those of the properties that are looked at.
var types = map[string]func(dbus.Variant) bool{
	"Address": isA[string], "Alias": isA[string], "Name": isA[string], "Icon": isA[string], "UUIDs": isA[[]string], "Class": isA[uint32],
	"Connected": isA[bool], "Paired": isA[bool], "Powered": isA[bool], "Device": isA[dbus.ObjectPath], "UUID": isA[string], "State": isA[string],
}

func isA[T any](v dbus.Variant) bool {
	_, ok := v.Value().(T)
	return ok
}

// wellFormed reports whether what is said has the types of BlueZ's documents.
func (v values) wellFormed() bool {
	for name, value := range v {
		if right, looked := types[name]; looked && !right(value) {
			return false
		}
	}
	return true
}

// get is the value of a property, or zero if it has not been said.
func get[T any](v values, name string) T {
	value, _ := v[name].Value().(T)
	return value
}

// matters reports whether an interface of that name is worth keeping. A scan
// shows everybody's devices, and whoever has a radio can make as many as he
// likes: those that are neither connected nor paired with this machine do not.
func (v values) matters(name string) bool {
	return name != deviceName || get[bool](v, "Connected") || get[bool](v, "Paired")
}

// objects are the objects that matter, with their interfaces of interest.
type objects map[dbus.ObjectPath]map[string]values

// take applies a signal of BlueZ and returns what has changed, and about which
// interface of the signal's object BlueZ has to be asked, if the signal does not
// say all. What has not exactly the types of BlueZ's documents is not understood;
// dbus.Store would convert, and panics on some values.
func (o objects) take(s *dbus.Signal) (facts []route.Fact, ask string, err error) {
	switch s.Name {
	case manager + ".InterfacesAdded":
		path, isPath := at[dbus.ObjectPath](s.Body, 0)
		added, isObject := at[interfaces](s.Body, 1)
		if !isPath || !isObject {
			return nil, "", errMalformed
		}
		facts, err = o.add(path, added)
		return facts, "", err
	case manager + ".InterfacesRemoved":
		path, isPath := at[dbus.ObjectPath](s.Body, 0)
		removed, isList := at[[]string](s.Body, 1)
		if !isPath || !isList {
			return nil, "", errMalformed
		}
		return o.remove(path, removed), "", nil
	case properties + ".PropertiesChanged":
		name, isText := at[string](s.Body, 0)
		changed, isMap := at[map[string]dbus.Variant](s.Body, 1)
		invalid, isList := at[[]string](s.Body, 2)
		if !isText || !isMap || !isList {
			return nil, "", errMalformed
		}
		if _, interesting := known[name]; interesting && !values(changed).wellFormed() {
			return nil, "", errMalformed
		}
		return o.change(s.Path, name, changed, invalid)
	}
	return nil, "", nil
}

// at is the value at a place of a message.
func at[T any](body []any, place int) (value T, ok bool) {
	if place >= len(body) {
		return value, false
	}
	value, ok = body[place].(T)
	return value, ok
}

// managed are the objects in an answer to GetManagedObjects.
func managed(list *dbus.Call) (map[dbus.ObjectPath]interfaces, error) {
	if list.Err != nil {
		return nil, list.Err
	}
	all, ok := at[map[dbus.ObjectPath]interfaces](list.Body, 0)
	if !ok {
		return nil, errMalformed
	}
	return all, nil
}

func (o objects) add(path dbus.ObjectPath, added interfaces) (facts []route.Fact, err error) {
	for name, props := range added {
		fact, interesting := known[name]
		if !interesting {
			continue
		}
		if !values(props).wellFormed() {
			return nil, errMalformed
		}
		if !values(props).matters(name) {
			facts = append(facts, o.remove(path, []string{name})...)
			continue
		}
		if err := o.keep(path, name, props); err != nil {
			return nil, err
		}
		facts = append(facts, fact(path, props))
	}
	return facts, nil
}

// keep remembers an interface of an object.
func (o objects) keep(path dbus.ObjectPath, name string, props values) error {
	if o[path] == nil {
		if len(o) >= maxObjects {
			return errTooMany
		}
		o[path] = map[string]values{}
	}
	o[path][name] = props
	return nil
}

func (o objects) remove(path dbus.ObjectPath, removed []string) (facts []route.Fact) {
	for _, name := range removed {
		if _, there := o[path][name]; there {
			delete(o[path], name)
			facts = append(facts, route.Gone{ID: route.ID(path)})
		}
	}
	if len(o[path]) == 0 {
		delete(o, path)
	}
	return facts
}

// change merges properties in. A device that was not worth keeping may be now.
// Of another object that was never added nothing is known yet: BlueZ adds it when
// it is ready.
func (o objects) change(path dbus.ObjectPath, name string, changed map[string]dbus.Variant, invalid []string) (facts []route.Fact, ask string, err error) {
	props, there := o[path][name]
	if !there {
		if name != deviceName || !values(changed).matters(name) {
			return nil, "", nil
		}
		props, ask = values{}, name
		if err := o.keep(path, name, props); err != nil {
			return nil, "", err
		}
	}
	for _, property := range invalid { // its value is another, and not said
		if _, looked := types[property]; looked {
			ask = name
		}
	}
	for property, value := range changed {
		if _, there := props[property]; there || len(props) < maxProps {
			props[property] = value
		}
	}
	if !props.matters(name) {
		return o.remove(path, []string{name}), "", nil
	}
	return []route.Fact{known[name](path, maps.Clone(props))}, ask, nil
}
