package dispatch

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/delivery"
)

var (
	smsA  = Cell{channels.SMS, "00001", "vi"}
	smsB  = Cell{channels.SMS, "00002", "vi"}
	smsEN = Cell{channels.SMS, "00001", "en"}
	pushA = Cell{channels.WebPush, "00001", "vi"}
	appA  = Cell{channels.App, "00001", "vi"}
)

// once checks that exactly the wanted people were cut, each once.
func once(t interface{ Fatalf(string, ...any) }, got map[int64]int, want func(person) bool, people []person) {
	for _, p := range people {
		n := 0
		if want(p) {
			n = 1
		}
		if got[p.id] != n {
			t.Fatalf("recipient %d of %v was cut %d times, want %d", p.id, p.Cell, got[p.id], n)
		}
	}
}

func TestExpandsTheAreasOnce(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(9000, smsA, smsB, pushA, Cell{channels.SMS, "00003", "vi"})
	w.warn("a", "00001", "00002")
	d := w.dispatcher(t)
	d.drain(t.Context())
	once(t, w.cut("a"), func(p person) bool { return p.Commune != "00003" }, w.people)
	if len(w.hints) != len(w.batches) {
		t.Errorf("%d hints for %d batches", len(w.hints), len(w.batches))
	}
	for i, b := range w.batches {
		if len(b.Recipients) > delivery.MaxRecipients || len(b.Recipients) == 0 || !slices.IsSorted(b.Recipients) {
			t.Errorf("batch %d has %d recipients", i, len(b.Recipients))
		}
		if w.hints[i] != (delivery.Hint{Batch: b.ID, Kind: b.Kind, Priority: delivery.P0}) {
			t.Errorf("hint %v for batch %d", w.hints[i], b.ID)
		}
	}
	if w.cutSizes[0] != delivery.MaxRecipients {
		t.Errorf("the first commit cut %d recipients; the first send waits for all of them", w.cutSizes[0])
	}
	if n := len(w.cutSizes); n > 4 {
		t.Errorf("%d commits", n)
	}
	before := len(w.batches)
	d.drain(t.Context())
	if len(w.batches) != before || !w.jobs[0].Cursor.Done {
		t.Error("a finished request was cut again")
	}
}

func TestBatchFields(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(3, smsA, smsEN, Cell{channels.App, "00002", "km"})
	w.warn("a", "00001", "00002")
	rev := w.revisions["a"]
	minor := rev.Infos[0]
	minor.Language, minor.Severity, minor.Expires = "en-US", alert.Minor, start.Add(time.Hour)
	rev.Infos = append(rev.Infos, minor)
	w.dispatcher(t).drain(t.Context())
	base := delivery.Batch{Alert: "a", Revision: 1, Status: channels.Actual, Code: "AB23"}
	vi := base
	vi.Urgent, vi.Resend, vi.Expires = true, true, start.Add(6*time.Hour)
	en := base
	en.Expires = start.Add(time.Hour)
	want := []delivery.Batch{
		with(en, Cell{channels.SMS, "00001", "en"}, 1, "a/00001/sms/en", 1),
		with(vi, Cell{channels.SMS, "00001", "vi"}, 2, "a/00001/sms/vi", 3),
		with(vi, Cell{channels.App, "00002", "km"}, 3, "a/00002/app/vi", 2),
	}
	if diff := cmp.Diff(want, w.batches); diff != "" {
		t.Error(diff)
	}
}

func with(b delivery.Batch, c Cell, id delivery.BatchID, body string, to int64) delivery.Batch {
	b.ID, b.Kind, b.Commune, b.Language, b.Body, b.Recipients = id, c.Kind, c.Commune, c.Language, []byte(body), []int64{to}
	return b
}

func TestNeverResendsABulletin(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(1, smsA)
	w.warn("a", "00001").Cause = Scheduled
	w.dispatcher(t).drain(t.Context())
	if len(w.batches) != 1 || w.batches[0].Resend || !w.batches[0].Urgent {
		t.Errorf("%+v", w.batches)
	}
}

func TestATextThatCannotBeMadeIsCountedAndBlocksNobody(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(3000, smsA, pushA)
	w.warn("a", "00001")
	w.revisions["a"].Note = "unregistered"
	reg := prometheus.NewRegistry()
	o := w.dispatcher(t).o
	o.Metrics = reg
	New(o).drain(t.Context())
	once(t, w.cut("a"), func(person) bool { return true }, w.people)
	failed := 0
	for _, b := range w.batches {
		if b.Kind != channels.SMS {
			continue
		}
		if len(b.Exceptions) != 1 || b.Exceptions[0].Code != RenderCode || b.Exceptions[0].Fault != channels.FaultContent {
			t.Errorf("exceptions: %+v", b.Exceptions)
		}
		for _, m := range b.Marks {
			if m.Outcome() != channels.Failed {
				t.Fatalf("a mark is %s", m.Outcome())
			}
			failed++
		}
	}
	told := 0
	for _, r := range w.refusals {
		if r.Cell != smsA || !errors.Is(r.Err, errFault) {
			t.Errorf("%+v", r)
		}
		told += r.Recipients
	}
	if failed != 1500 || told != 1500 || counter(t, reg, "loa_dispatch_recipients_total", "refused") != 1500 || counter(t, reg, "loa_dispatch_recipients_total", "cut") != 1500 {
		t.Errorf("failed %d, told %d", failed, told)
	}
	for _, h := range w.hints {
		if h.Kind == channels.SMS {
			t.Error("a failed batch was announced")
		}
	}
}

// counter reads a metric, of a result if there is one.
func counter(t *testing.T, reg prometheus.Gatherer, name, result string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			wanted := result == ""
			for _, l := range m.GetLabel() {
				wanted = wanted || l.GetValue() == result
			}
			if f.GetName() == name && wanted {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func TestACommuneWithoutTextCountsAsFailed(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(2, smsA, smsB)
	w.warn("a", "00001").Areas = append(w.jobs[0].Areas, "00002")
	w.dispatcher(t).drain(t.Context())
	if len(w.batches) != 2 || w.batches[0].Marks != nil || w.batches[1].Marks[0].Outcome() != channels.Failed {
		t.Errorf("%+v", w.batches)
	}
}

func TestAnExpiredInfoCountsAsExpired(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(2, smsA, smsB)
	w.warn("a", "00001")
	w.warn("b", "00002")
	rev := w.revisions["a"]
	rev.Infos[0].Expires = start
	rev.Infos = append(rev.Infos, w.revisions["b"].Infos...)
	w.jobs = w.jobs[:1]
	w.jobs[0].Areas = rev.Targets()
	w.dispatcher(t).drain(t.Context())
	if len(w.batches) != 2 || w.batches[0].Marks[0].Outcome() != channels.Expired || w.batches[1].Marks != nil || len(w.hints) != 1 {
		t.Errorf("%+v", w.batches)
	}
}

func TestRefusedRequestsSendNothing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*world, *Request)
		want   error
	}{
		"no target":           {func(_ *world, r *Request) { r.Areas = nil }, ErrNoTarget},
		"empty target":        {func(_ *world, r *Request) { r.Areas, r.People = nil, []int64{} }, ErrNoTarget},
		"two targets":         {func(_ *world, r *Request) { r.People = []int64{1} }, ErrNoTarget},
		"people, no communes": {func(w *world, r *Request) { r.Areas, r.People, w.revisions["a"].Infos[0].Areas = nil, []int64{1}, nil }, ErrNoTarget},
		"system":              {func(w *world, _ *Request) { w.revisions["a"].Status = alert.System }, ErrStatus},
		"draft":               {func(w *world, r *Request) { w.revisions["a"].Status, r.Roster = alert.Draft, true }, ErrStatus},
		"no status":           {func(w *world, r *Request) { w.revisions["a"].Status, r.Roster = "", true }, ErrStatus},
		"test to the public":  {func(w *world, _ *Request) { w.revisions["a"].Status = alert.Test }, ErrRoster},
		"too large a roster": {func(w *world, r *Request) {
			w.revisions["a"].Status, r.Roster = alert.Exercise, true
			for i := range w.people {
				w.people[i].roster = true
			}
		}, ErrRoster},
	} {
		w := newWorld()
		w.populate(501, smsA)
		tc.change(w, w.warn("a", "00001"))
		o := w.dispatcher(t).o
		reg := prometheus.NewRegistry()
		o.Metrics = reg
		New(o).drain(t.Context())
		if len(w.batches) != 0 || !w.jobs[0].Cursor.Done || len(w.refusals) != 1 || !errors.Is(w.refusals[0].Err, tc.want) || counter(t, reg, "loa_dispatch_requests_refused_total", "") != 1 {
			t.Errorf("%s: %d batches, %+v", name, len(w.batches), w.refusals)
		}
	}
}

func TestATestGoesToTheRosterAlone(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(1000, smsA)
	for i := range 7 {
		w.people[i*100].roster = true
	}
	w.warn("a", "00001").Roster = true
	w.revisions["a"].Status = alert.Test
	w.dispatcher(t).drain(t.Context())
	once(t, w.cut("a"), func(p person) bool { return p.roster }, w.people)
	if !w.batches[0].Roster || w.batches[0].Status != channels.Test {
		t.Errorf("%+v", w.batches[0])
	}
}

func TestWhatIsOverIsNotCut(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*world){
		"expired":    func(w *world) { w.now = start.Add(6 * time.Hour) },
		"no expiry":  func(w *world) { w.revisions["a"].Infos[0].Expires = time.Time{} },
		"stopped":    func(w *world) { w.states["a"] = alert.Stopped },
		"superseded": func(w *world) { w.states["a"] = alert.Superseded },
		"submitted":  func(w *world) { w.states["a"] = alert.Submitted },
	} {
		w := newWorld()
		w.populate(10, smsA)
		w.warn("a", "00001")
		change(w)
		w.dispatcher(t).drain(t.Context())
		if len(w.batches) != 0 || !w.jobs[0].Cursor.Done {
			t.Errorf("%s: %d batches", name, len(w.batches))
		}
	}
}

func TestPriorityAndTurns(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(20000, smsA)
	w.warn("low", "00001").Priority = delivery.P3
	w.warn("a", "00001")
	w.warn("b", "00001")
	w.dispatcher(t).drain(t.Context())
	firstSeen := map[alert.ID]int{}
	last := map[alert.ID]int{}
	for i, b := range w.batches {
		if _, seen := firstSeen[b.Alert]; !seen {
			firstSeen[b.Alert] = i
		}
		last[b.Alert] = i
	}
	if firstSeen["low"] < last["a"] || firstSeen["low"] < last["b"] {
		t.Error("a bulletin was cut before an emergency was finished")
	}
	if firstSeen["b"] > 1 {
		t.Errorf("the second emergency waited for %d batches of the first", firstSeen["b"])
	}
	for _, id := range []alert.ID{"low", "a", "b"} {
		once(t, w.cut(id), func(person) bool { return true }, w.people)
	}
}

func TestOverlappingRequestsAreSubtracted(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(5000, smsA, smsB)
	r := *w.warn("a", "00001")
	d := w.dispatcher(t)
	d.drain(t.Context())
	r.Key, r.Areas = "wider", append(r.Areas, "00002")
	w.revisions["a"].Infos[0].Areas[0].Geocodes = append(w.revisions["a"].Infos[0].Areas[0].Geocodes, alert.NamedValue{Name: "VN-NSO-2025", Value: "00002"})
	w.jobs = append(w.jobs, Job{Request: r})
	d.drain(t.Context())
	once(t, w.cut("a"), func(person) bool { return true }, w.people)
}

func TestSnapshotAndPeople(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(4000, smsA, pushA)
	w.warn("a", "00001").Snapshot = 2500
	r := w.warn("b", "00001")
	r.Areas, r.People, r.Snapshot = nil, []int64{3001, 7, 8, 2001, 9999}, 3000
	w.dispatcher(t).drain(t.Context())
	once(t, w.cut("a"), func(p person) bool { return p.id <= 2500 }, w.people)
	once(t, w.cut("b"), func(p person) bool { return p.id == 7 || p.id == 8 || p.id == 2001 }, w.people)
}

// TestCrashesLoseAndRepeatNobody cuts with faults at every operation and new
// dispatchers in between, two of them at once on the same ledger.
func TestCrashesLoseAndRepeatNobody(t *testing.T) {
	t.Parallel()
	cells := []Cell{smsA, smsB, smsEN, pushA, appA, {channels.SMS, "00003", "vi"}}
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld()
		w.populate(rapid.IntRange(0, 9000).Draw(rt, "people"), cells[:rapid.IntRange(1, len(cells)).Draw(rt, "cells")]...)
		snapshot := rapid.Int64Range(0, 9000).Draw(rt, "snapshot")
		w.warn("a", "00001", "00002").Snapshot = snapshot
		left, hits := rapid.IntRange(0, 8).Draw(rt, "faults"), 0
		chance := rapid.IntRange(1, 6)
		w.fault = func(string) error {
			if left > 0 && chance.Draw(rt, "fault") == 1 {
				left, hits = left-1, hits+1
				return errFault
			}
			return nil
		}
		ds := []*Dispatcher{w.dispatcher(t), w.dispatcher(t)}
		for tries := 0; !w.jobs[0].Cursor.Done; tries++ {
			if tries > 100 {
				rt.Fatalf("not finished after %d tries, %d faults", tries, hits)
			}
			i := rapid.IntRange(0, 1).Draw(rt, "node")
			if rapid.Bool().Draw(rt, "crash") {
				ds[i] = w.dispatcher(t)
			}
			if jobs, err := w.Jobs(context.Background(), w.now, 1); err == nil && len(jobs) > 0 {
				ds[i].turn(context.Background(), jobs[0])
			}
		}
		once(rt, w.cut("a"), func(p person) bool { return p.id <= snapshot && p.Commune != "00003" }, w.people)
	})
}

func TestAFaultDelaysOnlyItsOwnRequest(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(10, smsA)
	w.warn("bad", "00001")
	w.warn("good", "00001")
	reg := prometheus.NewRegistry()
	o := w.dispatcher(t).o
	o.Metrics = reg
	d := New(o)
	n := 0
	w.fault = func(op string) error {
		if op == "revision" {
			if n++; n == 1 {
				return errFault
			}
		}
		return nil
	}
	d.drain(t.Context())
	if len(w.cut("bad")) != 0 || len(w.cut("good")) != 10 || counter(t, reg, "loa_dispatch_faults_total", "") != 1 {
		t.Fatalf("bad %d, good %d", len(w.cut("bad")), len(w.cut("good")))
	}
	w.now = w.now.Add(2 * time.Second)
	d.drain(t.Context())
	if len(w.cut("bad")) != 10 {
		t.Error("the request was not tried again")
	}
}

func TestRunWorksWhenWoken(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(10, smsA)
	told := make(chan int, 8)
	o := w.dispatcher(t).o
	o.Announce = func(_ context.Context, hs ...delivery.Hint) { told <- len(hs) }
	d := New(o)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	w.mu.Lock()
	w.warn("a", "00001")
	w.mu.Unlock()
	d.Wake()
	d.Wake()
	if n := <-told; n != 1 {
		t.Errorf("%d hints", n)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
