package api

import (
	"context"
	"fmt"
	"slices"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
)

// brushed lists what the shapes of a revision touch and do not take, for
// whoever signs it. Without boundaries nobody can say.
func (s *server) brushed(rev *alert.Revision) []Brushed {
	if s.Shapes == nil {
		return nil
	}
	var all []Brushed
	for i := range rev.Infos {
		for j := range rev.Infos[i].Areas {
			in := areaOf(&rev.Infos[i].Areas[j])
			if len(in.Polygons)+len(in.Circles) == 0 {
				continue
			}
			communes := slices.Clone(in.Codes)
			b, err := s.shapes(fmt.Sprintf("infos[%d].areas[%d]", i, j), &in, &alert.Area{}, &communes)
			if err == nil && b != nil {
				all = append(all, *b)
			}
		}
	}
	return all
}

// otherReaders counts whom a submission addresses in a language that is not
// theirs.
func (s *server) otherReaders(ctx context.Context, c *desk.Case) (map[string]int, error) {
	sub := &c.Submission
	if s.Audience == nil || c.Hash == (desk.SubmissionHash{}) || sub.Cause == dispatch.Correction || sub.Cause == dispatch.Stopped {
		return nil, nil
	}
	cells, err := s.Audience.Counts(ctx, sub.Communes, sub.Revision.Status != alert.Actual)
	if err != nil {
		return nil, err
	}
	spoken := map[area.Code][]string{}
	for _, code := range sub.Communes {
		for i := range sub.Revision.Infos {
			if in := &sub.Revision.Infos[i]; in.Covers(code) {
				spoken[code] = append(spoken[code], in.Lang())
			}
		}
	}
	var others map[string]int
	for _, cell := range cells {
		if cell.Total == 0 || !slices.Contains(sub.Kinds, cell.Kind) || slices.Contains(spoken[cell.Commune], cell.Language) {
			continue
		}
		if others == nil {
			others = map[string]int{}
		}
		others[cell.Language] += cell.Total
	}
	return others, nil
}

// reached counts who may have got what a correction is about: at least so many,
// the most on each channel of all that it takes the place of. It goes to
// everybody who may have got any of them, each once; who that is, the dispatch
// finds out.
func (s *server) reached(ctx context.Context, a *act, c *desk.Case) (map[channels.Kind]int, error) {
	most := map[channels.Kind]int{}
	seen := map[alert.ID]bool{}
	for r := c.Submission.Replaces; r != nil && !seen[r.Alert]; {
		seen[r.Alert] = true
		cells, err := s.Coverage.Cells(ctx, r.Alert, r.Revision)
		if err != nil {
			return nil, err
		}
		now := map[channels.Kind]int{}
		for _, cell := range cells {
			now[cell.Kind] += cell.Reached()
		}
		for k, n := range now {
			most[k] = max(most[k], n)
		}
		old, err := s.Desk.Status(ctx, a.token, r.Alert)
		if err != nil {
			break // what came before is not known any more
		}
		r = old.Submission.Replaces
	}
	return most, nil
}
