package answers

import (
	"reflect"
	"strings"
	"testing"

	"aiv.internal/conformance/framework/checklist"
)

// typeAt returns the type of the answer at a path.
func typeAt(path string) reflect.Type {
	t := reflect.TypeFor[File]()
	for _, key := range strings.Split(path, ".") {
		t = fieldsOf(t)[key].Type
	}
	return t
}

func TestCatalogueAsksForWhatCanBeAnswered(t *testing.T) {
	c, err := checklist.Load()
	if err != nil {
		t.Fatal(err)
	}
	attester := reflect.TypeFor[Attester]()
	for _, item := range c.Items() {
		for _, path := range append([]string{item.Answer, item.Written}, item.Needs...) {
			if path != "" && !Exists(path) {
				t.Errorf("%s asks for %s, which the answers file does not have", item.ID, path)
			}
		}
		if item.Kind == checklist.Attest && !typeAt(item.Answer).Implements(attester) {
			t.Errorf("%s is attested, but %s is no attestation", item.ID, item.Answer)
		}
		if item.Contact != "" && !Exists(item.Contact+".contact") {
			t.Errorf("%s: %s has no contact", item.ID, item.Contact)
		}
		if item.Written != "" && !typeAt(item.Written).Implements(attester) {
			t.Errorf("%s: %s is no attestation", item.ID, item.Written)
		}
		if item.Kind == checklist.Option {
			checkChoices(t, item)
		}
	}
	for _, section := range c.Sections {
		for _, subsection := range section.Subsections {
			if !Exists(subsection.Key) {
				t.Errorf("%s: the answers file has no key %s", subsection.ID, subsection.Key)
			}
		}
	}
}

// checkChoices holds an option against the values that its answer can have.
func checkChoices(t *testing.T, item checklist.Item) {
	t.Helper()
	kind := typeAt(item.Answer)
	if kind.Kind() == reflect.Slice {
		kind = kind.Elem()
	}
	enum, is := reflect.Zero(kind).Interface().(interface{ Enum() []string })
	if !is {
		t.Errorf("%s: %s has no choices", item.ID, item.Answer)
		return
	}
	for _, choice := range item.Choices {
		if !strings.Contains(" "+strings.Join(enum.Enum(), " ")+" ", " "+choice+" ") {
			t.Errorf("%s: %s cannot be %s", item.ID, item.Answer, choice)
		}
	}
}

func TestEveryFieldHasAKeyAndARule(t *testing.T) {
	var check func(reflect.Type, string)
	seen := map[reflect.Type]bool{}
	check = func(kind reflect.Type, path string) {
		for kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Slice || kind.Kind() == reflect.Map {
			kind = kind.Elem()
		}
		if _, word := reflect.New(kind).Interface().(scalar); word || kind.Kind() != reflect.Struct || seen[kind] || kind == valueType {
			return
		}
		seen[kind] = true
		for _, field := range reflect.VisibleFields(kind) {
			if keyOf(field) == "" && field.IsExported() && !field.Anonymous {
				t.Errorf("%s.%s has no key", path, field.Name)
			}
			if form := field.Tag.Get("form"); form != "" && forms[form] == nil {
				t.Errorf("%s.%s: unknown form %q", path, field.Name, form)
			}
			if field.IsExported() {
				check(field.Type, path+"."+field.Name)
			}
		}
	}
	check(reflect.TypeFor[File](), "File")
}

func TestEverySectionHasATypeOfItsOwn(t *testing.T) {
	seen := map[reflect.Type]string{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[File]()) {
		if field.Type.Kind() != reflect.Struct || !field.IsExported() {
			continue
		}
		if other := seen[field.Type]; other != "" {
			t.Errorf("%s and %s have the type %s", other, field.Name, field.Type)
		}
		seen[field.Type] = field.Name
	}
}
