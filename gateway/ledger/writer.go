package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// everyone is all of a semaphore that many share.
const everyone = 1 << 30

// How much one group commit takes: enough to share a sync among all who wait,
// little enough that the next act never waits long.
const (
	groupActs = 256
	groupFor  = 4 * time.Millisecond  // bulk deeds are added to a group no longer than this
	bulkFor   = 10 * time.Millisecond // a bulk deed ends as soon as it has taken this long
	bulkAfter = 64                    // groups of acts in a row before waiting bulk deeds get a turn
)

// How long a commit waits while another program holds the database, and how
// long once that was in vain.
const (
	lockWait  = 5 * time.Second
	lockAgain = 50 * time.Millisecond
)

// ErrClosed is returned after Close.
var ErrClosed = errors.New("ledger: closed")

// deed is one waiting transaction.
type deed struct {
	do    func(tx) error
	state atomic.Int32 // 0 waiting, 1 taken, 2 withdrawn
	err   error
	done  chan struct{}
}

func (d *deed) finish(err error) {
	d.err = err
	close(d.done)
}

// writer is the one goroutine that writes to SQLite. What waits is committed
// together: each deed in a savepoint of its own, so that one that fails does
// not undo the others, and nobody hears of success before the commit is
// durable. Acts and bulk deeds never share a commit, and a bulk deed is cut
// short while an act waits: an act waits for one short commit at most.
type writer struct {
	t       *liteTx
	urgent  chan *deed
	slow    chan *deed
	pauses  chan func() // run between two groups
	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once
	// rest is held in part by each bulk deed, and whole by who wants them to
	// stand back.
	rest      *semaphore.Weighted
	began     time.Time  // of the group; only run's
	committed func(lane) // called after each commit
	latch     *latch
	// patience sets how long a commit waits for another program's lock.
	patience func(time.Duration) error
	locked   bool // the last wait was in vain; only run's
}

func newWriter(t *liteTx, l *latch, committed func(lane)) *writer {
	w := &writer{t: t, latch: l, urgent: make(chan *deed, groupActs), slow: make(chan *deed), pauses: make(chan func()), committed: committed,
		rest: semaphore.NewWeighted(everyone),
		stop: make(chan struct{}), stopped: make(chan struct{})}
	t.press = w.pressed
	go w.run()
	return w
}

// submit waits until the deed is durable or has failed. A deed that is not
// begun when the context ends is withdrawn; one that is begun is waited for,
// so that an error always means that nothing was done. The one exception is
// ErrBroken: what the disk did then is known after the next start.
func (w *writer) submit(ctx context.Context, l lane, do func(tx) error) error {
	if err := w.latch.closed(); err != nil {
		return err
	}
	d := &deed{do: do, done: make(chan struct{})}
	queue := w.urgent
	if l == bulk {
		if w.rest.Acquire(ctx, 1) != nil {
			return context.Cause(ctx)
		}
		defer w.rest.Release(1)
		queue = w.slow
	}
	select {
	case queue <- d:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-w.stop:
		return ErrClosed
	}
	select {
	case <-d.done:
		return d.err
	case <-ctx.Done():
		if d.state.CompareAndSwap(0, 2) {
			return context.Cause(ctx)
		}
	case <-w.stopped:
		if d.state.CompareAndSwap(0, 2) {
			return ErrClosed
		}
	}
	<-d.done
	return d.err
}

func (w *writer) close() {
	w.once.Do(func() { close(w.stop) })
	<-w.stopped
}

// pause runs f while nothing is being written.
func (w *writer) pause(f func()) {
	done := make(chan struct{})
	select {
	case w.pauses <- func() { f(); close(done) }:
		<-done
	case <-w.stop:
	}
}

// pressed tells a bulk deed to end with what it has done.
func (w *writer) pressed() bool {
	return len(w.urgent) > 0 || time.Since(w.began) >= bulkFor
}

func (w *writer) run() {
	defer close(w.stopped)
	for row := 0; ; {
		urgent := w.urgent
		if row >= bulkAfter {
			urgent, row = nil, 0
		}
		select {
		case f := <-w.pauses:
			f()
			continue
		default:
		}
		select {
		case d := <-urgent:
			row++
			w.group(d, acts)
			continue
		default:
		}
		select {
		case d := <-w.slow:
			row = 0
			w.group(d, bulk)
			continue
		default:
		}
		select {
		case f := <-w.pauses:
			f()
		case d := <-w.urgent:
			w.group(d, acts)
		case d := <-w.slow:
			w.group(d, bulk)
		case <-w.stop:
			return
		}
	}
}

// group commits first and what else waits in its lane.
func (w *writer) group(first *deed, l lane) {
	w.began = time.Now()
	var good []*deed
	err := w.begin()
	for d, n := first, 0; d != nil; d = w.next(l, n) {
		n++
		if !d.state.CompareAndSwap(0, 1) {
			continue
		}
		if err != nil {
			d.finish(err)
			continue
		}
		var own error
		own, err = w.perform(d, len(good) == 0)
		err = w.latch.met(err)
		switch {
		case err != nil:
			d.finish(err)
		case own != nil:
			d.finish(w.latch.met(own))
		default:
			good = append(good, d)
		}
	}
	if err == nil && len(good) == 0 {
		w.rollback()
		return
	}
	if err == nil {
		err = w.latch.met(w.commit())
	} else {
		w.rollback()
	}
	for _, d := range good {
		d.finish(err)
	}
	w.committed(l)
}

// next is the deed that joins the group, nil if it is closed.
func (w *writer) next(l lane, taken int) *deed {
	queue := w.urgent
	if l == bulk {
		queue = w.slow
	}
	if taken >= groupActs || (l == bulk && (len(w.urgent) > 0 || time.Since(w.began) >= groupFor)) {
		return nil
	}
	select {
	case d := <-queue:
		return d
	default:
		return nil
	}
}

func (w *writer) begin() error {
	w.t.known.begin()
	if err := w.latch.closed(); err != nil {
		return err
	}
	_, err := w.t.exec("BEGIN IMMEDIATE")
	if err != nil {
		err = w.latch.met(fmt.Errorf("ledger: begin: %w", err))
	}
	// Whoever comes while another program holds the lock hears of it soon: one
	// has waited long enough for all.
	if locked := errors.Is(err, ErrLocked); locked != w.locked {
		wait := lockWait
		if locked {
			wait = lockAgain
		}
		w.locked = locked
		err = errors.Join(err, w.patience(wait))
	}
	return err
}

// perform runs one deed. own is the deed's failure, whole that of the group.
// While nothing in the group is worth keeping, the transaction itself is the
// savepoint: SQLite copies every page that is written under another.
func (w *writer) perform(d *deed, alone bool) (own, whole error) {
	if alone {
		if own = d.do(w.t); own != nil {
			w.rollback()
			return own, w.begin()
		}
		return nil, nil
	}
	if _, err := w.t.exec("SAVEPOINT deed"); err != nil {
		return nil, fmt.Errorf("ledger: savepoint: %w", err)
	}
	mark := w.t.known.mark()
	own = d.do(w.t)
	if own == nil {
		if _, err := w.t.exec("RELEASE deed"); err != nil {
			return nil, fmt.Errorf("ledger: release: %w", err)
		}
		return nil, nil
	}
	w.t.known.forget(mark)
	if _, err := w.t.exec("ROLLBACK TO deed"); err != nil {
		// SQLite has undone the whole transaction by itself (disk full, I/O
		// error): those before this deed fail with it.
		return nil, errors.Join(own, err)
	}
	if _, err := w.t.exec("RELEASE deed"); err != nil {
		return nil, errors.Join(own, err)
	}
	return own, nil
}

func (w *writer) commit() error {
	if _, err := w.t.exec("COMMIT"); err != nil {
		w.rollback()
		return fmt.Errorf("ledger: commit: %w", err)
	}
	return nil
}

// rollback undoes the group. SQLite may have done so already.
func (w *writer) rollback() {
	w.t.known.forget(0)
	_, _ = w.t.exec("ROLLBACK")
}
