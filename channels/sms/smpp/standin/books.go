package standin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// Entry is one part that the centre took: a submit_sm of its own.
type Entry struct {
	ID        string    `json:"id"`
	To        string    `json:"to"` // with the plus sign
	From      string    `json:"from"`
	Text      string    `json:"text"` // of this part
	Reference byte      `json:"reference,omitempty"`
	Part      int       `json:"part"` // from 1
	Parts     int       `json:"parts"`
	Session   int       `json:"session"` // the bind it came by, from 1
	Sequence  uint32    `json:"sequence"`
	State     string    `json:"state"` // what becomes of it, as a receipt says it
	At        time.Time `json:"at"`
}

// Message is what a phone makes of the parts it got.
type Message struct {
	To, From, Text string
	Whole          bool
	IDs            []string
}

// Books hold every part taken, in order. With a file, an entry is durable
// before its sender is answered.
type Books struct {
	mu      sync.Mutex
	entries []Entry
	file    *os.File
	flush   sync.Mutex
	durable int // entries that an fsync has covered; under flush
}

func openBooks(path string) (*Books, error) {
	b := &Books{}
	if path == "" {
		return b, nil
	}
	old, err := ReadBooks(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	b.entries, b.durable = old, len(old)
	if b.file, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600); err != nil { // #nosec G304 -- the operator names the file
		return nil, fmt.Errorf("books: %w", err)
	}
	if _, err := b.file.WriteString("\n"); err != nil { // ends a line that a crash cut short
		return nil, errors.Join(fmt.Errorf("books: %w", err), b.file.Close())
	}
	return b, nil
}

// ReadBooks reads a file of books. A line cut short by a crash is left out, as
// nobody was answered for it.
func ReadBooks(path string) ([]Entry, error) {
	raw, err := os.ReadFile(path) // #nosec G304 -- the caller names the file
	if err != nil {
		return nil, fmt.Errorf("books: %w", err)
	}
	var entries []Entry
	for line := range bytes.Lines(raw) {
		var e Entry
		if json.Unmarshal(line, &e) == nil && e.ID != "" {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// add names and enters a part and returns when it is durable: those who come
// together share one fsync.
func (b *Books) add(e Entry) (Entry, error) {
	b.mu.Lock()
	e.ID = fmt.Sprintf("%08x", len(b.entries)+1)
	if b.file != nil {
		line, err := json.Marshal(e)
		if err == nil {
			_, err = b.file.Write(append(line, '\n'))
		}
		if err != nil {
			b.mu.Unlock()
			return e, fmt.Errorf("books: %w", err)
		}
	}
	b.entries = append(b.entries, e)
	mine := len(b.entries)
	b.mu.Unlock()
	if b.file == nil {
		return e, nil
	}
	b.flush.Lock()
	defer b.flush.Unlock()
	if b.durable >= mine {
		return e, nil
	}
	written := b.Len()
	if err := b.file.Sync(); err != nil {
		return e, fmt.Errorf("books: %w", err)
	}
	b.durable = written
	return e, nil
}

func (b *Books) close() error {
	if b.file == nil {
		return nil
	}
	return b.file.Close()
}

// Len returns the number of parts taken.
func (b *Books) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.entries)
}

// All returns a copy of the entries, oldest first.
func (b *Books) All() []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.entries)
}

// Messages puts parts together as a phone does: by number, sender, reference
// and count. A part that is there already begins another message.
func Messages(entries []Entry) []Message {
	type key struct {
		to, from string
		ref      byte
		parts    int
	}
	var all []Message
	var texts [][]string
	open := map[key]int{}
	for _, e := range entries {
		k := key{e.To, e.From, e.Reference, e.Parts}
		i, ok := open[k]
		if e.Parts == 1 || !ok || texts[i][e.Part-1] != "" {
			i = len(all)
			all, texts = append(all, Message{To: e.To, From: e.From}), append(texts, make([]string, e.Parts))
			open[k] = i
		}
		texts[i][e.Part-1] = e.Text
		all[i].IDs = append(all[i].IDs, e.ID)
		all[i].Text = strings.Join(texts[i], "")
		all[i].Whole = !slices.Contains(texts[i], "")
	}
	return all
}
