package desk_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/account"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
	"loa/gateway/ledger"
)

var start = time.Date(2026, 9, 7, 6, 0, 0, 0, time.UTC)

// office is a desk with accounts on a real ledger.
type office struct {
	*desk.Desk
	ledger *ledger.Ledger
	people []channels.Secret // the first writes
}

func newOffice(t *testing.T) *office {
	t.Helper()
	clock := func() time.Time { return start }
	l, err := ledger.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "loa.db"), ledger.Options{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	people := &account.Account{Store: l.Account(), Now: clock, Rand: rand.Reader}
	o := &office{ledger: l, Desk: desk.New(desk.Options{
		Store: l.Desk(), Authority: people,
		Expand: func(codes []area.Code) ([]area.Code, error) { return codes, nil },
		HeadCount: func(context.Context, []area.Code, bool) (map[channels.Kind]int, error) {
			return map[channels.Kind]int{channels.SMS: 10}, nil
		},
		Snapshot: func(context.Context) (int64, error) { return 10, nil },
		Kinds:    []channels.Kind{channels.SMS}, Sender: "loa@example", Texts: map[string]alert.TextRule{"": {Acts: alert.TextActs, Means: alert.MeansDanger, Corrects: alert.MeansDanger}}, Now: clock, Rand: rand.Reader,
	})}
	for i := range 11 {
		_, token, err := people.Add(t.Context(), fmt.Sprintf("Người %d", i), desk.Nation)
		if err != nil {
			t.Fatal(err)
		}
		o.people = append(o.people, token)
	}
	return o
}

func text(severity alert.Severity, communes ...string) alert.Info {
	in := alert.Info{
		Language: "vi-VN", Categories: []alert.Category{"Met"}, Event: "Bão", Urgency: "Immediate", Severity: severity, Certainty: "Likely",
		Expires: start.Add(6 * time.Hour), SenderName: "Ban Chỉ huy", Headline: "Bão số 3 đang đổ bộ", Description: "Gió rất mạnh.",
	}
	for _, c := range communes {
		in.Areas = append(in.Areas, alert.Area{Desc: "Xã " + c, Geocodes: []alert.NamedValue{{Name: area.ValueName, Value: c}}})
	}
	return in
}

func (o *office) submitted(t *testing.T) *desk.Case {
	t.Helper()
	c, err := o.Draft(t.Context(), o.people[0], desk.DraftInput{Status: alert.Actual, Infos: []alert.Info{text(alert.Extreme, "22101")}})
	if err != nil {
		t.Fatal(err)
	}
	if c, err = o.Submit(t.Context(), o.people[0], c.ID); err != nil {
		t.Fatal(err)
	}
	return c
}

func (o *office) jobs(t *testing.T) []dispatch.Job {
	t.Helper()
	jobs, err := o.ledger.Dispatch().Jobs(t.Context(), start, 100)
	if err != nil {
		t.Fatal(err)
	}
	return jobs
}

// audited counts the records of an act on the alert.
func (o *office) audited(t *testing.T, id alert.ID, act string) int {
	t.Helper()
	recs, err := o.ledger.Audit(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, r := range recs {
		if r.Object == "alert/"+string(id) && r.Act == act {
			n++
		}
	}
	return n
}

// race runs the acts at once and returns their errors.
func race(acts ...func() error) []error {
	errs := make([]error, len(acts))
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i, act := range acts {
		wg.Go(func() {
			<-begin
			errs[i] = act()
		})
	}
	close(begin)
	wg.Wait()
	return errs
}

func succeeded(errs []error) (n int) {
	for _, err := range errs {
		if err == nil {
			n++
		}
	}
	return n
}

func refused(err error) bool {
	var move *alert.MoveError
	return errors.Is(err, desk.ErrConflict) || errors.As(err, &move)
}

func TestTenApprovalsAtOnceHaveOneEffect(t *testing.T) {
	t.Parallel()
	for _, same := range []bool{true, false} {
		o := newOffice(t)
		c := o.submitted(t)
		var acts []func() error
		for i := range 10 {
			by := o.people[1]
			if !same {
				by = o.people[i+1]
			}
			acts = append(acts, func() error {
				_, err := o.Approve(t.Context(), by, c.ID, c.Hash, "key")
				return err
			})
		}
		errs := race(acts...)
		want := 1
		if same {
			want = 10
		}
		for _, err := range errs {
			if err != nil && !refused(err) {
				t.Error(err)
			}
		}
		stored, err := o.Status(t.Context(), o.people[0], c.ID)
		if err != nil {
			t.Fatal(err)
		}
		if n := succeeded(errs); n != want || len(o.jobs(t)) != 1 || len(stored.Signatures) != 2 || o.audited(t, c.ID, "alert.approve") != 1 {
			t.Errorf("same person %v: %d succeeded, %d requests, %d signatures, %d audited", same, n, len(o.jobs(t)), len(stored.Signatures), o.audited(t, c.ID, "alert.approve"))
		}
	}
}

func TestApproveAgainstReturnAndReject(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for range 10 {
		c := o.submitted(t)
		before := len(o.jobs(t))
		errs := race(
			func() error { _, err := o.Approve(t.Context(), o.people[1], c.ID, c.Hash, ""); return err },
			func() error { _, err := o.Return(t.Context(), o.people[2], c.ID, "Sai giờ"); return err },
			func() error { _, err := o.Reject(t.Context(), o.people[3], c.ID, "Sai"); return err },
		)
		stored, err := o.Status(t.Context(), o.people[0], c.ID)
		if err != nil {
			t.Fatal(err)
		}
		sent := len(o.jobs(t)) - before
		if succeeded(errs) != 1 || (errs[0] == nil) != (sent == 1) || (errs[0] == nil) != (stored.State == alert.Approved) {
			t.Errorf("%v; %d requests; %s", errs, sent, stored.State)
		}
		for _, err := range errs {
			if err != nil && !refused(err) {
				t.Error(err)
			}
		}
	}
}

// TestStopAgainstApprove stops while the approval is on its way: whichever
// comes first, once the stop has succeeded nothing can be started.
func TestStopAgainstApprove(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for range 10 {
		c := o.submitted(t)
		errs := race(
			func() error { _, err := o.Approve(t.Context(), o.people[1], c.ID, c.Hash, ""); return err },
			func() error {
				for deadline := time.Now().Add(20 * time.Second); ; {
					_, err := o.Stop(t.Context(), o.people[2], c.ID, desk.StopInput{Reason: "Chờ xác minh"})
					if !refused(err) || time.Now().After(deadline) {
						return err
					}
				}
			},
		)
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		dead, err := o.ledger.Delivery().Dead(t.Context(), start, []alert.ID{c.ID})
		if err != nil || len(dead) != 1 {
			t.Errorf("after the stop the alert may be sent: %v, %v", dead, err)
		}
		if _, err := o.Approve(t.Context(), o.people[3], c.ID, c.Hash, ""); !refused(err) {
			t.Errorf("approve after stop: %v", err)
		}
	}
}

func TestTwoCorrectionsAtOnceAreOne(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.submitted(t)
	if _, err := o.Approve(t.Context(), o.people[1], c.ID, c.Hash, ""); err != nil {
		t.Fatal(err)
	}
	job := o.jobs(t)[0]
	batch := delivery.Batch{
		Alert: c.ID, Revision: 1, Kind: channels.SMS, Language: "vi", Commune: "22101", Status: channels.Actual, Code: "AB23",
		Expires: start.Add(time.Hour), Body: []byte("Bão"), Recipients: []int64{1, 2},
	}
	if _, err := o.ledger.Dispatch().Cut(t.Context(), job.Key, job.Cursor, dispatch.Cursor{Done: true}, time.Time{}, []delivery.Batch{batch}); err != nil {
		t.Fatal(err)
	}
	var acts []func() error
	for i := range 4 {
		acts = append(acts, func() error {
			in := desk.CorrectInput{Reason: "Phát nhầm", Infos: []alert.Info{text(alert.Minor)}, Key: fmt.Sprint(i)}
			_, err := o.Correct(t.Context(), o.people[i], c.ID, in)
			return err
		})
	}
	errs := race(acts...)
	jobs := o.jobs(t)
	if succeeded(errs) != 1 || len(jobs) != 1 || jobs[0].Reached == nil || jobs[0].Reached.Alert != c.ID {
		t.Errorf("%v; %+v", errs, jobs)
	}
	leases, err := o.ledger.Delivery().Claim(t.Context(), delivery.ClaimRequest{Kind: channels.SMS, Holder: "test", Max: 10, Now: start})
	if err != nil || len(leases) != 0 {
		t.Errorf("a corrected alert can be claimed: %d, %v", len(leases), err)
	}
}
