package render_test

import (
	"testing"

	"loa/gateway/alert"
)

// An alert and what takes its place share the tag of the notification, in a
// chain too; another alert has another.
func TestTagOfAChain(t *testing.T) {
	t.Parallel()
	r := newRenderer(t, nil)
	tag := func(identifier string, references ...alert.Reference) string {
		rev := revision("storm.emergency", stormSlots())
		rev.Identifier, rev.References = identifier, references
		p, err := pushOf(r, rev, haTu, "vi")
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Tag) != 32 {
			t.Errorf("tag %q", p.Tag)
		}
		return p.Tag
	}
	first, second := alert.Reference{Identifier: "one"}, alert.Reference{Identifier: "two"}
	if a := tag("one"); tag("two", first) != a || tag("three", first, second) != a || tag("two") == a {
		t.Error("an update has another tag than its alert, or another alert the same")
	}
}
