package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"loa/gateway/audit"
)

// Guard tells a ledger from an older copy of itself.
type Guard struct {
	Ledger     string    // random, of this ledger and its copies
	Generation int64     // rises at each start and every minute
	Held       time.Time // since when nothing may be sent; zero: it may
	Why        string    // of the hold: HoldBehind or HoldCopy
	Seen       int64     // the generation that a mirror had when the hold began
	First      string    // the person whose release was the first of two
	FirstAt    time.Time
	Key        string // id of the master key; empty: none was used yet
	Rotating   string // id of the key that addresses are being sealed with anew
}

// Why a ledger is on hold.
const (
	HoldBehind = "behind" // a mirror has seen a later generation of it
	HoldCopy   = "copy"   // it is a backup, or its tables were restored or moved
)

// ReleaseWithin is how long the first of two releases waits for the second.
const ReleaseWithin = time.Hour

var (
	// ErrNotHeld says that there is no hold to release.
	ErrNotHeld = errors.New("the ledger is not on hold")
	// ErrSamePerson says that the second release was the first person's.
	ErrSamePerson = errors.New("the second release must be another person's")
)

const guardColumns = "ledger, generation, held, why, seen, first_person, first_at, key_id, rotating"

func readGuard(t tx, suffix string) (g Guard, err error) {
	var held, first int64
	ok, err := one(t, "SELECT "+guardColumns+" FROM guard WHERE id = 1"+suffix, nil,
		&g.Ledger, &g.Generation, &held, &g.Why, &g.Seen, &g.First, &first, &g.Key, &g.Rotating)
	if err == nil && !ok {
		err = errors.New("the guard's row is missing")
	}
	g.Held, g.FirstAt = fromNS(held), fromNS(first)
	return g, err
}

// Guard reads the guard.
func (l *Ledger) Guard(ctx context.Context) (g Guard, err error) {
	err = l.db.read(ctx, func(t tx) error {
		g, err = readGuard(t, "")
		return err
	})
	if err != nil {
		return Guard{}, fmt.Errorf("ledger: guard: %w", err)
	}
	return g, nil
}

// Bump raises the generation by one and returns it. On hold it stays.
func (l *Ledger) Bump(ctx context.Context) (generation int64, err error) {
	err = l.db.write(ctx, acts, func(t tx) error {
		if _, err := t.exec("UPDATE guard SET generation = generation + 1 WHERE id = 1 AND held = 0"); err != nil {
			return err
		}
		g, err := readGuard(t, "")
		generation = g.Generation
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("ledger: generation: %w", err)
	}
	return generation, nil
}

// Hold stops all sending if the ledger's generation is lower than the one seen
// in a mirror, which must have been read before this call, and reports whether
// it did. Every lease ends with it, so that no worker starts anything more.
func (l *Ledger) Hold(ctx context.Context, seen int64) (held bool, err error) {
	now := l.now()
	err = l.db.write(ctx, acts, func(t tx) error {
		g, err := readGuard(t, t.dialect().lock)
		if held = err == nil && g.Held.IsZero() && g.Generation < seen; !held {
			return err
		}
		return hold(t, g, now, HoldBehind, seen)
	})
	if err != nil {
		return false, fmt.Errorf("ledger: hold: %w", err)
	}
	return held, nil
}

// hold stops all sending. Every lease ends with it.
func hold(t tx, g Guard, now time.Time, why string, seen int64) error {
	_, err := t.exec("UPDATE guard SET held = ?, why = ?, seen = ?, first_person = '', first_at = 0 WHERE id = 1", ns(now), why, seen)
	if err != nil {
		return err
	}
	if _, err := t.exec("UPDATE progress SET fence = fence + 1, until = 0 WHERE until <> 0 AND due_at IS NOT NULL"); err != nil {
		return err
	}
	t.leased().dropAll()
	if err := skipNumbers(t); err != nil {
		return err
	}
	return seal(t, audit.Record{At: now, Actor: "system", Act: "ledger.hold", Object: "ledger/" + g.Ledger,
		Detail: fmt.Sprintf(`{"why":%q,"generation":%d,"seen":%d}`, why, g.Generation, seen)})
}

// Release records that a person wants the hold to end. The second person's
// within ReleaseWithin ends it and raises the generation above what any mirror
// has seen. above is what the mirrors have now, 0 if none can be read.
func (l *Ledger) Release(ctx context.Context, person string, above int64) (lifted bool, err error) {
	now := l.now()
	place, err := l.place(ctx)
	if err != nil {
		return false, fmt.Errorf("ledger: release: %w", err)
	}
	err = l.db.write(ctx, acts, func(t tx) error {
		lifted = false
		g, err := readGuard(t, t.dialect().lock)
		if err != nil {
			return err
		}
		if g.Held.IsZero() {
			return ErrNotHeld
		}
		fresh := g.First != "" && now.Sub(g.FirstAt) <= ReleaseWithin
		if fresh && g.First == person {
			return ErrSamePerson
		}
		rec := audit.Record{At: now, Actor: person, Act: "ledger.release", Object: "ledger/" + g.Ledger, Detail: `{"of":2,"n":1}`}
		if !fresh {
			if _, err := t.exec("UPDATE guard SET first_person = ?, first_at = ? WHERE id = 1", person, ns(now)); err != nil {
				return err
			}
			return seal(t, rec)
		}
		lifted = true
		next := max(g.Generation, g.Seen, above) + 1
		rec.Detail = fmt.Sprintf(`{"of":2,"n":2,"generation":%d}`, next)
		_, err = t.exec("UPDATE guard SET generation = ?, held = 0, why = '', seen = 0, first_person = '', first_at = 0 WHERE id = 1", next)
		if err == nil && place != "" {
			_, err = t.exec("UPDATE guard SET home = ? WHERE id = 1", place)
		}
		if err != nil {
			return err
		}
		return seal(t, rec)
	})
	if err != nil {
		return false, fmt.Errorf("ledger: release: %w", err)
	}
	return lifted, nil
}

// skipped is more numbers than an older copy of a ledger can be behind.
const skipped = 10_000_000

// skipNumbers leaves out the numbers that were given after the copy was taken:
// a receipt that still comes for one of them must not meet another batch.
func skipNumbers(t tx) error {
	_, err := t.exec("UPDATE sequence SET value = value + ? WHERE name IN ('batch', 'endpoint')", int64(skipped))
	return err
}

// onHold reports whether nothing may be sent. In a writing transaction it
// stays so until the end.
func onHold(t tx, suffix string) (bool, error) {
	var held int64
	_, err := one(t, "SELECT held FROM guard WHERE id = 1"+suffix, nil, &held)
	return held != 0, err
}
