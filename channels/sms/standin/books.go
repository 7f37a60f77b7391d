package standin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Entry is one message the carrier took.
type Entry struct {
	SID    string    `json:"sid"`
	To     string    `json:"to,omitempty"`
	From   string    `json:"from,omitempty"` // the sender, or the messaging service
	Body   string    `json:"body,omitempty"`
	Ref    string    `json:"ref,omitempty"`  // last path element of the callback URL, unescaped
	Status string    `json:"status"`         // what becomes of it: "delivered" or "undelivered"
	Code   int       `json:"code,omitempty"` // why it is not delivered
	At     time.Time `json:"at,omitzero"`    // when it was taken
	Mono   int64     `json:"mono,omitempty"` // then, of the machine's monotonic clock, nanoseconds
	Answer int       `json:"answer"`         // HTTP status that the sender was told, 0 for none it can make sense of
}

// Refusal is a request that the carrier did not take.
type Refusal struct {
	Taken  bool      `json:"taken"` // false, which tells it from an Entry
	To     string    `json:"to,omitempty"`
	Answer int       `json:"answer"` // HTTP status
	Code   int       `json:"code,omitempty"`
	At     time.Time `json:"at"`
	Mono   int64     `json:"mono"`
}

// Books hold every message taken, in order. With a file, an entry is durable
// before its sender is answered: appends of concurrent requests share one fsync.
type Books struct {
	mu      sync.RWMutex
	entries []Entry
	bySID   map[string]int
	bodies  map[string]string // one copy of each text

	file    *os.File // nil: in memory only
	waiting []byte   // lines not yet written
	next    *flush   // the flush those lines belong to
	wake    chan struct{}
	done    chan struct{}
	closed  bool
	err     error // what writing met
}

type flush struct {
	done chan struct{}
	err  error
}

var errClosed = errors.New("books: closed")

func openBooks(path string) (*Books, error) {
	b := &Books{bySID: map[string]int{}, bodies: map[string]string{}}
	if path == "" {
		return b, nil
	}
	old, err := ReadBooks(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	b.entries = old
	for i, e := range old {
		b.bySID[e.SID] = i
	}
	b.file, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, fmt.Errorf("books: %w", err)
	}
	if err := endLine(b.file); err != nil {
		return nil, errors.Join(fmt.Errorf("books: %w", err), b.file.Close())
	}
	b.next = &flush{done: make(chan struct{})}
	b.wake = make(chan struct{}, 1) // one pending wake covers every line that waits
	b.done = make(chan struct{})
	go b.run()
	return b, nil
}

// endLine closes a line that a crash cut short, so that the next one is whole.
func endLine(f *os.File) error {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, info.Size()-1); err != nil || last[0] == '\n' {
		return err
	}
	_, err = f.WriteString("\n")
	return err
}

// ReadBooks reads the messages taken from a file of books. A line cut short by
// a crash is left out, as nobody was answered for it.
func ReadBooks(path string) ([]Entry, error) {
	return readLines(path, func(line []byte) (e Entry, ok bool) {
		ok = json.Unmarshal(line, &e) == nil && e.SID != ""
		return e, ok
	})
}

// ReadRefusals reads what was not taken from a file of books. The last of it
// may be missing after a crash.
func ReadRefusals(path string) ([]Refusal, error) {
	return readLines(path, func(line []byte) (Refusal, bool) {
		var l struct {
			Refusal
			Taken *bool `json:"taken"`
		}
		return l.Refusal, json.Unmarshal(line, &l) == nil && l.Taken != nil && !*l.Taken
	})
}

func readLines[T any](path string, parse func(line []byte) (T, bool)) ([]T, error) {
	raw, err := os.ReadFile(path) // #nosec G304 -- the caller names the file
	if err != nil {
		return nil, fmt.Errorf("books: %w", err)
	}
	var all []T
	for line := range bytes.Lines(raw) {
		if v, ok := parse(line); ok {
			all = append(all, v)
		}
	}
	return all, nil
}

// All walks over the entries, oldest first.
func (b *Books) All() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for i := 0; ; i++ {
			b.mu.RLock()
			if i >= len(b.entries) {
				b.mu.RUnlock()
				return
			}
			e := b.entries[i]
			b.mu.RUnlock()
			if !yield(e) {
				return
			}
		}
	}
}

// Len returns the number of entries.
func (b *Books) Len() int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.entries)
}

// Find returns the entry of one message.
func (b *Books) Find(sid string) (Entry, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	i, ok := b.bySID[sid]
	if !ok {
		return Entry{}, false
	}
	return b.entries[i], true
}

// latest returns up to limit entries, newest first and after the first skip,
// to one number or to any.
func (b *Books) latest(to string, skip, limit int) []Entry {
	b.mu.RLock()
	defer b.mu.RUnlock()
	found := []Entry{}
	for i := len(b.entries) - 1; i >= 0 && len(found) < limit; i-- {
		if to != "" && b.entries[i].To != to {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		found = append(found, b.entries[i])
	}
	return found
}

// add names and enters a message and returns when it is durable.
func (b *Books) add(e Entry, name func(n int) string) (Entry, error) {
	b.mu.Lock()
	if body, ok := b.bodies[e.Body]; ok {
		e.Body = body
	} else {
		b.bodies[e.Body] = e.Body
	}
	e.SID = name(len(b.entries))
	b.bySID[e.SID] = len(b.entries)
	b.entries = append(b.entries, e)
	wait, err := b.write(e)
	b.mu.Unlock()
	if err != nil || wait == nil {
		return e, err
	}
	<-wait.done
	return e, wait.err
}

// refused keeps a request that was not taken. Nobody waits until that is
// durable.
func (b *Books) refused(to string, status, code int, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.write(Refusal{To: to, Answer: status, Code: code, At: at.UTC(), Mono: monotonic()}); err != nil && !errors.Is(err, errClosed) {
		b.err = errors.Join(b.err, err)
	}
}

// monotonic is CLOCK_MONOTONIC in nanoseconds, the same in all processes.
func monotonic() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return ts.Nano()
}

// write adds a line to those waiting; the caller holds the lock.
func (b *Books) write(e any) (*flush, error) {
	if b.file == nil {
		return nil, nil
	}
	if b.closed {
		return nil, errClosed
	}
	line, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("books: %w", err)
	}
	b.waiting = append(append(b.waiting, line...), '\n')
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return b.next, nil
}

// run writes what waits, one fsync at a time, until wake is closed.
func (b *Books) run() {
	defer close(b.done)
	var lines []byte
	for range b.wake {
		b.mu.Lock()
		if len(b.waiting) == 0 { // taken along by the flush before
			b.mu.Unlock()
			continue
		}
		lines, b.waiting = b.waiting, lines[:0]
		current := b.next
		b.next = &flush{done: make(chan struct{})}
		b.mu.Unlock()
		_, err := b.file.Write(lines)
		if err == nil {
			err = b.file.Sync()
		}
		if err != nil {
			b.mu.Lock()
			b.err = errors.Join(b.err, err)
			b.mu.Unlock()
		}
		current.err = err
		close(current.done)
	}
}

// close writes what still waits and closes the file.
func (b *Books) close() error {
	if b.file == nil {
		return nil
	}
	b.mu.Lock()
	b.closed = true
	close(b.wake)
	b.mu.Unlock()
	<-b.done
	return errors.Join(b.err, b.file.Close())
}
