package ledger

import (
	"fmt"
	"maps"
	"slices"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/delivery"
)

// progress is what changes of a batch, and what judges its changes.
type progress struct {
	batch   delivery.BatchID
	kind    int64
	alert   alert.ID
	expires int64
	resend  bool

	due    int64 // 0: now; never: nothing more will be started
	stored int64 // due as the row has it
	fence  int64
	until  int64 // end of the lease by the judging clock, 0 if there is none
	boot   string
	holder string

	crashes int // claims in a row whose holder was gone before it settled anything

	marks    []byte
	counts   [channels.OutcomeCount]int64
	excepted map[int]delivery.Exception
	changed  map[int]bool // exceptions to write: true stored, false removed
}

const progressColumns = `p.batch, p.kind, p.alert, p.expires, b.flags, COALESCE(p.due_at, 9223372036854775807),
 p.fence, p.until, p.boot, p.holder, p.crashes, p.excepted, p.marks,
 p.c0, p.c1, p.c2, p.c3, p.c4, p.c5, p.c6, p.c7, p.c8`

// load takes a batch for writing. It returns nil if there is no such batch, or
// if pass is set and another transaction holds it.
func load(t tx, id delivery.BatchID, pass bool) (*progress, error) {
	if p := t.leased().get(id); p != nil {
		return p, nil
	}
	suffix := ""
	if d := t.dialect(); d.lock != "" {
		suffix = d.lock + " OF p"
		if pass {
			suffix += d.skip
		}
	}
	p := &progress{excepted: map[int]delivery.Exception{}, changed: map[int]bool{}}
	var flags, excepted int64
	dest := []any{&p.batch, &p.kind, &p.alert, &p.expires, &flags, &p.due, &p.fence, &p.until, &p.boot, &p.holder, &p.crashes, &excepted, &p.marks}
	for i := range p.counts {
		dest = append(dest, &p.counts[i])
	}
	ok, err := one(t, "SELECT "+progressColumns+" FROM progress p JOIN batch b ON b.id = p.batch WHERE p.batch = ?"+suffix, []any{int64(id)}, dest...)
	if err != nil || !ok {
		return nil, err
	}
	p.stored, p.resend = p.due, flags&flagResend != 0
	if excepted > 0 {
		if err := exceptions(t, id, func(x delivery.Exception) { p.excepted[x.Index] = x }); err != nil {
			return nil, err
		}
	}
	t.leased().put(p)
	return p, nil
}

func exceptions(t tx, id delivery.BatchID, take func(delivery.Exception)) error {
	return t.each("SELECT idx, attempt, doubts, due_at, fault, code, provider, asks, provider_ref, at FROM exception WHERE batch = ? ORDER BY idx", []any{int64(id)},
		func(scan func(...any) error) error {
			var x delivery.Exception
			var due, at int64
			if err := scan(&x.Index, &x.Attempt, &x.Doubts, &due, &x.Fault, &x.Code, &x.Provider, &x.Asks, &x.ProviderRef, &at); err != nil {
				return err
			}
			x.Due, x.At = fromNS(due), fromNS(at)
			take(x)
			return nil
		})
}

func (p *progress) mark(i int) delivery.Mark { return delivery.Mark(p.marks[i]) }

func (p *progress) set(i int, m delivery.Mark) {
	if old := p.mark(i).Outcome(); int(old) < len(p.counts) {
		p.counts[old]--
	}
	p.counts[m.Outcome()]++
	p.marks[i] = byte(m)
}

func (p *progress) except(x delivery.Exception) {
	p.excepted[x.Index] = x
	p.changed[x.Index] = true
}

func (p *progress) unexcept(i int) {
	if _, ok := p.excepted[i]; ok {
		delete(p.excepted, i)
		p.changed[i] = false
	}
}

// settle applies one delta as delivery.Settle says and reports whether it did.
func (p *progress) settle(d delivery.Delta, holder bool) bool {
	m, ok := delivery.Settle(p.mark(d.Index), d, holder)
	p.set(d.Index, m)
	if !ok {
		return false
	}
	if !d.Exception {
		p.unexcept(d.Index)
		return true
	}
	doubts := p.excepted[d.Index].Doubts
	if d.Doubt {
		doubts++
	}
	p.except(delivery.Exception{
		Index: d.Index, Attempt: m.Attempt(), Doubts: doubts,
		Due: d.Due, Fault: d.Fault, Code: d.Code, Provider: d.Provider, Asks: d.Asks, ProviderRef: d.ProviderRef, At: d.At,
	})
	return true
}

// start marks all as sending, or none if one of them may not be started.
func (p *progress) start(start, reuse []int) bool {
	next := make(map[int]delivery.Mark, len(start)+len(reuse))
	for n, i := range slices.Concat(start, reuse) {
		if i < 0 || i >= len(p.marks) {
			return false
		}
		m, ok := delivery.Start(p.mark(i), n >= len(start))
		if _, twice := next[i]; !ok || twice {
			return false
		}
		next[i] = m
	}
	for i, m := range next {
		p.set(i, m)
	}
	return true
}

// ready computes due anew: see delivery.Batch.Ready. A recipient who is
// sending makes the batch due as soon as its lease ends.
func (p *progress) ready() {
	p.due = never
	pending := p.counts[channels.Pending]
	for _, x := range p.excepted {
		if x.Waits() {
			p.due = min(p.due, x.Due.UnixNano())
		}
		if p.mark(x.Index).Outcome() == channels.Pending {
			pending--
		}
	}
	if pending > 0 || p.counts[channels.Sending] > 0 {
		p.due = 0
	}
}

// done is delivery.Batch.Done.
func (p *progress) done() bool {
	return p.due == never && p.counts[channels.Pending] == 0
}

// held reports whether the fence is that of the last claim and was not given
// back.
func (p *progress) held(t tx, fence int64) bool {
	return p.fence == fence && p.until != 0 && p.boot == t.boot()
}

func (p *progress) free(t tx, clock int64) bool { return p.until <= clock || p.boot != t.boot() }

// save writes what changed, one row and the changed exceptions.
func (p *progress) save(t tx) error {
	p.ready()
	set := "UPDATE progress SET fence = ?, until = ?, boot = ?, holder = ?, crashes = ?, excepted = ?, marks = ?, c0 = ?, c1 = ?, c2 = ?, c3 = ?, c4 = ?, c5 = ?, c6 = ?, c7 = ?, c8 = ?"
	args := make([]any, 0, 18)
	args = append(args, p.fence, p.until, p.boot, p.holder, int64(p.crashes), int64(len(p.excepted)), p.marks)
	for _, n := range p.counts {
		args = append(args, n)
	}
	if p.due != p.stored {
		// Apart, so that the index of open batches is left alone otherwise.
		set += ", due_at = ?"
		args = append(args, dueColumn(p.due))
	}
	if _, err := t.exec(set+" WHERE batch = ?", append(args, int64(p.batch))...); err != nil {
		return err
	}
	p.stored = p.due
	return p.saveExceptions(t)
}

func (p *progress) saveExceptions(t tx) error {
	if len(p.changed) == 0 {
		return nil
	}
	for _, i := range slices.Sorted(maps.Keys(p.changed)) {
		var err error
		if x := p.excepted[i]; p.changed[i] {
			_, err = t.exec(`INSERT INTO exception (batch, idx, attempt, doubts, due_at, fault, code, provider, asks, provider_ref, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
 ON CONFLICT (batch, idx) DO UPDATE SET attempt = excluded.attempt, doubts = excluded.doubts, due_at = excluded.due_at, fault = excluded.fault,
 code = excluded.code, provider = excluded.provider, asks = excluded.asks, provider_ref = excluded.provider_ref, at = excluded.at`,
				int64(p.batch), int64(i), int64(x.Attempt), int64(x.Doubts), ns(x.Due), int64(x.Fault), x.Code, x.Provider, int64(x.Asks), x.ProviderRef, ns(x.At))
		} else {
			_, err = t.exec("DELETE FROM exception WHERE batch = ? AND idx = ?", int64(p.batch), int64(i))
		}
		if err != nil {
			return err
		}
	}
	clear(p.changed)
	return nil
}

func dueColumn(due int64) any {
	if due == never {
		return nil
	}
	return due
}

// Flags of a batch.
const (
	flagRoster = 1 << iota
	flagResend
	flagUrgent
)

// life is whether an alert may be sent now.
type life struct {
	state   alert.State
	expires int64
	found   bool
}

// alive asks once per alert and transaction and keeps the answer true until
// the transaction ends.
func alive(t tx, seen map[alert.ID]life, id alert.ID, now int64) (bool, error) {
	l, ok := seen[id]
	if !ok {
		var err error
		l.found, err = one(t, "SELECT state, expires FROM alert_case WHERE id = ?"+t.dialect().share, []any{string(id)}, &l.state, &l.expires)
		if err != nil {
			return false, fmt.Errorf("state of the alert: %w", err)
		}
		seen[id] = l
	}
	return l.found && l.state.Live() && l.expires > now, nil
}
