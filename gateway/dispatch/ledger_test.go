package dispatch_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/audit"
	"loa/gateway/coverage"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
	"loa/gateway/ledger"
)

var start = time.Date(2026, 9, 7, 6, 0, 0, 0, time.UTC)

// house is a real ledger on disk with subscribers, which can be killed.
type house struct {
	t      testing.TB
	path   string
	ledger *ledger.Ledger
	mu     sync.Mutex
	now    time.Time
	alerts int
	ids    map[dispatch.Cell][]int64
}

var cells = []dispatch.Cell{
	{Kind: channels.SMS, Commune: "00001", Language: "vi"}, {Kind: channels.SMS, Commune: "00001", Language: "en"},
	{Kind: channels.WebPush, Commune: "00001", Language: "vi"}, {Kind: channels.SMS, Commune: "00002", Language: "vi"},
	{Kind: channels.App, Commune: "00003", Language: "vi"},
}

func newHouse(t testing.TB, people int) *house {
	t.Helper()
	h := &house{t: t, path: filepath.Join(t.TempDir(), "loa.db"), now: start, ids: map[dispatch.Cell][]int64{}}
	h.open()
	t.Cleanup(func() { _ = h.ledger.Close() })
	for first := 0; first < people; first += 1000 {
		h.subscribe(first, min(1000, people-first))
	}
	return h
}

func (h *house) open() {
	h.t.Helper()
	var err error
	if h.ledger, err = ledger.OpenSQLite(context.Background(), h.path, ledger.Options{Now: h.clock}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// subscribe adds n people, spread over the cells.
func (h *house) subscribe(first, n int) {
	h.t.Helper()
	es := make([]audience.Sealed, n)
	for i := range es {
		c := cells[(first+i)%len(cells)]
		es[i] = audience.Sealed{Endpoint: audience.Endpoint{Kind: c.Kind, Commune: c.Commune, Language: c.Language, Basis: audience.Duty}, Cipher: []byte{1}}
		binary.BigEndian.PutUint64(es[i].Lookup[:], uint64(first+i+1))
	}
	ids, err := h.ledger.Audience().Add(h.t.Context(), start, es)
	if err != nil {
		h.t.Fatal(err)
	}
	for i, id := range ids {
		h.ids[cells[(first+i)%len(cells)]] = append(h.ids[cells[(first+i)%len(cells)]], id)
	}
}

// approve stores an approved alert with its request.
func (h *house) approve(fill func(*dispatch.Request)) dispatch.Request {
	h.t.Helper()
	ctx := h.t.Context()
	h.alerts++
	id := alert.ID(fmt.Sprintf("alert-%d", h.alerts))
	in := alert.Info{Language: "vi", Severity: alert.Extreme, Expires: start.Add(20 * time.Hour), Areas: []alert.Area{{}}}
	for _, c := range []string{"00001", "00002", "00003"} {
		in.Areas[0].Geocodes = append(in.Areas[0].Geocodes, alert.NamedValue{Name: area.ValueName, Value: c})
	}
	rev := &alert.Revision{Alert: id, Number: 1, Code: "AB23", Identifier: id.Identifier(1), Status: alert.Actual, Infos: []alert.Info{in}}
	snapshot, err := h.ledger.Audience().Snapshot(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	r := dispatch.Request{Key: "alert/" + string(id), Alert: id, Revision: 1, Cause: dispatch.Approved, Snapshot: snapshot}
	fill(&r)
	c := desk.Case{ID: id, State: alert.Submitted, Submission: desk.Submission{Revision: rev}, Hash: desk.SubmissionHash{1}, CreatedAt: start}
	if err := h.ledger.Desk().Create(ctx, c, audit.Record{At: start, Act: "alert.draft", Object: "alert/" + string(id)}); err != nil {
		h.t.Fatal(err)
	}
	c.State = alert.Approved
	if err := h.ledger.Desk().Apply(ctx, desk.Change{Case: c, From: alert.Submitted, Requests: []dispatch.Request{r}}); err != nil {
		h.t.Fatal(err)
	}
	return r
}

func (h *house) dispatcher(s dispatch.Store) *dispatch.Dispatcher {
	return dispatch.New(dispatch.Options{
		Store: s, Audience: h.ledger.Audience(), Kinds: channels.AllKinds(), Now: h.clock,
		Render:   func(*alert.Revision, area.Code, channels.Kind, string) ([]byte, error) { return []byte("Bão"), nil },
		Announce: func(context.Context, ...delivery.Hint) {},
	})
}

// work runs a dispatcher until the request is done, or at least rests.
func (h *house) work(s dispatch.Store, until func() bool) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	d := h.dispatcher(s)
	go func() { ended <- d.Run(ctx) }()
	deadline := time.Now().Add(30 * time.Second)
	for !until() {
		if time.Now().After(deadline) {
			h.t.Error("the dispatcher does not come to an end")
			break
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil {
		h.t.Error(err)
	}
}

// idle reports whether no request is due.
func (h *house) idle() bool {
	jobs, err := h.ledger.Dispatch().Jobs(context.Background(), h.clock(), 10)
	return err == nil && len(jobs) == 0
}

// wasCut checks that exactly the wanted people were cut, once, each in the cell
// where they were subscribed at the start.
func (h *house) wasCut(id alert.ID, want func(c dispatch.Cell, id int64) bool) error {
	type place struct {
		kind     channels.Kind
		commune  area.Code
		endpoint int64
	}
	times := map[place]int{}
	err := h.ledger.Coverage().Recipients(h.t.Context(), id, 1, func(r coverage.Recipient) error {
		times[place{r.Kind, r.Commune, r.Endpoint}]++
		return nil
	})
	if err != nil {
		return err
	}
	for _, c := range cells {
		for _, e := range h.ids[c] {
			p, wanted := place{c.Kind, c.Commune, e}, 0
			if want(c, e) {
				wanted = 1
			}
			if times[p] != wanted {
				return fmt.Errorf("%v: endpoint %d was cut %d times, want %d", c, e, times[p], wanted)
			}
			delete(times, p)
		}
	}
	if len(times) > 0 {
		return fmt.Errorf("%d were cut who must not be, or elsewhere: %v", len(times), times)
	}
	return nil
}

var errKilled = errors.New("killed")

// killed is a store that dies before or after its nth commit.
type killed struct {
	dispatch.Store
	mu     sync.Mutex
	left   int
	after  bool
	happen int
}

func (k *killed) Cut(ctx context.Context, key string, from, to dispatch.Cursor, due time.Time, bs []delivery.Batch) ([]delivery.BatchID, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.left--
	if k.left > 0 {
		return k.Store.Cut(ctx, key, from, to, due, bs)
	}
	if k.after && k.happen == 0 {
		if _, err := k.Store.Cut(ctx, key, from, to, due, bs); err != nil {
			return nil, err
		}
	}
	k.happen++
	return nil, errKilled
}

func (k *killed) dead() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.happen > 0
}

// TestKilledInTheMiddleOfACut kills the process, as far as the ledger can see,
// around commits of an expansion, reopens the file and goes on.
func TestKilledInTheMiddleOfACut(t *testing.T) {
	t.Parallel()
	h := newHouse(t, 4000)
	kills := 0
	rapid.Check(t, func(rt *rapid.T) {
		r := h.approve(func(r *dispatch.Request) {
			r.Areas = rapid.SampledFrom([][]area.Code{{"00001"}, {"00001", "00002"}, {"00001", "00002", "00003"}}).Draw(rt, "areas")
		})
		for range rapid.IntRange(0, 3).Draw(rt, "kills") {
			k := &killed{Store: h.ledger.Dispatch(), left: rapid.IntRange(1, 3).Draw(rt, "commit"), after: rapid.Bool().Draw(rt, "after")}
			h.work(k, func() bool { return k.dead() || h.idle() })
			if k.dead() {
				kills++
			}
			if rapid.IntRange(0, 3).Draw(rt, "reopen") == 0 {
				if err := h.ledger.Close(); err != nil {
					rt.Fatal(err)
				}
				h.open()
			}
		}
		h.work(h.ledger.Dispatch(), h.idle)
		if err := h.wasCut(r.Alert, func(c dispatch.Cell, _ int64) bool { return slices.Contains(r.Areas, c.Commune) }); err != nil {
			rt.Fatal(err)
		}
	})
	if kills == 0 {
		t.Error("nothing was killed")
	}
}

func TestTwoNodesShareAnExpansion(t *testing.T) {
	t.Parallel()
	h := newHouse(t, 5000)
	r := h.approve(func(r *dispatch.Request) { r.Areas = []area.Code{"00001", "00002", "00003"} })
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { h.work(h.ledger.Dispatch(), h.idle) })
	}
	wg.Wait()
	if err := h.wasCut(r.Alert, func(dispatch.Cell, int64) bool { return true }); err != nil {
		t.Error(err)
	}
}

func TestLaterSubscribersAreNotInTheSnapshot(t *testing.T) {
	t.Parallel()
	h := newHouse(t, 2000)
	imported, err := h.ledger.Audience().Begin(t.Context(), start, "before.csv")
	if err != nil {
		t.Fatal(err)
	}
	early := audience.Sealed{Endpoint: audience.Endpoint{Kind: channels.SMS, Commune: "00001", Language: "vi", Basis: audience.Duty}, Cipher: []byte{1}, Lookup: [16]byte{0xff}}
	if err := h.ledger.Audience().Stage(t.Context(), imported, []audience.Sealed{early}); err != nil {
		t.Fatal(err)
	}
	h.subscribe(2000, 10)
	r := h.approve(func(r *dispatch.Request) { r.Areas = []area.Code{"00001", "00002", "00003"} })
	if _, _, err := h.ledger.Audience().Flip(t.Context(), imported, start); err != nil {
		t.Fatal(err)
	}
	before := map[int64]bool{}
	for _, ids := range h.ids {
		for _, id := range ids {
			before[id] = true
		}
	}
	h.subscribe(2010, 500)
	h.work(h.ledger.Dispatch(), h.idle)
	if err := h.wasCut(r.Alert, func(_ dispatch.Cell, id int64) bool { return before[id] }); err != nil {
		t.Errorf("staged or subscribed after the approval: %v", err)
	}
}

// TestCorrectionSetOnTheLedger sends an alert with every kind of outcome, by
// the ledger's own claims, and corrects it while some calls are in flight.
func TestCorrectionSetOnTheLedger(t *testing.T) {
	t.Parallel()
	h := newHouse(t, 3000)
	r := h.approve(func(r *dispatch.Request) { r.Areas = []area.Code{"00001", "00002"} })
	h.work(h.ledger.Dispatch(), h.idle)
	reached, sending := map[int64]bool{}, map[int64]bool{}
	var inFlight []delivery.Step
	outcomes := []channels.Outcome{channels.Pending, channels.Sending, channels.Accepted, channels.Delivered, channels.Failed, channels.Ambiguous, channels.Cancelled}
	store := h.ledger.Delivery()
	for _, kind := range []channels.Kind{channels.SMS, channels.WebPush} {
		leases, err := store.Claim(t.Context(), delivery.ClaimRequest{Kind: kind, Holder: "test", Max: 100, Now: h.clock()})
		if err != nil || len(leases) == 0 {
			t.Fatalf("claim: %d, %v", len(leases), err)
		}
		for _, l := range leases {
			begin := delivery.Step{Batch: l.ID, Fence: l.Fence}
			settle, late := begin, begin
			for i, id := range l.Recipients {
				o := outcomes[id%int64(len(outcomes))]
				if o != channels.Pending {
					begin.Start = append(begin.Start, i)
				}
				switch o {
				case channels.Pending:
				case channels.Sending:
					sending[id] = true
					late.Settle = append(late.Settle, delivery.Delta{Index: i, Attempt: 1, Outcome: channels.Accepted, At: start})
				default:
					settle.Settle = append(settle.Settle, delivery.Delta{Index: i, Attempt: 1, Outcome: o, At: start})
				}
				reached[id] = o.Reached()
			}
			inFlight = append(inFlight, late)
			if _, err := store.Advance(t.Context(), h.clock(), []delivery.Step{begin, settle}); err != nil {
				t.Fatal(err)
			}
		}
	}
	fix := h.approve(func(c *dispatch.Request) {
		c.Cause, c.Reached = dispatch.Correction, &dispatch.Reached{Alert: r.Alert, Revision: 1}
	})
	h.work(h.ledger.Dispatch(), h.idle)
	if err := h.wasCut(fix.Alert, func(_ dispatch.Cell, id int64) bool { return reached[id] && !sending[id] }); err != nil {
		t.Errorf("while calls are in flight: %v", err)
	}
	if _, err := store.Advance(t.Context(), h.clock(), inFlight); err != nil {
		t.Fatal(err)
	}
	h.pass(time.Second)
	h.work(h.ledger.Dispatch(), h.idle)
	for range 3 {
		if err := h.wasCut(fix.Alert, func(_ dispatch.Cell, id int64) bool { return reached[id] }); err != nil {
			t.Errorf("after the calls: %v", err)
		}
		h.pass(10 * time.Minute)
		h.work(h.ledger.Dispatch(), h.idle)
	}
}
