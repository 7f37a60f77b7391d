package dispatch

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/delivery"
)

var (
	start    = time.Date(2026, 9, 7, 6, 0, 0, 0, time.UTC)
	errFault = errors.New("disk on fire")
)

// person is one endpoint of the fake audience.
type person struct {
	Cell
	id     int64
	roster bool
}

// world is the ledger and the audience in memory, and the clock.
type world struct {
	mu        sync.Mutex
	now       time.Time
	people    []person
	jobs      []Job
	revisions map[alert.ID]*alert.Revision
	states    map[alert.ID]alert.State
	batches   []delivery.Batch
	outcomes  map[int64]channels.Outcome // of the alert "old", for reached
	cutSizes  []int
	hints     []delivery.Hint
	refusals  []Refusal
	notes     []Refusal
	moves     []person              // where they were, in order
	fault     func(op string) error // called before each operation
}

func newWorld() *world {
	return &world{now: start, revisions: map[alert.ID]*alert.Revision{}, states: map[alert.ID]alert.State{}, outcomes: map[int64]channels.Outcome{}}
}

func (w *world) fails(op string) error {
	if w.fault == nil {
		return nil
	}
	return w.fault(op)
}

func (w *world) dispatcher(t testing.TB) *Dispatcher {
	t.Helper()
	return New(Options{
		Store: w, Audience: crowd{w}, Kinds: []channels.Kind{channels.SMS, channels.WebPush, channels.App},
		Render: func(rev *alert.Revision, commune area.Code, kind channels.Kind, language string) ([]byte, error) {
			if rev.Note == "unregistered" && kind == channels.SMS {
				return nil, errFault
			}
			return []byte(string(rev.Alert) + "/" + string(commune) + "/" + string(kind) + "/" + language), nil
		},
		Announce: func(_ context.Context, hs ...delivery.Hint) { w.hints = append(w.hints, hs...) },
		Refused:  func(r Refusal) { w.refusals = append(w.refusals, r) },
		Now: func() time.Time {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.now
		},
		Log: slog.New(slog.DiscardHandler),
	})
}

// populate adds n endpoints, spread over the cells in turn.
func (w *world) populate(n int, cells ...Cell) {
	for range n {
		id := int64(len(w.people) + 1)
		w.people = append(w.people, person{Cell: cells[int(id)%len(cells)], id: id})
	}
}

// warn stores a live alert over communes and a request to them.
func (w *world) warn(id alert.ID, communes ...area.Code) *Request {
	var codes []alert.NamedValue
	for _, c := range communes {
		codes = append(codes, alert.NamedValue{Name: area.ValueName, Value: string(c)})
	}
	w.states[id] = alert.Approved
	w.revisions[id] = &alert.Revision{Alert: id, Number: 1, Code: "AB23", Status: alert.Actual, Infos: []alert.Info{{
		Language: "vi-VN", Severity: alert.Extreme, Expires: start.Add(6 * time.Hour), Areas: []alert.Area{{Geocodes: codes}},
	}}}
	w.jobs = append(w.jobs, Job{Request: Request{Key: "k/" + string(id), Alert: id, Revision: 1, Cause: Approved, Priority: delivery.P0, Snapshot: 1 << 40, Areas: communes}})
	return &w.jobs[len(w.jobs)-1].Request
}

func (w *world) Jobs(_ context.Context, now time.Time, limit int) ([]Job, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.fails("jobs"); err != nil {
		return nil, err
	}
	var due []Job
	for _, j := range w.jobs {
		if !j.Cursor.Done && !j.Due.After(now) && len(due) < limit {
			due = append(due, j)
		}
	}
	slices.SortStableFunc(due, func(a, b Job) int { return cmp.Compare(a.Priority, b.Priority) })
	return due, nil
}

func (w *world) Revision(_ context.Context, id alert.ID, _ int) (*alert.Revision, alert.State, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.fails("revision"); err != nil {
		return nil, "", err
	}
	return w.revisions[id], w.states[id], nil
}

func (w *world) Already(_ context.Context, r *Request, c Cell, ids []int64) (cut []int64, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.batches {
		if b.Alert == r.Alert && b.Revision == r.Revision && b.Kind == c.Kind {
			cut = append(cut, intersect(slices.Clone(b.Recipients), ids)...)
		}
	}
	slices.Sort(cut)
	return cut, w.fails("already")
}

func (w *world) MovedCells(_ context.Context, communes []area.Code, _ int64) (cells []Cell, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.moves {
		if slices.Contains(communes, m.Commune) {
			cells = append(cells, m.Cell)
		}
	}
	return cells, w.fails("moved")
}

func (w *world) MovedIDs(_ context.Context, q audience.Query, after int64, limit int) (ids []int64, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first := map[int64]bool{}
	for _, m := range w.moves {
		if !first[m.id] && m.Cell == (Cell{q.Kind, q.Commune, q.Language}) && m.id > after {
			ids = append(ids, m.id)
		}
		first[m.id] = true
	}
	slices.Sort(ids)
	return ids[:min(limit, len(ids))], w.fails("moved")
}

func (w *world) Quarantine(_ context.Context, key string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jobs = slices.DeleteFunc(w.jobs, func(j Job) bool { return j.Key == key })
	return w.fails("quarantine")
}

func (w *world) Note(_ context.Context, _ time.Time, rs ...Refusal) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.fails("note"); err != nil {
		return err
	}
	w.notes = append(w.notes, rs...)
	return nil
}

func (w *world) isReached(p person, r Reached) bool {
	o := w.outcomes[p.id]
	return o.Reached() && (!r.Settled || o != channels.Sending)
}

func (w *world) ReachedCells(_ context.Context, r Reached) (cells []Cell, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.people {
		if w.isReached(p, r) && !slices.Contains(cells, p.Cell) {
			cells = append(cells, p.Cell)
		}
	}
	return cells, w.fails("reached")
}

func (w *world) ReachedIDs(_ context.Context, r Reached, c Cell, after int64, limit int) (ids []int64, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.people {
		if p.Cell == c && p.id > after && w.isReached(p, r) && len(ids) < limit {
			ids = append(ids, p.id)
		}
	}
	return ids, w.fails("reached")
}

func (w *world) InFlight(context.Context, Reached) (n int, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.outcomes {
		if o == channels.Sending {
			n++
		}
	}
	return n, nil
}

func (w *world) Cut(_ context.Context, key string, from, to Cursor, due time.Time, bs []delivery.Batch) ([]delivery.BatchID, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.fails("cut"); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(w.jobs, func(j Job) bool { return j.Key == key })
	if w.jobs[i].Cursor != from {
		return nil, ErrCursor
	}
	w.jobs[i].Cursor, w.jobs[i].Due = to, due
	var ids []delivery.BatchID
	n := 0
	for _, b := range bs {
		b.ID = delivery.BatchID(len(w.batches) + 1)
		b.Recipients = slices.Clone(b.Recipients)
		w.batches = append(w.batches, b)
		ids = append(ids, b.ID)
		n += len(b.Recipients)
	}
	if len(bs) > 0 {
		w.cutSizes = append(w.cutSizes, n)
	}
	return ids, w.fails("answer")
}

// crowd is the world's audience.
type crowd struct{ *world }

func (w crowd) Page(_ context.Context, q audience.Query, after int64, limit int) (ids []int64, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.people {
		if p.Cell == (Cell{q.Kind, q.Commune, q.Language}) && p.id > after && p.id <= q.Upto && (p.roster || !q.Roster) && len(ids) < limit {
			ids = append(ids, p.id)
		}
	}
	return ids, w.fails("page")
}

func (w crowd) Counts(_ context.Context, communes []area.Code, roster bool) (cs []audience.Count, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	totals := map[Cell]int{}
	for _, p := range w.people {
		if slices.Contains(communes, p.Commune) && (p.roster || !roster) {
			totals[p.Cell]++
		}
	}
	for c, n := range totals {
		cs = append(cs, audience.Count{Kind: c.Kind, Commune: c.Commune, Language: c.Language, Total: n})
	}
	return cs, w.fails("counts")
}

// cut lists who was cut for the alert, and how often.
func (w *world) cut(id alert.ID) map[int64]int {
	times := map[int64]int{}
	for _, b := range w.batches {
		if b.Alert == id {
			for _, r := range b.Recipients {
				times[r]++
			}
		}
	}
	return times
}
