package desk

import (
	"slices"
	"testing"

	"loa/channels"
	"loa/gateway/alert"
)

// TestACorrectionGoesToEveryChannelOfTheStory corrects an update that went out
// on fewer channels than the alert whose place it took.
func TestACorrectionGoesToEveryChannelOfTheStory(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	first := o.approved(t, storm(alert.Extreme, "22101"))
	in := storm(alert.Extreme, "22101")
	in.Kinds = []channels.Kind{channels.WebPush}
	next, err := o.Update(t.Context(), "binh", first.ID, in)
	if err != nil {
		t.Fatal(err)
	}
	if next, err = o.Submit(t.Context(), "binh", next.ID); err != nil {
		t.Fatal(err)
	}
	if next, err = o.Approve(t.Context(), "chi", next.ID, next.Hash, ""); err != nil {
		t.Fatal(err)
	}
	fix, err := o.Correct(t.Context(), "binh", next.ID, correction())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range first.Submission.Kinds {
		if !slices.Contains(fix.Submission.Kinds, k) {
			t.Errorf("the correction does not go out on %s, the first alert did", k)
		}
	}
	if len(first.Submission.Kinds) < 2 || len(next.Submission.Kinds) != 1 {
		t.Fatalf("channels: first %v, then %v", first.Submission.Kinds, next.Submission.Kinds)
	}
}
