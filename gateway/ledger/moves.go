package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/dispatch"
)

// A cut reads cell by cell, and an endpoint may move meanwhile: into a cell that
// was read already, or out of one where it was cut. So each move notes the cell
// that was left, under a number that no snapshot taken before it reaches. A
// move holds the endpoint sequence until it is committed, so that numbers become
// visible in their order.

// moving notes that an endpoint leaves its cell.
func moving(t tx, e *endpointRow) error {
	seq, err := take(t, "endpoint", 1)
	if err != nil {
		return err
	}
	at, err := t.clock()
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO moved (seq, endpoint, kind, commune, language, at) VALUES (?, ?, ?, ?, ?, ?)",
		seq+1, e.id, e.cell.kind, e.cell.commune, e.cell.language, at)
	if err != nil {
		return err
	}
	return reveal(t)
}

// reveal lets snapshots reach all numbers that were taken. Its caller holds the
// endpoint sequence.
func reveal(t tx) error {
	_, err := t.exec("UPDATE sequence SET value = (SELECT value FROM sequence WHERE name = 'endpoint') WHERE name = 'visible'")
	return err
}

// How long a move is remembered at least, and how far the clocks of nodes may
// be apart.
const (
	movesFor    = 30 * 24 * time.Hour
	clocksApart = time.Hour
)

// oldestStory is when the oldest alert was drafted that is live, or whose place
// a live one has taken, possibly by way of others.
const oldestStory = `WITH RECURSIVE story (id, created, replaces) AS (
 SELECT id, created, replaces FROM alert_case WHERE state = 'approved'
 UNION SELECT a.id, a.created, a.replaces FROM alert_case a JOIN story s ON a.id = s.replaces)
 SELECT COALESCE(MIN(created), 9223372036854775807) FROM story`

// forgetMoves deletes some moves that are older than any alert that may still
// be cut.
func forgetMoves(t tx) (int, error) {
	now, err := t.clock()
	if err != nil {
		return 0, err
	}
	var oldest int64
	if _, err := one(t, oldestStory, nil, &oldest); err != nil {
		return 0, err
	}
	before := min(oldest-int64(clocksApart), now-int64(movesFor))
	n, err := t.exec("DELETE FROM moved WHERE seq IN (SELECT seq FROM (SELECT seq, at FROM moved ORDER BY seq LIMIT ?) o WHERE at < ?)",
		int64(sweepRows), before)
	return int(n), err
}

// MovedCells lists cells of the communes that somebody has left since the
// snapshot.
func (l dispatchStore) MovedCells(ctx context.Context, communes []area.Code, snapshot int64) ([]dispatch.Cell, error) {
	names := make([]string, len(communes))
	for i, c := range communes {
		names[i] = string(c)
	}
	var cells []dispatch.Cell
	err := l.db.read(ctx, func(t tx) error {
		cells = nil
		d := t.dialect()
		return t.each("SELECT DISTINCT kind, commune, language FROM moved WHERE seq > ? AND commune"+d.inStrs, []any{snapshot, d.strs(names)},
			func(scan func(...any) error) error {
				var c dispatch.Cell
				var kind int64
				err := scan(&kind, &c.Commune, &c.Language)
				c.Kind = kindNames[kind]
				cells = append(cells, c)
				return err
			})
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: cells that were left: %w", err)
	}
	return cells, nil
}

// MovedIDs lists who was in a cell at the snapshot and has left it.
func (l dispatchStore) MovedIDs(ctx context.Context, q audience.Query, after int64, limit int) ([]int64, error) {
	kind, err := kindCode(q.Kind)
	if err != nil || limit <= 0 {
		return nil, err
	}
	var ids []int64
	err = l.db.read(ctx, func(t tx) error {
		ids, err = column[int64](t, `SELECT m.endpoint FROM moved m JOIN endpoint e ON e.id = m.endpoint
 WHERE m.kind = ? AND m.commune = ? AND m.language = ? AND m.endpoint > ? AND m.endpoint <= ? AND m.seq > ?
 AND NOT EXISTS (SELECT 1 FROM moved o WHERE o.endpoint = m.endpoint AND o.seq > ? AND o.seq < m.seq)
 AND e.retired = 0 AND e.roster >= ? AND e.import NOT`+hidden+` ORDER BY m.endpoint LIMIT ?`,
			kind, string(q.Commune), q.Language, after, q.Upto, q.Upto, q.Upto, flag(q.Roster), q.Upto, int64(limit))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: those who moved: %w", err)
	}
	return ids, nil
}

// Already returns which of the ids were cut before: in the cell itself and, of
// those who have moved, wherever they have been.
func (l dispatchStore) Already(ctx context.Context, r *dispatch.Request, c dispatch.Cell, ids []int64) ([]int64, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var cut []int64
	err := l.db.read(ctx, func(t tx) error {
		var err error
		if cut, err = cutIn(t, r, c, ids, nil); err != nil {
			return err
		}
		elsewhere, err := haveBeen(t, r, c, ids)
		for cell, some := range elsewhere {
			if err == nil {
				slices.Sort(some)
				cut, err = cutIn(t, r, cell, slices.Compact(some), cut)
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: already cut: %w", err)
	}
	slices.Sort(cut)
	return slices.Compact(cut), nil
}

// cutIn appends those of the ids, ascending, that are in batches of the cell.
func cutIn(t tx, r *dispatch.Request, c dispatch.Cell, ids, cut []int64) ([]int64, error) {
	code, err := kindCode(c.Kind)
	if err != nil {
		return nil, err
	}
	err = t.each(`SELECT count, ids FROM batch
 WHERE alert = ? AND revision = ? AND kind = ? AND commune = ? AND language = ? AND last_id >= ? AND first_id <= ?`,
		[]any{string(r.Alert), int64(r.Revision), code, string(c.Commune), c.Language, ids[0], ids[len(ids)-1]},
		func(scan func(...any) error) error {
			var n int
			var packed []byte
			if err := scan(&n, &packed); err != nil {
				return err
			}
			all, err := unpackIDs(packed, n)
			if err != nil {
				return err
			}
			at, _ := slices.BinarySearch(ids, all[0])
			for _, id := range all {
				for at < len(ids) && ids[at] < id {
					at++
				}
				if at == len(ids) {
					break
				}
				if ids[at] == id {
					cut = append(cut, id)
				}
			}
			return nil
		})
	return cut, err
}

// haveBeen lists the other cells in which some of the ids have been, as far as
// they may have been cut there.
func haveBeen(t tx, r *dispatch.Request, c dispatch.Cell, ids []int64) (map[dispatch.Cell][]int64, error) {
	// Who was reached is cut where he was reached, and that may be long ago. For
	// all others only the time since the alert was drafted matters: mostly nobody
	// has moved since, and one row tells that.
	since := int64(0)
	if r.Reached == nil {
		if _, err := one(t, "SELECT created FROM alert_case WHERE id = ?", []any{string(r.Alert)}, &since); err != nil {
			return nil, err
		}
	}
	var last int64
	some, err := one(t, "SELECT at FROM moved ORDER BY seq DESC LIMIT 1", nil, &last)
	if err != nil || !some || last < since-int64(clocksApart) {
		return nil, err
	}
	cells := make(map[dispatch.Cell][]int64)
	seen := func(scan func(...any) error) error {
		var id int64
		was := dispatch.Cell{Kind: c.Kind}
		err := scan(&id, &was.Commune, &was.Language)
		if was != c {
			cells[was] = append(cells[was], id)
		}
		return err
	}
	d := t.dialect()
	const moves = "SELECT endpoint, commune, language FROM moved WHERE endpoint"
	if err := t.each(moves+d.inInts, []any{d.ints(ids)}, seen); err != nil {
		return nil, err
	}
	const now = "SELECT id, commune, language FROM endpoint WHERE id IN (SELECT endpoint FROM moved WHERE endpoint"
	return cells, t.each(now+d.inInts+")", []any{d.ints(ids)}, seen)
}

// story lists the alerts whose recipients a reached request is for, the named
// one first: each took the place of the one after it.
func story(t tx, r dispatch.Reached) ([]string, error) {
	var ids []string
	for id := string(r.Alert); id != "" && !slices.Contains(ids, id); {
		ids = append(ids, id)
		var before string
		if _, err := one(t, "SELECT replaces FROM alert_case WHERE id = ?", []any{id}, &before); err != nil {
			return nil, err
		}
		id = before
	}
	return ids, nil
}
