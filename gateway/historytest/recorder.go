package historytest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// History is a list of events, in any order; it can be read once or many times
// as its source allows. An error ends it.
type History = iter.Seq2[Event, error]

// Of is the history of some events.
func Of(events ...Event) History {
	return func(yield func(Event, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// suffix of the files that recorders write into a folder.
const suffix = ".history.jsonl"

// Recorder appends events to a file of its own in a folder shared by all
// processes of a run. It is safe for concurrent use. Every event is handed to
// the kernel before Record returns, so that killing the process loses none and
// cuts at most the last.
type Recorder struct {
	node string
	now  func() int64

	mu   sync.Mutex
	file *os.File
	line bytes.Buffer
}

// NewRecorder opens folder/node.history.jsonl for appending. A process that
// comes back under its old name goes on in its old file.
func NewRecorder(folder, node string) (*Recorder, error) {
	if node == "" || node != filepath.Base(node) {
		return nil, fmt.Errorf("historytest: node %q: must be a plain file name", node)
	}
	f, err := os.OpenFile(filepath.Join(folder, node+suffix), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600) //nolint:gosec // the test names the folder
	if err != nil {
		return nil, fmt.Errorf("historytest: %w", err)
	}
	if err := cutTorn(f); err != nil {
		return nil, errors.Join(fmt.Errorf("historytest: %w", err), f.Close())
	}
	return &Recorder{node: node, now: Monotonic, file: f}, nil
}

// cutTorn removes a last line that a killed process did not finish.
func cutTorn(f *os.File) error {
	raw, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	return f.Truncate(int64(bytes.LastIndexByte(raw, '\n') + 1))
}

// Record appends events in one write. An event without a time gets the present
// one, one without a node the recorder's.
func (r *Recorder) Record(events ...Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.line.Reset()
	enc := json.NewEncoder(&r.line)
	for _, e := range events {
		if e.T == 0 {
			e.T = r.now()
		}
		if e.Node == "" {
			e.Node = r.node
		}
		if err := enc.Encode(e); err != nil {
			return fmt.Errorf("historytest: %w", err)
		}
	}
	if _, err := r.file.Write(r.line.Bytes()); err != nil {
		return fmt.Errorf("historytest: %w", err)
	}
	return nil
}

// Close closes the file.
func (r *Recorder) Close() error { return r.file.Close() }

// ReadDir is the history that the recorders of a folder wrote, file after file.
// The last line of a file may be torn; any other that cannot be read is an
// error, as is a folder without files.
func ReadDir(folder string) History {
	return func(yield func(Event, error) bool) {
		files, err := filepath.Glob(filepath.Join(folder, "*"+suffix))
		if err == nil && len(files) == 0 {
			err = fmt.Errorf("historytest: no %s file in the folder", suffix)
		}
		if err != nil {
			yield(Event{}, err)
			return
		}
		slices.Sort(files)
		for _, name := range files {
			if !readFile(name, yield) {
				return
			}
		}
	}
}

func readFile(name string, yield func(Event, error) bool) bool {
	n := 0
	return eachLine(name, func(line []byte) error {
		n++
		var e Event
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&e); err != nil {
			return fmt.Errorf("historytest: %s line %d: %w", filepath.Base(name), n, err)
		}
		if !yield(e, nil) {
			return errEnough
		}
		return nil
	}, yield)
}

var errEnough = errors.New("historytest: enough")

// eachLine walks over the whole lines of a file and reports whether to go on.
func eachLine(name string, line func([]byte) error, yield func(Event, error) bool) bool {
	f, err := os.Open(name) //nolint:gosec // the test names the folder
	if err != nil {
		return yield(Event{}, fmt.Errorf("historytest: %w", err))
	}
	defer func() { _ = f.Close() }() // only read
	for r := bufio.NewReaderSize(f, 1<<20); ; {
		text, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return true // what is left is a torn line
		}
		if err == nil {
			err = line(text)
		}
		if errors.Is(err, errEnough) {
			return false
		}
		if err != nil {
			yield(Event{}, err)
			return false
		}
	}
}
