package main

import (
	"maps"
	"sync"

	"github.com/godbus/dbus/v5"
)

const (
	objectManager = "org.freedesktop.DBus.ObjectManager"
	properties    = "org.freedesktop.DBus.Properties"
)

// interfaces are what an object can do, with its properties.
type interfaces map[string]map[string]dbus.Variant

// tree is what the service shows: objects with properties. It tells of changes
// as BlueZ does.
type tree struct {
	conn *dbus.Conn

	mu      sync.Mutex // guards what follows
	objects map[dbus.ObjectPath]interfaces
}

func newTree(conn *dbus.Conn) (*tree, error) {
	t := &tree{conn: conn, objects: map[dbus.ObjectPath]interfaces{}}
	return t, conn.Export(manager{t}, "/", objectManager)
}

// add shows an object and what it can do.
func (t *tree) add(path dbus.ObjectPath, object interfaces, methods map[string]any) error {
	for name, m := range methods {
		if err := t.conn.Export(m, path, name); err != nil {
			return err
		}
	}
	if err := t.conn.Export(node{t, path}, path, properties); err != nil {
		return err
	}
	t.mu.Lock()
	t.objects[path] = object
	told := object.clone()
	t.mu.Unlock()
	return t.conn.Emit("/", objectManager+".InterfacesAdded", path, told)
}

// remove takes an object away, if it is there.
func (t *tree) remove(path dbus.ObjectPath) error {
	t.mu.Lock()
	object, there := t.objects[path]
	delete(t.objects, path)
	t.mu.Unlock()
	if !there {
		return nil
	}
	var names []string
	for name := range object {
		names = append(names, name)
		if err := t.conn.Export(nil, path, name); err != nil {
			return err
		}
	}
	return t.conn.Emit("/", objectManager+".InterfacesRemoved", path, names)
}

// set changes a property.
func (t *tree) set(path dbus.ObjectPath, name, property string, value any) error {
	v := dbus.MakeVariant(value)
	t.mu.Lock()
	object, there := t.objects[path]
	if there && object[name] != nil {
		object[name][property] = v
	}
	t.mu.Unlock()
	if !there {
		return nil
	}
	return t.conn.Emit(path, properties+".PropertiesChanged", name, map[string]dbus.Variant{property: v}, []string{})
}

func (i interfaces) clone() interfaces {
	c := interfaces{}
	for name, props := range i {
		c[name] = maps.Clone(props)
	}
	return c
}

// manager lists all objects.
type manager struct{ *tree }

// GetManagedObjects is of org.freedesktop.DBus.ObjectManager.
func (m manager) GetManagedObjects() (map[dbus.ObjectPath]interfaces, *dbus.Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[dbus.ObjectPath]interfaces{}
	for path, object := range m.objects {
		all[path] = object.clone()
	}
	return all, nil
}

// node is the properties of one object.
type node struct {
	tree *tree
	path dbus.ObjectPath
}

// GetAll is of org.freedesktop.DBus.Properties.
func (n node) GetAll(name string) (map[string]dbus.Variant, *dbus.Error) {
	n.tree.mu.Lock()
	defer n.tree.mu.Unlock()
	return maps.Clone(n.tree.objects[n.path][name]), nil
}

// Get is of org.freedesktop.DBus.Properties.
func (n node) Get(name, property string) (dbus.Variant, *dbus.Error) {
	all, _ := n.GetAll(name)
	v, ok := all[property]
	if !ok {
		return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.UnknownProperty", []any{property})
	}
	return v, nil
}

// Set is of org.freedesktop.DBus.Properties.
func (n node) Set(name, property string, value dbus.Variant) *dbus.Error {
	if err := n.tree.set(n.path, name, property, value.Value()); err != nil {
		return dbus.MakeFailedError(err)
	}
	return nil
}
