package audience

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"loa/channels"
	"loa/gateway/area"
)

var errFault = errors.New("disk on fire")

// memory is the store in memory. failStage makes the nth Stage fail.
type memory struct {
	mu        sync.Mutex
	live      []Sealed
	staged    map[ImportID][]Sealed
	sizes     []int
	aborted   int
	failStage int
}

var _ Store = (*memory)(nil)

func (m *memory) add(es []Sealed) (ids []int64, known int) {
	for _, e := range es {
		i := slices.IndexFunc(m.live, func(l Sealed) bool { return l.Kind == e.Kind && l.Lookup == e.Lookup })
		if i >= 0 {
			e.ID, known = m.live[i].ID, known+1
			m.live[i] = e
		} else {
			e.ID = int64(len(m.live) + 1)
			m.live = append(m.live, e)
		}
		ids = append(ids, e.ID)
	}
	return ids, known
}

func (m *memory) Page(_ context.Context, q Query, after int64, limit int) (ids []int64, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.live {
		if e.Kind == q.Kind && e.Commune == q.Commune && e.Language == q.Language && e.ID > after && e.ID <= q.Upto && (e.Roster || !q.Roster) && len(ids) < limit {
			ids = append(ids, e.ID)
		}
	}
	return ids, nil
}

func (m *memory) Snapshot(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return int64(len(m.live)), nil
}

func (m *memory) Counts(_ context.Context, communes []area.Code, roster bool) (cs []Count, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.live {
		if !slices.Contains(communes, e.Commune) || (roster && !e.Roster) {
			continue
		}
		i := slices.IndexFunc(cs, func(c Count) bool {
			return c.Kind == e.Kind && c.Commune == e.Commune && c.Language == e.Language
		})
		if i < 0 {
			cs = append(cs, Count{Kind: e.Kind, Commune: e.Commune, Language: e.Language})
			i = len(cs) - 1
		}
		cs[i].Total++
	}
	return cs, nil
}

func (m *memory) Ciphers(_ context.Context, _ channels.Kind, _ area.Code, _ string, ids []int64) ([][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([][]byte, len(ids))
	for i, id := range ids {
		if id > 0 && id <= int64(len(m.live)) {
			out[i] = m.live[id-1].Cipher
		}
	}
	return out, nil
}

func (m *memory) Find(_ context.Context, kind channels.Kind, lookup [16]byte) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.live {
		if e.Kind == kind && e.Lookup == lookup {
			return e.ID, nil
		}
	}
	return 0, nil
}

func (m *memory) Add(_ context.Context, _ time.Time, es []Sealed) ([]int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids, _ := m.add(es)
	return ids, nil
}

func (m *memory) Begin(context.Context, time.Time, string) (ImportID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.staged == nil {
		m.staged = make(map[ImportID][]Sealed)
	}
	id := ImportID(len(m.staged) + 1)
	m.staged[id] = nil
	return id, nil
}

func (m *memory) Stage(_ context.Context, id ImportID, es []Sealed) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sizes = append(m.sizes, len(es))
	if len(m.sizes) == m.failStage {
		return errFault
	}
	m.staged[id] = append(m.staged[id], es...)
	return nil
}

func (m *memory) Flip(_ context.Context, id ImportID, _ time.Time) (added, known int, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids, known := m.add(m.staged[id])
	delete(m.staged, id)
	return len(ids) - known, known, nil
}

func (m *memory) Abort(_ context.Context, id ImportID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.staged, id)
	m.aborted++
	return nil
}

func (m *memory) Retire(context.Context, []int64, time.Time, string) error { return nil }
func (m *memory) Erase(context.Context, []int64) error                     { return nil }
