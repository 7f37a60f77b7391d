package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
)

// modelStore is the ledger as delivery's contract describes it, in memory.
type modelStore struct {
	mu      sync.Mutex
	commit  time.Duration        // what a transaction takes
	uneven  func() time.Duration // instead, each
	fail    error                // every call fails with it
	batches []*modelBatch
	dead    map[alert.ID]bool
	fence   int64
	retired map[int64]bool

	advances, claims, receives, settled int
}

type modelBatch struct {
	Batch
	fence  int64
	leased bool
	until  time.Time
	holder string

	crashes int
}

func newModelStore() *modelStore {
	return &modelStore{dead: make(map[alert.ID]bool), retired: make(map[int64]bool)}
}

var errModel = errors.New("model: told to fail")

func (s *modelStore) enter() func() {
	if s.uneven != nil {
		time.Sleep(s.uneven())
	}
	if s.commit > 0 {
		time.Sleep(s.commit)
	}
	s.mu.Lock()
	return s.mu.Unlock
}

// cut adds a batch as dispatch would and returns its hint.
func (s *modelStore) cut(b Batch) Hint {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.ID = BatchID(len(s.batches) + 1)
	if b.Marks == nil {
		b.Marks = make([]Mark, len(b.Recipients))
	}
	s.batches = append(s.batches, &modelBatch{Batch: b})
	return Hint{Batch: b.ID, Kind: b.Kind, Priority: b.Priority}
}

func (s *modelStore) live(b *modelBatch, now time.Time) bool { return !s.dead[b.Alert] }

func (b *modelBatch) free(now time.Time) bool { return !b.leased || !now.Before(b.until) }

func (b *modelBatch) due(now time.Time) bool {
	if b.leased {
		return true // its lease ran out: orphans are looked at
	}
	at, ok := b.Ready(now)
	return ok && !at.After(now)
}

func (s *modelStore) Claim(_ context.Context, r ClaimRequest) ([]Lease, error) {
	defer s.enter()()
	s.claims++
	if s.fail != nil {
		return nil, s.fail
	}
	var picked []*modelBatch
	for _, b := range s.batches {
		if b.Kind == r.Kind && s.live(b, r.Now) && b.free(r.Now) && b.due(r.Now) && (r.Batches == nil || slices.Contains(r.Batches, b.ID)) {
			picked = append(picked, b)
		}
	}
	slices.SortStableFunc(picked, func(a, b *modelBatch) int { return int(a.Priority) - int(b.Priority) })
	picked = picked[:min(len(picked), r.Max)]
	var out []Lease
	for _, b := range picked {
		for i, m := range b.Marks {
			if m.Outcome() != channels.Sending {
				continue
			}
			var earlier, x Exception
			if row := b.row(i); row != nil {
				earlier = *row
			}
			b.Marks[i], x = Orphan(i, m, b.Resend, earlier, r)
			b.put(x)
		}
		if b.leased {
			b.crashes++
		}
		b.leased = false
		if !b.due(r.Now) {
			continue
		}
		s.fence++
		b.leased, b.fence, b.until, b.holder = true, s.fence, r.Now.Add(LeaseFor), r.Holder
		l := Lease{Batch: b.Batch, Fence: b.fence, Crashes: b.crashes}
		l.Marks, l.Exceptions = slices.Clone(b.Marks), slices.Clone(b.Exceptions)
		out = append(out, l)
	}
	return out, nil
}

func (b *modelBatch) row(i int) *Exception {
	for k := range b.Exceptions {
		if b.Exceptions[k].Index == i {
			return &b.Exceptions[k]
		}
	}
	return nil
}

func (b *modelBatch) put(x Exception) {
	if old := b.row(x.Index); old != nil {
		*old = x
		return
	}
	b.Exceptions = append(b.Exceptions, x)
}

func (s *modelStore) settle(b *modelBatch, d Delta, holder bool) {
	next, applies := Settle(b.Marks[d.Index], d, holder)
	b.Marks[d.Index] = next
	if !applies {
		return
	}
	s.settled++
	if d.Retire {
		s.retired[b.Recipients[d.Index]] = true
	}
	if !d.Exception {
		b.Exceptions = slices.DeleteFunc(b.Exceptions, func(x Exception) bool { return x.Index == d.Index })
		return
	}
	x := Exception{Index: d.Index, Attempt: d.Attempt, Due: d.Due, Fault: d.Fault, Code: d.Code, Provider: d.Provider, Asks: d.Asks, ProviderRef: d.ProviderRef, At: d.At}
	if old := b.row(d.Index); old != nil {
		x.Doubts = old.Doubts
	}
	if d.Doubt {
		x.Doubts++
	}
	b.put(x)
}

func (s *modelStore) Advance(_ context.Context, now time.Time, steps []Step) ([]Verdict, error) {
	defer s.enter()()
	s.advances++
	if s.fail != nil {
		return nil, s.fail
	}
	out := make([]Verdict, len(steps))
	for i, st := range steps {
		b := s.batches[st.Batch-1]
		holder := b.leased && b.fence == st.Fence
		for _, d := range st.Settle {
			s.settle(b, d, holder)
		}
		v := &out[i]
		v.Lost, v.Dead = !holder, !s.live(b, now)
		if !v.Lost && !v.Dead && s.startable(b, st) {
			for _, k := range st.Start {
				b.Marks[k], _ = Start(b.Marks[k], false)
			}
			for _, k := range st.Reuse {
				b.Marks[k], _ = Start(b.Marks[k], true)
			}
			v.Started = len(st.Start) + len(st.Reuse)
		}
		v.Done = b.Done()
		if holder {
			b.until = now.Add(LeaseFor)
			if st.Return || len(st.Settle) > 0 {
				b.crashes = 0
			}
			if st.Return || v.Done {
				b.leased = false
			}
		}
	}
	return out, nil
}

func (s *modelStore) startable(b *modelBatch, st Step) bool {
	for _, k := range append(slices.Clone(st.Start), st.Reuse...) {
		if _, ok := Start(b.Marks[k], false); !ok {
			return false
		}
	}
	return true
}

func (s *modelStore) Receive(_ context.Context, _ time.Time, es []Evidence) (int, error) {
	defer s.enter()()
	s.receives++
	if s.fail != nil {
		return 0, s.fail
	}
	unknown := 0
	for _, e := range es {
		if e.Batch < 1 || int(e.Batch) > len(s.batches) || e.Index >= len(s.batches[e.Batch-1].Marks) {
			unknown++
			continue
		}
		s.settle(s.batches[e.Batch-1], e.Delta, false)
	}
	return unknown, nil
}

func (s *modelStore) Due(_ context.Context, now time.Time, after Hint, limit int) ([]Hint, error) {
	defer s.enter()()
	if s.fail != nil {
		return nil, s.fail
	}
	var out []Hint
	for _, b := range s.batches {
		later := b.Priority > after.Priority || b.Priority == after.Priority && b.ID > after.Batch
		if later && s.live(b, now) && b.free(now) && b.due(now) {
			out = append(out, Hint{Batch: b.ID, Kind: b.Kind, Priority: b.Priority})
		}
	}
	slices.SortStableFunc(out, func(a, b Hint) int { return int(a.Priority) - int(b.Priority) })
	return out[:min(len(out), limit)], nil
}

func (s *modelStore) Orphans(_ context.Context, now time.Time, kind channels.Kind, _ int) ([]Hint, error) {
	defer s.enter()()
	if s.fail != nil {
		return nil, s.fail
	}
	var out []Hint
	for _, b := range s.batches {
		if b.Kind == kind && s.live(b, now) && b.leased && b.free(now) && b.crashes < OrphanCrashes {
			out = append(out, Hint{Batch: b.ID, Kind: b.Kind, Priority: b.Priority})
		}
	}
	slices.SortStableFunc(out, func(a, b Hint) int { return int(a.Priority) - int(b.Priority) })
	return out, nil
}

func (s *modelStore) Locate(_ context.Context, id alert.ID, revision int, kind channels.Kind, endpoint int64) (BatchID, int, uint8, error) {
	defer s.enter()()
	for _, b := range s.batches {
		if b.Alert == id && b.Revision == revision && b.Kind == kind {
			if i, ok := slices.BinarySearch(b.Recipients, endpoint); ok {
				return b.ID, i, b.Marks[i].Attempt(), nil
			}
		}
	}
	return 0, 0, 0, ErrNotFound
}

func (s *modelStore) Dead(_ context.Context, _ time.Time, ids []alert.ID) ([]alert.ID, error) {
	defer s.enter()()
	return slices.DeleteFunc(slices.Clone(ids), func(id alert.ID) bool { return !s.dead[id] }), s.fail
}

func (s *modelStore) Busiest(_ context.Context, now time.Time, kind channels.Kind) (Priority, error) {
	defer s.enter()()
	busiest := P3
	for _, b := range s.batches {
		if b.Kind == kind && s.live(b, now) && (!b.free(now) || b.due(now)) {
			busiest = min(busiest, b.Priority)
		}
	}
	return busiest, s.fail
}

func (s *modelStore) Outstanding(_ context.Context, kind channels.Kind) (int, error) {
	defer s.enter()()
	n := 0
	for _, b := range s.batches {
		if b.Kind == kind && !s.dead[b.Alert] && !b.Done() {
			n++
		}
	}
	return n, s.fail
}

func (s *modelStore) stop(id alert.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead[id] = true
}

func (s *modelStore) outcomes() map[channels.Outcome]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := make(map[channels.Outcome]int)
	for _, b := range s.batches {
		for _, k := range b.Marks {
			m[k.Outcome()]++
		}
	}
	return m
}

func (s *modelStore) rows() []Exception {
	s.mu.Lock()
	defer s.mu.Unlock()
	var xs []Exception
	for _, b := range s.batches {
		xs = append(xs, b.Exceptions...)
	}
	return xs
}

func (s *modelStore) allDone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.batches {
		if !s.dead[b.Alert] && !b.Done() {
			return false
		}
	}
	return true
}

// modelAddresses gives every endpoint an address made of its id.
type modelAddresses struct {
	mu   sync.Mutex
	gone map[int64]bool
	fail error
}

func addressOf(id int64) channels.Address { return channels.Address(fmt.Sprintf("+84%09d", id)) }

func (a *modelAddresses) Open(_ context.Context, _ channels.Kind, _ area.Code, _ string, ids []int64) ([]channels.Address, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]channels.Address, len(ids))
	for i, id := range ids {
		if !a.gone[id] {
			out[i] = addressOf(id)
		}
	}
	return out, a.fail
}

func (a *modelAddresses) Find(_ context.Context, _ channels.Kind, to channels.Address) (int64, error) {
	var id int64
	if _, err := fmt.Sscanf(to.Reveal(), "+84%d", &id); err != nil {
		return 0, nil // nobody has such an address
	}
	return id, nil
}

// modelHints is the conveyor belt in memory.
type modelHints struct {
	mu      sync.Mutex
	fail    error
	next    int
	queued  [4][]Entry
	popped  map[string]Entry
	epoch   string
	arrived chan struct{}

	pushes int
}

func newModelHints() *modelHints {
	return &modelHints{popped: make(map[string]Entry), epoch: "one", arrived: make(chan struct{})}
}

func (h *modelHints) Push(_ context.Context, hs ...Hint) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fail != nil {
		return h.fail
	}
	for _, x := range hs {
		h.next++
		h.pushes++
		h.queued[x.Priority] = append(h.queued[x.Priority], Entry{Hint: x, Ref: fmt.Sprint(h.next)})
	}
	close(h.arrived)
	h.arrived = make(chan struct{})
	return nil
}

func (h *modelHints) Pop(ctx context.Context, kind channels.Kind, lowest Priority, _ string, limit int, block time.Duration) ([]Entry, error) {
	timeout := time.After(block)
	for {
		h.mu.Lock()
		arrived, fail := h.arrived, h.fail
		var out []Entry
		for p := P0; p <= lowest && len(out) == 0; p++ {
			h.queued[p] = slices.DeleteFunc(h.queued[p], func(en Entry) bool {
				take := en.Kind == kind && len(out) < limit
				if take {
					out = append(out, en)
					h.popped[en.Ref] = en
				}
				return take
			})
		}
		h.mu.Unlock()
		if fail != nil {
			return nil, fail
		}
		if len(out) > 0 || block == 0 {
			return out, nil
		}
		select {
		case <-arrived:
		case <-timeout:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (h *modelHints) Done(_ context.Context, es ...Entry) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, en := range es {
		delete(h.popped, en.Ref)
	}
	return h.fail
}

func (h *modelHints) Waiting(_ context.Context, kind channels.Kind) (n [4]int64, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for p := range h.queued {
		for _, en := range h.queued[p] {
			if en.Kind == kind {
				n[p]++
			}
		}
	}
	for _, en := range h.popped {
		if en.Kind == kind {
			n[en.Priority]++
		}
	}
	return n, h.fail
}

func (h *modelHints) Epoch(context.Context) (string, bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.epoch == "" {
		h.epoch = fmt.Sprint("again", h.next)
		return h.epoch, false, h.fail
	}
	return h.epoch, true, h.fail
}

// forget is what FLUSHALL does.
func (h *modelHints) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.queued, h.popped, h.epoch = [4][]Entry{}, make(map[string]Entry), ""
}

func (h *modelHints) setFail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fail = err
}

func (h *modelHints) left() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.popped)
	for _, q := range h.queued {
		n += len(q)
	}
	return n
}
