package simulation_test

import (
	"context"
	"slices"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
)

// fault is a mistake made on purpose, to see that it is found.
type fault string

const (
	sound          fault = ""
	forgetsMarks   fault = "marks are not stored before the call"
	believes       fault = "a call that failed is recorded as taken"
	resendsDoubts  fault = "what may have been taken is sent again as if it were not"
	ignoresDead    fault = "a stopped alert is sent on"
	ignoresFence   fault = "a lease is given out twice and its fence not looked at"
	forgetsCuts    fault = "a batch is lost when it is cut"
	forgetsReached fault = "a correction leaves people out"
	forgetsRecords fault = "an act has no audit record"
	widens         fault = "an alert goes to another commune too"
)

// delivery puts the mistake between an engine and its ledger.
func (f fault) delivery(w *world, s delivery.Store) delivery.Store {
	switch f {
	case forgetsMarks, believes, resendsDoubts, ignoresDead, ignoresFence:
		return faulty{s, f, w}
	default:
		return s
	}
}

type faulty struct {
	delivery.Store
	f fault
	w *world
}

func (s faulty) Dead(ctx context.Context, now time.Time, ids []alert.ID) ([]alert.ID, error) {
	if s.f == ignoresDead {
		return nil, nil
	}
	return s.Store.Dead(ctx, now, ids)
}

func (s faulty) Claim(ctx context.Context, r delivery.ClaimRequest) ([]delivery.Lease, error) {
	leases, err := s.Store.Claim(ctx, r)
	if s.f != ignoresFence || err != nil {
		return leases, err
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if l, ok := s.w.stale[r.Kind]; ok && len(leases) == 0 {
		delete(s.w.stale, r.Kind)
		return []delivery.Lease{l}, nil
	}
	for _, l := range leases {
		if s.w.stale == nil {
			s.w.stale = map[channels.Kind]delivery.Lease{}
		}
		l.Marks, l.Exceptions = slices.Clone(l.Marks), slices.Clone(l.Exceptions)
		s.w.stale[r.Kind] = l
	}
	return leases, nil
}

func (s faulty) Advance(ctx context.Context, now time.Time, steps []delivery.Step) ([]delivery.Verdict, error) {
	asked := slices.Clone(steps)
	for i := range asked {
		st := &asked[i]
		switch s.f {
		case forgetsMarks:
			st.Start, st.Reuse = nil, nil
		case believes:
			st.Settle = slices.Clone(st.Settle)
			for k := range st.Settle {
				if d := &st.Settle[k]; d.Outcome == channels.Pending && d.Exception {
					d.Outcome, d.Exception = channels.Accepted, false
				}
			}
		case resendsDoubts:
			st.Settle = slices.Clone(st.Settle)
			for k := range st.Settle {
				if d := &st.Settle[k]; d.Outcome == channels.Ambiguous {
					d.Outcome, d.Exception, d.Doubt, d.Fault, d.Due = channels.Pending, true, false, channels.FaultTransient, now.Add(time.Second)
				}
			}
		default:
		}
	}
	vs, err := s.Store.Advance(ctx, now, asked)
	for i := range vs {
		all := len(steps[i].Start) + len(steps[i].Reuse)
		switch {
		case s.f == forgetsMarks && !vs[i].Lost && !vs[i].Dead && !vs[i].Expired,
			s.f == ignoresDead && vs[i].Dead && !vs[i].Expired,
			s.f == ignoresFence && vs[i].Lost:
			vs[i].Lost, vs[i].Dead, vs[i].Started = false, false, all
		}
	}
	return vs, err
}

// dispatch puts the mistake between a dispatcher and its ledger.
func (f fault) dispatch(s dispatch.Store) dispatch.Store {
	switch f {
	case forgetsCuts, forgetsReached, widens:
		return careless{s, f}
	default:
		return s
	}
}

type careless struct {
	dispatch.Store
	f fault
}

func (s careless) Cut(ctx context.Context, key string, from, to dispatch.Cursor, due time.Time, bs []delivery.Batch) ([]delivery.BatchID, error) {
	bs = slices.Clone(bs)
	for i := range bs {
		switch {
		case s.f == widens && bs[i].Commune == "22101":
			bs[i].Commune = "31101"
		default:
		}
	}
	if s.f != forgetsCuts || len(bs) < 2 {
		return s.Store.Cut(ctx, key, from, to, due, bs)
	}
	ids, err := s.Store.Cut(ctx, key, from, to, due, bs[:len(bs)-1])
	if err == nil {
		ids = append(ids, ids[0])
	}
	return ids, err
}

func (s careless) ReachedIDs(ctx context.Context, r dispatch.Reached, c dispatch.Cell, after int64, limit int) ([]int64, error) {
	ids, err := s.Store.ReachedIDs(ctx, r, c, after, limit)
	if s.f == forgetsReached && len(ids) > 1 {
		ids = ids[1:]
	}
	return ids, err
}

// desk puts the mistake between the desk and its ledger.
func (f fault) desk(s desk.Store) desk.Store {
	if f == forgetsRecords {
		return mute{s}
	}
	return s
}

type mute struct{ desk.Store }

func (s mute) Apply(ctx context.Context, c desk.Change) error {
	if c.Case.State == alert.Approved {
		c.Records = nil
	}
	return s.Store.Apply(ctx, c)
}
