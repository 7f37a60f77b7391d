package ledger

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/delivery"
	"loa/gateway/desk"
)

// model is a delivery store in a few maps: what the ledger must do whatever
// comes, in whatever order.
type model struct {
	l       *Ledger
	reopen  func(t *rapid.T) // nil: the database cannot lose its clock
	cases   map[alert.ID]desk.Case
	batches map[delivery.BatchID]*modelBatch
	now     time.Time
	clock   *setClock // the ledger's
	first   int64
	clocked bool // the ledger judges leases by now
}

type modelBatch struct {
	delivery.Batch
	fence  int64
	until  time.Time
	holder bool // a lease was given and not given back
	valid  bool // and it has not lapsed
	lost   bool // its clock is gone: the fence is void as well
}

func (b *modelBatch) sending() bool {
	return slices.ContainsFunc(b.Marks, func(m delivery.Mark) bool { return m.Outcome() == channels.Sending })
}

// due is when the batch may be claimed.
func (b *modelBatch) due(now time.Time) bool {
	if b.sending() {
		return true
	}
	at, ok := b.Ready(now)
	return ok && !at.After(now)
}

func (m *model) live(b *modelBatch) bool {
	return m.cases[b.Alert].State == alert.Approved && b.Expires.After(m.now)
}

func (m *model) sorted(keep func(*modelBatch) bool) []*modelBatch {
	var bs []*modelBatch
	for _, b := range m.batches {
		if keep(b) {
			bs = append(bs, b)
		}
	}
	slices.SortFunc(bs, func(a, b *modelBatch) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.ID, b.ID))
	})
	return bs
}

func (b *modelBatch) except(x delivery.Exception, keep bool) {
	b.Exceptions = slices.DeleteFunc(b.Exceptions, func(y delivery.Exception) bool { return y.Index == x.Index })
	if keep {
		b.Exceptions = append(b.Exceptions, x)
		slices.SortFunc(b.Exceptions, func(a, b delivery.Exception) int { return a.Index - b.Index })
	}
}

func (b *modelBatch) row(i int) delivery.Exception {
	for _, x := range b.Exceptions {
		if x.Index == i {
			return x
		}
	}
	return delivery.Exception{}
}

func (m *model) settle(b *modelBatch, d delivery.Delta, holder bool) {
	next, ok := delivery.Settle(b.Marks[d.Index], d, holder)
	b.Marks[d.Index] = next
	if !ok {
		return
	}
	doubts := b.row(d.Index).Doubts + uint8(flag(d.Doubt))
	b.except(delivery.Exception{
		Index: d.Index, Attempt: next.Attempt(), Doubts: doubts, Due: d.Due, Fault: d.Fault, Code: d.Code,
		Provider: d.Provider, Asks: d.Asks, ProviderRef: d.ProviderRef, At: d.At,
	}, d.Exception)
}

func (m *model) drawAlert(t *rapid.T) (alert.ID, bool) {
	if len(m.cases) == 0 {
		return "", false
	}
	return rapid.SampledFrom(slices.Sorted(maps.Keys(m.cases))).Draw(t, "alert"), true
}

func (m *model) drawBatch(t *rapid.T) *modelBatch {
	all := m.sorted(func(*modelBatch) bool { return true })
	if len(all) == 0 {
		t.Skip("no batch yet")
	}
	return rapid.SampledFrom(all).Draw(t, "batch")
}

func (m *model) cut(t *rapid.T) {
	id, ok := m.drawAlert(t)
	if !ok || m.cases[id].State != alert.Approved {
		t.Skip("no live alert")
	}
	b := batch(id, m.first, rapid.IntRange(1, 5).Draw(t, "n"))
	m.first += 100
	b.Priority = rapid.SampledFrom(delivery.Priorities()).Draw(t, "priority")
	b.Resend = rapid.Bool().Draw(t, "resend")
	b.Expires = m.now.Add(time.Duration(rapid.IntRange(1, 300).Draw(t, "life")) * time.Second)
	b.ID = cut(t, m.l, id, b)[0]
	b.Marks = make([]delivery.Mark, len(b.Recipients))
	m.batches[b.ID] = &modelBatch{Batch: b}
}

func (m *model) claim(t *rapid.T) {
	r := delivery.ClaimRequest{Kind: channels.SMS, Holder: "model", Max: rapid.IntRange(1, 3).Draw(t, "max"), Now: m.now, ResendAt: m.now.Add(20 * time.Second)}
	if rapid.Bool().Draw(t, "hinted") {
		r.Batches = []delivery.BatchID{m.drawBatch(t).ID, m.drawBatch(t).ID, 1 << 40}
		r.Batches = slices.Compact(slices.Sorted(slices.Values(r.Batches)))
	}
	var want []delivery.Lease
	candidates := m.sorted(func(b *modelBatch) bool {
		return m.live(b) && !b.valid && b.due(m.now) && (r.Batches == nil || slices.Contains(r.Batches, b.ID))
	})
	if r.Batches == nil {
		// What is left of a candidate may be only doubts: it is not leased,
		// and uses up its place among those looked at.
		candidates = candidates[:min(len(candidates), m.looked(r.Max))]
	}
	for _, b := range candidates {
		if len(want) == r.Max {
			break
		}
		for i, mark := range b.Marks {
			if mark.Outcome() == channels.Sending {
				next, x := delivery.Orphan(i, mark, b.Resend, b.row(i), r)
				b.Marks[i] = next
				b.except(x, true)
			}
		}
		b.fence++
		b.lost = false
		if b.holder, b.valid = b.due(m.now), b.due(m.now); b.valid {
			c := b.Batch
			c.Marks, c.Exceptions = slices.Clone(c.Marks), slices.Clone(c.Exceptions)
			want = append(want, delivery.Lease{Batch: c, Fence: b.fence})
			b.until = m.now.Add(delivery.LeaseFor)
		}
	}
	leases, err := m.l.Delivery().Claim(t.Context(), r)
	must(t, err)
	if diff := gocmp.Diff(want, leases, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(delivery.Lease{}, "Crashes")); diff != "" {
		t.Fatalf("claim (-want +got):\n%s", diff)
	}
}

func (m *model) looked(limit int) int {
	if !m.clocked {
		return 4*limit + 16
	}
	return limit
}

func (m *model) advance(t *rapid.T) {
	b := m.drawBatch(t)
	s := delivery.Step{Batch: b.ID, Fence: b.fence - int64(rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "behind")), Return: rapid.IntRange(0, 4).Draw(t, "return") == 0}
	for i := range b.Marks {
		switch rapid.IntRange(0, 3).Draw(t, "what") {
		case 0:
			s.Settle = append(s.Settle, m.delta(t, b, i))
		case 1:
			if b.Marks[i].Outcome() == channels.Pending || rapid.IntRange(0, 5).Draw(t, "rash") == 0 {
				s.Start = append(s.Start, i)
			}
		case 2:
			if b.Marks[i].Outcome() == channels.Pending {
				s.Reuse = append(s.Reuse, i)
			}
		}
	}
	holder := b.holder && !b.lost && s.Fence == b.fence
	want := delivery.Verdict{Lost: !holder, Dead: m.cases[b.Alert].State != alert.Approved, Expired: !b.Expires.After(m.now)}
	for _, d := range s.Settle {
		m.settle(b, d, holder)
	}
	if holder && m.live(b) && !s.Return {
		want.Started = m.start(b, s)
	}
	if holder {
		b.holder, b.valid, b.until = !s.Return, !s.Return, m.now.Add(delivery.LeaseFor)
	}
	// A pending recipient whose exception does not wait keeps a batch from
	// being done, and nothing ever makes it due.
	want.Done = b.Done()
	v, err := m.l.Delivery().Advance(t.Context(), m.now, []delivery.Step{s})
	must(t, err)
	if diff := gocmp.Diff([]delivery.Verdict{want}, v); diff != "" {
		t.Fatalf("step %+v (-want +got):\n%s", s, diff)
	}
}

func (m *model) start(b *modelBatch, s delivery.Step) int {
	next := slices.Clone(b.Marks)
	for n, i := range slices.Concat(s.Start, s.Reuse) {
		mark, ok := delivery.Start(b.Marks[i], n >= len(s.Start))
		if !ok {
			return 0
		}
		next[i] = mark
	}
	b.Marks = next
	return len(s.Start) + len(s.Reuse)
}

func (m *model) delta(t *rapid.T, b *modelBatch, i int) delivery.Delta {
	attempt := b.Marks[i].Attempt()
	if rapid.IntRange(0, 5).Draw(t, "other attempt") == 0 {
		attempt = uint8(rapid.IntRange(0, 3).Draw(t, "attempt"))
	}
	d := delivery.Delta{
		Index: i, Attempt: attempt, Outcome: rapid.SampledFrom(channels.AllOutcomes()).Draw(t, "outcome"),
		Exception: rapid.Bool().Draw(t, "exception"), Doubt: rapid.Bool().Draw(t, "doubt"), Retire: rapid.IntRange(0, 9).Draw(t, "retire") == 0,
		Fault: rapid.SampledFrom(channels.AllFaults()).Draw(t, "fault"), Code: "30003",
		Provider: "twilio", Asks: uint8(rapid.IntRange(0, 2).Draw(t, "asks")), ProviderRef: fmt.Sprintf("SM%d", i), At: m.now,
	}
	if rapid.Bool().Draw(t, "waits") {
		d.Due = m.now.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "seconds")) * time.Second)
	}
	return d
}

func (m *model) receive(t *rapid.T) {
	var es []delivery.Evidence
	unknown := 0
	for range rapid.IntRange(1, 3).Draw(t, "receipts") {
		b := m.drawBatch(t)
		i := rapid.IntRange(0, len(b.Marks)).Draw(t, "index")
		if i == len(b.Marks) {
			es = append(es, delivery.Evidence{Batch: b.ID, Delta: delivery.Delta{Index: i, Attempt: 1, Outcome: channels.Delivered}})
			unknown++
			continue
		}
		es = append(es, delivery.Evidence{Batch: b.ID, Delta: m.delta(t, b, i)})
	}
	es = append(es, delivery.Evidence{Batch: 1 << 40})
	n, err := m.l.Delivery().Receive(t.Context(), m.now, es)
	must(t, err)
	if n != unknown+1 {
		t.Fatalf("%d unknown, want %d", n, unknown+1)
	}
	for _, e := range es {
		if b := m.batches[e.Batch]; b != nil && e.Index < len(b.Marks) {
			m.settle(b, e.Delta, false)
		}
	}
}

// lapse lets a lease run out, as the judging clock would.
func (m *model) lapse(t *rapid.T) {
	b := m.drawBatch(t)
	if !b.valid {
		t.Skip("not leased")
	}
	must(t, m.l.db.write(t.Context(), acts, func(x tx) error {
		x.leased().drop(b.ID)
		_, err := x.exec("UPDATE progress SET until = 1 WHERE batch = ?", int64(b.ID))
		return err
	}))
	b.valid = false
}

func (m *model) end(t *rapid.T) {
	id, ok := m.drawAlert(t)
	if !ok || m.cases[id].State != alert.Approved {
		t.Skip("no live alert")
	}
	c := m.cases[id]
	stop(t, m.l, c, alert.Stopped)
	c.State = alert.Stopped
	m.cases[id] = c
}

func (m *model) check(t *rapid.T) {
	var want []delivery.Hint
	for _, b := range m.sorted(func(b *modelBatch) bool { return m.live(b) && !b.valid && b.due(m.now) }) {
		want = append(want, delivery.Hint{Batch: b.ID, Kind: b.Kind, Priority: b.Priority})
	}
	var due []delivery.Hint
	for after := (delivery.Hint{}); ; after = due[len(due)-1] {
		page, err := m.l.Delivery().Due(t.Context(), m.now, after, 2)
		must(t, err)
		if due = append(due, page...); len(page) < 2 {
			break
		}
	}
	if diff := gocmp.Diff(want, due); diff != "" {
		t.Fatalf("due (-want +got):\n%s", diff)
	}
	for id := range m.cases {
		m.checkAlert(t, id)
	}
}

func (m *model) checkAlert(t *rapid.T, id alert.ID) {
	var want, counts [channels.OutcomeCount]int
	for _, b := range m.batches {
		if b.Alert != id {
			continue
		}
		for i, mark := range b.Marks {
			o := mark.Outcome()
			switch {
			case o == channels.Pending && !b.Expires.After(m.deadSince(id)):
				o = channels.Expired
			case o == channels.Pending && !m.live(b):
				o = channels.Cancelled
			case o == channels.Sending && !m.live(b) && (!b.valid || b.lost):
				o = channels.Ambiguous
			}
			want[o]++
			at, index, attempt, err := m.l.Delivery().Locate(t.Context(), id, 1, b.Kind, b.Recipients[i])
			if err != nil || at != b.ID || index != i || attempt != mark.Attempt() {
				t.Fatalf("recipient %d of batch %d found at %d of %d, attempt %d: %v", i, b.ID, index, at, attempt, err)
			}
		}
	}
	cells, err := m.l.Coverage().Cells(t.Context(), id, 1)
	must(t, err)
	for _, c := range cells {
		for o, n := range c.Counts {
			counts[o] += n
		}
	}
	if want != counts {
		t.Fatalf("coverage of %s: %v, want %v", id, counts, want)
	}
}

// deadSince is when the alert died, now if it has not.
func (m *model) deadSince(id alert.ID) time.Time {
	if m.cases[id].State == alert.Stopped {
		return noon.Add(time.Minute) // see stop
	}
	return m.now
}

// TestDeliveryAgainstModel plays random stories on the ledger and the model.
func TestDeliveryAgainstModel(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		var story int
		dir := t.TempDir()
		rapid.Check(t, func(t *rapid.T) {
			story++
			path := fmt.Sprintf("%s/%d.db", dir, story)
			clock := clockAt(noon)
			m := &model{now: noon, clock: clock, clocked: true}
			open := func(t *rapid.T) {
				l, err := OpenSQLite(t.Context(), path, Options{Now: clock.now})
				must(t, err)
				m.l = l
			}
			open(t)
			m.reopen = func(t *rapid.T) {
				must(t, m.l.Close())
				open(t)
			}
			m.play(t, "")
			must(t, m.l.Close())
		})
	})
	t.Run("postgresql", func(t *testing.T) {
		t.Parallel()
		clock := clockAt(noon)
		l := openTestPostgres(t, Options{Now: clock.now})
		var story int
		rapid.Check(t, func(t *rapid.T) {
			story++
			m := &model{l: l, now: noon, clock: clock}
			m.play(t, fmt.Sprintf("%d-", story))
		})
	})
}

func (m *model) play(t *rapid.T, prefix string) {
	m.cases, m.batches = map[alert.ID]desk.Case{}, map[delivery.BatchID]*modelBatch{}
	m.first = 1
	m.clock.set(m.now)
	defer func() {
		// Later stories in the same database must not see this one's batches.
		for _, c := range m.cases {
			if c.State == alert.Approved {
				stop(t, m.l, c, alert.Stopped)
			}
		}
	}()
	t.Repeat(map[string]func(*rapid.T){
		"": m.check,
		"approve": func(t *rapid.T) {
			if len(m.cases) == 3 {
				t.Skip("enough alerts")
			}
			id := alert.ID(fmt.Sprintf("%sa%d", prefix, len(m.cases)))
			m.cases[id] = approve(t, m.l, id)
		},
		"cut": m.cut, "cut more": m.cut,
		"claim": m.claim, "claim more": m.claim,
		"advance": m.advance, "advance more": m.advance, "advance again": m.advance,
		"receive": m.receive, "lapse": m.lapse, "end": m.end,
		"wait": func(t *rapid.T) {
			m.now = m.now.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "seconds")) * time.Second)
			m.clock.set(m.now)
			for _, b := range m.batches {
				b.valid = b.valid && (!m.clocked || b.until.After(m.now))
			}
		},
		"reopen": func(t *rapid.T) {
			if m.reopen == nil {
				t.Skip("its clock goes on")
			}
			m.reopen(t)
			for _, b := range m.batches {
				b.valid, b.lost = false, true
			}
		},
	})
}
