package answers

import (
	"fmt"
	"reflect"
	"strings"
)

// At returns the answer at a path of keys, such as "cluster.version", and whether it is answered.
// An explicitly empty list is an answer: there are none.
func (f *File) At(path string) (value any, set bool) {
	v, ok := walk(reflect.ValueOf(f).Elem(), path)
	if !ok {
		return nil, false
	}
	if !isSet(v) {
		return v.Interface(), false
	}
	return v.Interface(), true
}

// Exists reports whether the answers file has such a path at all.
func Exists(path string) bool {
	t := reflect.TypeFor[File]()
	for _, key := range strings.Split(path, ".") {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return false
		}
		field, known := fieldsOf(t)[key]
		if !known {
			return false
		}
		t = field.Type
	}
	return true
}

func walk(v reflect.Value, path string) (reflect.Value, bool) {
	for _, key := range strings.Split(path, ".") {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return reflect.Value{}, false
			}
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct {
			return reflect.Value{}, false
		}
		field, known := fieldsOf(v.Type())[key]
		if !known {
			return reflect.Value{}, false
		}
		v = v.FieldByIndex(field.Index)
	}
	return v, true
}

// isSet reports whether anything in v is answered.
func isSet(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer:
		return !v.IsNil()
	}
	return !v.IsZero()
}

// Section returns the part of the file that has type A, such as Cluster. It is the zero value if
// no part has; the whole file is a part too.
func Section[A any](f *File) A {
	var none A
	if whole, ok := any(*f).(A); ok {
		return whole
	}
	v := reflect.ValueOf(f).Elem()
	for _, field := range reflect.VisibleFields(v.Type()) {
		if field.Type == reflect.TypeFor[A]() && field.IsExported() {
			return v.FieldByIndex(field.Index).Interface().(A)
		}
	}
	return none
}

// Contact returns whom to call about a subsection: key is its key, such as "cluster".
func (f *File) Contact(key string) Contact {
	value, _ := f.At(key + ".contact")
	contact, _ := value.(Contact)
	return contact
}

// NamedContact is a contact that the checklist asks for.
type NamedContact struct {
	// Path is its key: "cluster.contact".
	Path string
	Contact
}

// Contacts returns all contacts that the checklist asks for, answered or not, in its order.
func (f *File) Contacts() []NamedContact {
	var all []NamedContact
	visit(reflect.ValueOf(f).Elem(), "", func(path string, v reflect.Value) {
		if contact, is := v.Interface().(Contact); is && !strings.HasPrefix(path, "custom[") {
			all = append(all, NamedContact{path, contact})
		}
	})
	return all
}

// NamedSecret is a reference to a credential.
type NamedSecret struct {
	// Path is its key: "registry.password".
	Path string
	Secret
}

// Secrets returns all references that are answered, those in lists and headers included.
func (f *File) Secrets() []NamedSecret {
	var all []NamedSecret
	visit(reflect.ValueOf(f).Elem(), "", func(path string, v reflect.Value) {
		if secret, is := v.Interface().(Secret); is && secret.IsSet() {
			all = append(all, NamedSecret{path, secret})
		}
	})
	return all
}

// visit calls do for everything below v that has a key, in the order of the types.
func visit(v reflect.Value, path string, do func(string, reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			visit(v.Elem(), path, do)
		}
	case reflect.Slice:
		for i := range v.Len() {
			at := fmt.Sprintf("%s[%d]", path, i)
			do(at, v.Index(i))
			visit(v.Index(i), at, do)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			at := join(path, key.String())
			do(at, v.MapIndex(key))
			visit(v.MapIndex(key), at, do)
		}
	case reflect.Struct:
		if value, is := v.Interface().(Value); is {
			do(path, reflect.ValueOf(value.Secret))
			return
		}
		for _, field := range reflect.VisibleFields(v.Type()) {
			if key := keyOf(field); key != "" {
				do(join(path, key), v.FieldByIndex(field.Index))
				visit(v.FieldByIndex(field.Index), join(path, key), do)
			}
		}
	}
}
