package dispatch

import (
	"cmp"
	"context"
	"slices"
	"time"

	"loa/channels"
	"loa/gateway/area"
	"loa/gateway/audience"
)

// Audience is what dispatch asks who must hear; filled by audience.
type Audience interface {
	// Page lists live endpoint ids of a cell, ascending, after the given one.
	Page(ctx context.Context, q audience.Query, after int64, limit int) ([]int64, error)
	// Counts lists the non-empty cells of the communes.
	Counts(ctx context.Context, communes []area.Code, roster bool) ([]audience.Count, error)
}

// source lists who a request is for: its cells, and the ids of one, ascending.
type source interface {
	cells(ctx context.Context) ([]Cell, error)
	ids(ctx context.Context, c Cell, after int64, limit int) ([]int64, error)
}

// compareCells is the order in which cells are cut. The commune comes first,
// so that all channels have work from the start.
func compareCells(a, b Cell) int {
	return cmp.Or(cmp.Compare(a.Commune, b.Commune), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Language, b.Language))
}

// inAreas is everyone in some communes who subscribed before the snapshot;
// with people, only these of them.
type inAreas struct {
	audience Audience
	communes []area.Code
	kinds    []channels.Kind
	snapshot int64
	roster   bool
	people   []int64 // ascending; nil: all
}

// haveMoved is those of inAreas who left their cell after the snapshot, maybe
// before it was cut. They are cut where they were subscribed.
type haveMoved struct {
	inAreas
	store Store
}

func (s *haveMoved) cells(ctx context.Context) ([]Cell, error) {
	cells, err := s.store.MovedCells(ctx, s.communes, s.snapshot)
	return slices.DeleteFunc(cells, func(c Cell) bool { return !slices.Contains(s.kinds, c.Kind) }), err
}

func (s *haveMoved) ids(ctx context.Context, c Cell, after int64, limit int) ([]int64, error) {
	return s.among(ctx, s.store.MovedIDs, c, after, limit)
}

func (s *inAreas) cells(ctx context.Context) ([]Cell, error) {
	if len(s.communes) == 0 {
		return nil, ErrNoTarget
	}
	counts, err := s.audience.Counts(ctx, s.communes, s.roster)
	if err != nil {
		return nil, err
	}
	var cells []Cell
	total := 0
	for _, c := range counts {
		if slices.Contains(s.kinds, c.Kind) {
			cells = append(cells, Cell{Kind: c.Kind, Commune: c.Commune, Language: c.Language})
			total += c.Total
		}
	}
	if s.people != nil {
		total = len(s.people)
	}
	if s.roster && total > MaxRoster {
		return nil, ErrRoster
	}
	return cells, nil
}

func (s *inAreas) ids(ctx context.Context, c Cell, after int64, limit int) ([]int64, error) {
	return s.among(ctx, s.audience.Page, c, after, limit)
}

// among lists those of a cell whom the request names, as next does page by page.
func (s *inAreas) among(ctx context.Context, next func(context.Context, audience.Query, int64, int) ([]int64, error), c Cell, after int64, limit int) ([]int64, error) {
	q := audience.Query{Kind: c.Kind, Commune: c.Commune, Language: c.Language, Upto: s.snapshot, Roster: s.roster}
	if s.people == nil {
		return next(ctx, q, after, limit)
	}
	after = max(after, s.people[0]-1)
	for {
		page, err := next(ctx, q, after, limit)
		if err != nil || len(page) == 0 {
			return nil, err
		}
		if some := intersect(page, s.people); len(some) > 0 {
			return some, nil
		}
		if after = page[len(page)-1]; after >= s.people[len(s.people)-1] {
			return nil, nil
		}
	}
}

// whoReached is everyone who may have got an earlier revision.
type whoReached struct {
	store Store
	whom  Reached
	kinds []channels.Kind // empty: all
}

func (s *whoReached) cells(ctx context.Context) ([]Cell, error) {
	cells, err := s.store.ReachedCells(ctx, s.whom)
	if err != nil || len(s.kinds) == 0 {
		return cells, err
	}
	return slices.DeleteFunc(cells, func(c Cell) bool { return !slices.Contains(s.kinds, c.Kind) }), nil
}

func (s *whoReached) ids(ctx context.Context, c Cell, after int64, limit int) ([]int64, error) {
	return s.store.ReachedIDs(ctx, s.whom, c, after, limit)
}

// A reached request is cut in passes. Pass 0 takes those whose call has
// returned, at once. Passes 1 to settlePasses-1 wait, one second each, until no
// call is in flight, and then take the rest. From pass settlePasses on, calls
// of dead workers count as reached too, and each pass takes those whom a later
// receipt has shown to be reached, less and less often, until the revision
// expires.
const (
	settlePasses = 10
	settleEvery  = time.Second
	lateFirst    = 10 * time.Second
	lateMost     = 10 * time.Minute
)

// afterPass is the pass that follows and how long to wait for it. waited says
// that nothing was taken because calls are in flight.
func afterPass(pass int, waited bool) (next int, wait time.Duration) {
	switch {
	case pass == 0 || (waited && pass < settlePasses):
		return pass + 1, settleEvery
	case pass < settlePasses:
		return settlePasses, lateFirst
	default:
		const doublings = 6 // 10 s << 6 is above lateMost
		return pass + 1, min(lateFirst<<min(pass-settlePasses+1, doublings), lateMost)
	}
}

// subtract removes from ids what is in gone; both ascending. It may reuse ids.
func subtract(ids, gone []int64) []int64 {
	if len(ids) == 0 || len(gone) == 0 {
		return ids
	}
	at, _ := slices.BinarySearch(gone, ids[0])
	out := ids[:0]
	for _, id := range ids {
		for at < len(gone) && gone[at] < id {
			at++
		}
		if at == len(gone) || gone[at] != id {
			out = append(out, id)
		}
	}
	return out
}

// intersect keeps of ids what is in wanted; both ascending. It may reuse ids.
func intersect(ids, wanted []int64) []int64 {
	at, _ := slices.BinarySearch(wanted, ids[0])
	out := ids[:0]
	for _, id := range ids {
		for at < len(wanted) && wanted[at] < id {
			at++
		}
		if at < len(wanted) && wanted[at] == id {
			out = append(out, id)
		}
	}
	return out
}
