package ledger

import (
	"context"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/delivery"
	"loa/gateway/dispatch"
)

// TestHotQueriesUseTheirIndexes asks SQLite how it would answer each statement
// of a fan-out. Its planner has no statistics here, so the tables may be empty.
func TestHotQueriesUseTheirIndexes(t *testing.T) {
	t.Parallel()
	ctx, now := t.Context(), time.Now()
	l, err := OpenSQLite(ctx, filepath.Join(t.TempDir(), "loa.db"), Options{Readers: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	a, d := l.Audience(), l.Delivery()
	_, err = d.Advance(ctx, now, []delivery.Step{{Batch: 1}})
	if err == nil {
		t.Fatal("an advance of a batch that does not exist succeeded")
	}
	for name, ask := range map[string]func() error{
		"ciphers": func() error { _, err := a.Ciphers(ctx, channels.SMS, "22101", "vi", []int64{1, 2}); return err },
		"page": func() error {
			_, err := a.Page(ctx, audience.Query{Kind: channels.SMS, Commune: "22101", Language: "vi", Upto: 9}, 0, 10)
			return err
		},
		"counts":  func() error { _, err := a.Counts(ctx, []area.Code{"22101"}, false); return err },
		"find":    func() error { _, err := a.Find(ctx, channels.SMS, [16]byte{1}); return err },
		"retire":  func() error { return a.Retire(ctx, []int64{1}, now, "test") },
		"due":     func() error { _, err := d.Due(ctx, now, delivery.Hint{}, 10); return err },
		"orphans": func() error { _, err := d.Orphans(ctx, now, channels.SMS, 10); return err },
		"open":    func() error { _, err := d.Outstanding(ctx, channels.SMS); return err },
		"busy":    func() error { _, err := d.Busiest(ctx, now, channels.SMS); return err },
		"claim": func() error {
			_, err := d.Claim(ctx, delivery.ClaimRequest{Kind: channels.SMS, Max: 4, Now: now})
			return err
		},
		"claim 2": func() error {
			_, err := d.Claim(ctx, delivery.ClaimRequest{Kind: channels.SMS, Max: 4, Now: now, Batches: []delivery.BatchID{1, 2}})
			return err
		},
		"already": func() error {
			c := dispatch.Cell{Kind: channels.SMS, Commune: "22101", Language: "vi"}
			_, err := l.Dispatch().Already(ctx, &dispatch.Request{Alert: "a", Revision: 1}, c, []int64{1, 2})
			return err
		},
		"reached": func() error {
			r, c := dispatch.Reached{Alert: "a", Revision: 1}, dispatch.Cell{Kind: channels.SMS, Commune: "22101", Language: "vi"}
			_, err := l.Dispatch().ReachedIDs(ctx, r, c, 0, 10)
			return err
		},
		"left cells": func() error { _, err := l.Dispatch().MovedCells(ctx, []area.Code{"22101"}, 9); return err },
		"left": func() error {
			_, err := l.Dispatch().MovedIDs(ctx, audience.Query{Kind: channels.SMS, Commune: "22101", Language: "vi", Upto: 9}, 0, 10)
			return err
		},
		"cells": func() error { _, err := l.Coverage().Cells(ctx, "a", 1); return err },
	} {
		if err := ask(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	lite, _ := l.db.(*lite)
	r := <-lite.readers
	defer func() { lite.readers <- r }()
	queries := make(map[string]bool)
	for q := range maps.Keys(r.stmts) {
		queries[q] = true
	}
	if err := l.db.write(ctx, acts, func(tx) error {
		for q := range lite.own.stmts {
			queries[q] = true
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for q := range queries {
		for _, step := range plan(t, r, q) {
			seen++
			if walks(step) {
				t.Errorf("%s\n\tby %s", q, step)
			}
		}
	}
	if seen < 20 {
		t.Fatalf("only %d steps were seen", seen)
	}
}

// walks says whether a step reads all rows of a table that grows with the
// people, or all of a channel.
func walks(step string) bool {
	if strings.HasSuffix(step, "USING INDEX progress_open") {
		return false // holds only what is not done
	}
	for _, table := range []string{"endpoint", "batch", "b", "progress", "p", "cell"} {
		if strings.HasPrefix(step, "SCAN "+table+" ") || step == "SCAN "+table {
			return true
		}
	}
	return strings.HasPrefix(step, "SEARCH endpoint") && strings.HasSuffix(step, "(kind=?)")
}

func plan(t *testing.T, r *reader, query string) (steps []string) {
	t.Helper()
	if word, _, _ := strings.Cut(query, " "); word != "SELECT" && word != "UPDATE" && word != "DELETE" {
		return nil
	}
	args := make([]any, strings.Count(query, "?"))
	rows, err := r.conn.QueryContext(context.Background(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}
