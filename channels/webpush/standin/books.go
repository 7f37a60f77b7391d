package standin

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Entry is one push message that a subscription was given.
type Entry struct {
	Subscription int    // its number, from 0 in the order of subscribing
	Alert        string // "alert" of the body, if it is a JSON object that has one
	Revision     int    // "revision" of the body, likewise
	Topic        string
	Urgency      string
	TTL          time.Duration
	At           time.Time
	Mono         int64  // At on the machine's monotonic clock, nanoseconds
	Answer       int    // status that the sender was told, 0 for none
	Hash         string // SHA-256 of the body, hex
	Body         []byte // decrypted; nil for entries read back from a file
}

// entryLine is an Entry in the books file.
type entryLine struct {
	Subscription int       `json:"subscription"`
	Alert        string    `json:"alert,omitempty"`
	Revision     int       `json:"revision,omitempty"`
	Topic        string    `json:"topic,omitempty"`
	Urgency      string    `json:"urgency,omitempty"`
	TTL          int64     `json:"ttl"`
	At           time.Time `json:"at"`
	Mono         int64     `json:"mono,omitempty"`
	Answer       int       `json:"answer"`
	Hash         string    `json:"sha256"`
	Taken        *bool     `json:"taken,omitempty"` // false: a refusalLine
}

// refusalLine is a push that was not taken, in the books file.
type refusalLine struct {
	Taken        bool      `json:"taken"` // false
	Subscription *int      `json:"subscription,omitempty"`
	Answer       int       `json:"answer"`
	At           time.Time `json:"at"`
	Mono         int64     `json:"mono"`
}

// monotonic is CLOCK_MONOTONIC in nanoseconds, the same in all processes.
func monotonic() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return ts.Nano()
}

func (e Entry) line() entryLine {
	return entryLine{Subscription: e.Subscription, Alert: e.Alert, Revision: e.Revision, Topic: e.Topic, Urgency: e.Urgency,
		TTL: int64(e.TTL / time.Second), At: e.At.UTC(), Mono: e.Mono, Answer: e.Answer, Hash: e.Hash}
}

func (l entryLine) entry() Entry {
	return Entry{Subscription: l.Subscription, Alert: l.Alert, Revision: l.Revision, Topic: l.Topic, Urgency: l.Urgency,
		TTL: time.Duration(l.TTL) * time.Second, At: l.At, Mono: l.Mono, Answer: l.Answer, Hash: l.Hash}
}

// books remember every message taken. Equal bodies are kept once.
type books struct {
	mu      sync.Mutex
	entries []Entry
	bodies  map[string]*text
	file    *journal // nil without a file
}

// text is one body and what it says about itself.
type text struct {
	hash, alert string
	revision    int
	body        []byte
}

func openBooks(path string) (*books, error) {
	b := &books{bodies: map[string]*text{}}
	if path == "" {
		return b, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator's own path
	if err != nil {
		return nil, fmt.Errorf("books: %w", err)
	}
	whole := int64(0)
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadBytes('\n')
		if err != nil { // the end, or a last line that a crash cut: it was never answered
			break
		}
		var l entryLine
		if err := json.Unmarshal(line, &l); err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("books: byte %d: %w", whole, err)
		}
		if l.Taken == nil || *l.Taken {
			b.entries = append(b.entries, l.entry())
		}
		whole += int64(len(line))
	}
	if err := f.Truncate(whole); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("books: %w", err)
	}
	if _, err := f.Seek(whole, 0); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("books: %w", err)
	}
	b.file = newJournal(f)
	return b, nil
}

// add completes an entry and enters it; with a file it returns after the line
// is on disk.
func (b *books) add(e Entry) (Entry, error) {
	t := b.text(e.Body)
	e.Body, e.Hash, e.Alert, e.Revision = t.body, t.hash, t.alert, t.revision
	if b.file != nil {
		line, err := json.Marshal(e.line())
		if err != nil {
			return e, err
		}
		if err := b.file.append(append(line, '\n')); err != nil {
			return e, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries = append(b.entries, e)
	return e, nil
}

// refused keeps a push that was not taken. Nobody waits until that is durable.
func (b *books) refused(subscription *int, status int, at time.Time) {
	if b.file == nil {
		return
	}
	line, err := json.Marshal(refusalLine{Subscription: subscription, Answer: status, At: at.UTC(), Mono: monotonic()})
	if err == nil {
		b.file.put(append(line, '\n'))
	}
}

func (b *books) text(body []byte) *text {
	b.mu.Lock()
	t := b.bodies[string(body)]
	b.mu.Unlock()
	if t != nil {
		return t
	}
	sum := sha256.Sum256(body)
	t = &text{hash: hex.EncodeToString(sum[:]), body: body}
	var says struct {
		Alert    string `json:"alert"`
		Revision int    `json:"revision"`
	}
	if json.Unmarshal(body, &says) == nil {
		t.alert, t.revision = says.Alert, says.Revision
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bodies[string(body)] = t
	return t
}

func (b *books) size() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(len(b.entries))
}

func (b *books) close() error {
	if b.file == nil {
		return nil
	}
	return b.file.close()
}

// Books iterates over every message taken so far, in the order they were
// entered.
func (s *Service) Books() iter.Seq[Entry] {
	s.books.mu.Lock()
	all := slices.Clip(s.books.entries)
	s.books.mu.Unlock()
	return func(yield func(Entry) bool) {
		for _, e := range all {
			if !yield(e) {
				return
			}
		}
	}
}

// journal appends lines to a file; all that wait share one fsync.
type journal struct {
	f    *os.File
	mu   sync.Mutex
	cur  *batch // collects lines
	shut bool
	wake chan struct{}
	done chan struct{}
}

type batch struct {
	buf  bytes.Buffer
	done chan struct{}
	err  error
}

func newJournal(f *os.File) *journal {
	j := &journal{f: f, cur: &batch{done: make(chan struct{})}, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go j.run()
	return j
}

func (j *journal) append(line []byte) error {
	b := j.put(line)
	if b == nil {
		return os.ErrClosed
	}
	<-b.done
	return b.err
}

// put adds a line to those that are written next; nil if the file is closed.
func (j *journal) put(line []byte) *batch {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.shut {
		return nil
	}
	b := j.cur
	b.buf.Write(line)
	select {
	case j.wake <- struct{}{}:
	default:
	}
	return b
}

func (j *journal) run() {
	defer close(j.done)
	for range j.wake {
		j.flush()
	}
	j.flush()
}

func (j *journal) flush() {
	j.mu.Lock()
	b := j.cur
	if b.buf.Len() == 0 {
		j.mu.Unlock()
		return // the lines that woke us went with an earlier fsync
	}
	j.cur = &batch{done: make(chan struct{})}
	j.mu.Unlock()
	if _, b.err = j.f.Write(b.buf.Bytes()); b.err == nil {
		b.err = j.f.Sync()
	}
	close(b.done)
}

func (j *journal) close() error {
	j.mu.Lock()
	if j.shut {
		j.mu.Unlock()
		return os.ErrClosed
	}
	j.shut = true
	close(j.wake)
	j.mu.Unlock()
	<-j.done
	return j.f.Close()
}
