package alert

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func known(id string, alert ID, hour int) Known {
	sent := time.Date(2024, 9, 7, hour, 0, 0, 0, time.UTC)
	return Known{
		Reference: Reference{Sender: "loa", Identifier: id, Sent: sent},
		Alert:     alert, Expires: sent.Add(6 * time.Hour),
	}
}

func TestCheckReferences(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 9, 7, 9, 0, 0, 0, time.UTC)
	first, second, other := known("a.1", "a", 6), known("a.2", "a", 7), known("b.1", "b", 6)
	second.References = []Reference{first.Reference}
	over := known("a.0", "a", 1)
	cancelled := known("a.x", "a", 6)
	cancelled.Cancelled = true
	foreign := known("f.1", "f", 6)
	foreign.Sender = "someone-else"
	looping := known("l.1", "l", 6)
	looping.References = []Reference{{Sender: "loa", Identifier: "now"}}
	moved := first.Reference
	moved.Sent = moved.Sent.Add(time.Second)
	self := Reference{Sender: "loa", Identifier: "now", Sent: now}
	all := []Known{first, second, other, over, cancelled, foreign, looping}

	tests := []struct {
		name string
		msg  MsgType
		refs []Reference
		want []string // rules; "held" for a HeldError
	}{
		{"an alert needs none", MsgAlert, nil, nil},
		{"an update needs some", MsgUpdate, nil, []string{"C21"}},
		{"update of all in force", MsgUpdate, []Reference{first.Reference, second.Reference}, nil},
		{"cancel of all in force", MsgCancel, []Reference{first.Reference, second.Reference}, nil},
		{"expired ancestor named too", MsgUpdate, []Reference{over.Reference, first.Reference, second.Reference}, nil},
		{"cancelled ancestor named too", MsgCancel, []Reference{cancelled.Reference, first.Reference, second.Reference}, nil},
		{"one in force forgotten", MsgUpdate, []Reference{second.Reference}, []string{"C22"}},
		{"only the expired one", MsgUpdate, []Reference{over.Reference}, []string{"C22", "C22", "C22"}},
		{"itself", MsgUpdate, []Reference{self, first.Reference, second.Reference}, []string{"C23"}},
		{"another sender's", MsgUpdate, []Reference{foreign.Reference}, []string{"A30"}},
		{"loop", MsgUpdate, []Reference{looping.Reference}, []string{"A31"}},
		{"another time", MsgUpdate, []Reference{moved}, []string{"C20"}},
		{"unknown", MsgCancel, []Reference{{Sender: "loa", Identifier: "new", Sent: now}}, []string{"held"}},
		{"cancel of two alerts", MsgCancel, []Reference{first.Reference, second.Reference, other.Reference}, []string{"C26"}},
		{"update that joins two alerts", MsgUpdate, []Reference{first.Reference, second.Reference, other.Reference}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &Revision{Sender: "loa", Identifier: "now", Sent: now, MsgType: tt.msg, References: tt.refs}
			err := r.CheckReferences(all, now)
			if diff := cmp.Diff(tt.want, rules(err)); diff != "" {
				t.Errorf("%v (-want +got)\n%s", err, diff)
			}
		})
	}
}

// rules lists the rules named in err, "held" for a HeldError.
func rules(err error) []string {
	if _, held := errors.AsType[*HeldError](err); held {
		return []string{"held"}
	}
	var found []string
	for _, e := range FieldErrors(err) {
		found = append(found, e.Rule)
	}
	return found
}

func TestHeldUntilSeen(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 9, 7, 9, 0, 0, 0, time.UTC)
	first := known("a.1", "a", 6)
	r := &Revision{Sender: "loa", Identifier: "a.2", Sent: now, MsgType: MsgCancel, References: []Reference{first.Reference}}
	var held *HeldError
	if err := r.CheckReferences(nil, now); !errors.As(err, &held) || !slices.Equal(held.Missing, r.References) {
		t.Fatalf("before its alert: %v", err)
	}
	if err := r.CheckReferences([]Known{first}, now); err != nil {
		t.Errorf("after its alert: %v", err)
	}
}

func TestRelatedNamesWhatIsInForce(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 9, 7, 9, 0, 0, 0, time.UTC)
	endless, gone, cancelled := known("a.0", "a", 1), known("a.1", "a", 2), known("a.3", "a", 8)
	endless.Expires = time.Time{}
	cancelled.Cancelled = true
	last := known("a.2", "a", 7)
	got := Related([]Known{last, cancelled, gone, endless, last}, now)
	if diff := cmp.Diff([]Reference{endless.Reference, last.Reference}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := Related([]Known{gone}, now); got != nil {
		t.Errorf("nothing in force, yet %v", got)
	}
}
