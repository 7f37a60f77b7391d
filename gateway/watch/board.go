package watch

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// Probe looks at some parts. It is called every few seconds and must answer
// before its context ends; Since may be left to the board.
type Probe func(ctx context.Context) []Part

// noted is how long a momentary event counts as a bad part.
const noted = Gap

// board remembers how every part is and since when.
type board struct {
	mu     sync.Mutex
	parts  map[string]Part
	events map[string]event
	at     time.Time // of the last look
}

type event struct {
	Part
	until time.Time
}

func (b *board) note(now time.Time, x Part) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.events == nil {
		b.events = make(map[string]event)
	}
	b.events[x.Part] = event{x, now.Add(noted)}
}

// look takes what the probes saw and returns all parts, sorted.
func (b *board) look(now time.Time, seen []Part) []Part {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, e := range b.events {
		if now.Before(e.until) {
			seen = append(seen, e.Part)
		} else {
			delete(b.events, name)
		}
	}
	next := make(map[string]Part, len(seen))
	for _, x := range seen {
		if old, ok := next[x.Part]; ok && old.State == Bad {
			continue // two looked at the same part: the worse counts
		}
		if old, ok := b.parts[x.Part]; ok && old.State == x.State && old.Cause == x.Cause {
			x.Since = old.Since
		} else if x.Since.IsZero() || x.Since.After(now) {
			x.Since = now
		}
		next[x.Part] = x
	}
	b.parts, b.at = next, now
	return b.list()
}

func (b *board) list() []Part {
	all := make([]Part, 0, len(b.parts))
	for _, x := range b.parts {
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b Part) int { return cmp.Compare(a.Part, b.Part) })
	return all
}

// now returns all parts and when they were looked at.
func (b *board) now() ([]Part, time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.list(), b.at
}

// Every makes a probe that looks at most so often and says meanwhile what it
// saw last, for looks that cost.
func Every(d time.Duration, now func() time.Time, p Probe) Probe {
	var mu sync.Mutex
	var last []Part
	var at time.Time
	return func(ctx context.Context) []Part {
		mu.Lock()
		defer mu.Unlock()
		if t := now(); at.IsZero() || t.Sub(at) >= d || t.Before(at) {
			last, at = p(ctx), t
		}
		return slices.Clone(last)
	}
}
