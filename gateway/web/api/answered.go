package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"sync"
	"time"

	"loa/gateway/desk"
)

// How long, and how many, answers are kept for those who repeat a request whose
// answer was lost.
const (
	answersKept = 10 * time.Minute
	maxAnswers  = 1000
)

// Answered gives a repeated request the answer that the first one got, since
// some are shown once. It keeps them in memory alone: after a restart a repeated
// request is a new one. Safe for concurrent use.
type Answered struct {
	now func() time.Time

	mu  sync.Mutex
	all map[[32]byte]*answer
}

// answer is what came of a request; ready is closed when it has.
type answer struct {
	body   [32]byte
	ready  chan struct{}
	status int // 0: it was refused
	doc    any
	at     time.Time
}

// NewAnswered keeps nothing yet.
func NewAnswered(now func() time.Time) *Answered {
	return &Answered{now: now, all: map[[32]byte]*answer{}}
}

// once serves a request of who has signed in once for each Idempotency-Key. The
// same key with another body is a conflict. What was refused may be tried again.
func (d *Answered) once(serve handler) handler {
	return func(ctx context.Context, a *act) (status int, doc any, err error) {
		name := digest(a.who.Person().ID, a.Method, a.URL.Path, a.key)
		mine := &answer{body: sha256.Sum256(a.body), ready: make(chan struct{})}
		before := d.begin(name, mine)
		if before == nil {
			defer func() { d.end(name, mine, status, doc, err) }()
			return serve(ctx, a)
		}
		if before.body != mine.body {
			return 0, nil, desk.ErrConflict
		}
		select {
		case <-before.ready:
		case <-ctx.Done():
			return 0, nil, ctx.Err()
		}
		if before.status == 0 {
			return serve(ctx, a)
		}
		return before.status, before.doc, nil
	}
}

// begin is the answer that the name has already, or nil and it is mine.
func (d *Answered) begin(name [32]byte, mine *answer) *answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	for n, old := range d.all {
		if old.status != 0 && now.Sub(old.at) >= answersKept {
			delete(d.all, n)
		}
	}
	if before := d.all[name]; before != nil {
		return before
	}
	for n, old := range d.all {
		if len(d.all) < maxAnswers {
			break
		}
		if old.status != 0 {
			delete(d.all, n)
		}
	}
	d.all[name] = mine
	return nil
}

func (d *Answered) end(name [32]byte, mine *answer, status int, doc any, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil || status == 0 {
		delete(d.all, name)
	} else {
		mine.status, mine.doc, mine.at = status, doc, d.now()
	}
	close(mine.ready)
}

// digest is one name of several texts.
func digest(texts ...string) [32]byte {
	b, err := json.Marshal(texts)
	if err != nil {
		panic(err) // texts are always JSON
	}
	return sha256.Sum256(b)
}
