package audit

import (
	"encoding/json"
	"time"
)

// Walk holds a chain against itself, record by record in the order of their
// numbers, and against checkpoints that were kept elsewhere. It remembers a few
// records, however long the chain is.
type Walk struct {
	origin string
	texts  []string
	kept   []kept

	n         int64
	last      Record // the last that was added; zero before the first
	misfit    *misfit
	more      int64 // records after the first misfit that do not fit either
	stray     *Record
	successes []succession
}

// kept is a checkpoint and the hash that the record with its number has.
type kept struct {
	Checkpoint

	err   error
	found bool
	hash  Hash
}

// misfit is the first record that does not fit, with its neighbours.
type misfit struct {
	before, at Record
	next       *Hash // Prev of the record after, or the head's hash if there is none
}

// NewWalk begins at the first record of a ledger's chain. checkpoints are signed
// notes.
func NewWalk(ledger string, checkpoints []string) *Walk {
	w := &Walk{origin: Origin(ledger), texts: checkpoints}
	for _, text := range checkpoints {
		c, err := ReadCheckpoint(text)
		w.kept = append(w.kept, kept{Checkpoint: c, err: err, found: err == nil && c.Seq == 0})
	}
	return w
}

// Add takes the next record. The first must be the one with the lowest number.
func (w *Walk) Add(r Record) {
	fits := intact(r) && r.Seq == w.last.Seq+1 && r.Prev == w.last.Hash
	switch {
	case w.misfit == nil && !fits:
		w.misfit = &misfit{before: w.last, at: r}
	case w.misfit != nil:
		if w.misfit.next == nil {
			prev := r.Prev
			w.misfit.next = &prev
		}
		if !fits {
			w.more++
		}
		if w.stray == nil && !intact(r) {
			stray := r
			w.stray = &stray
		}
	}
	for i := range w.kept {
		if k := &w.kept[i]; k.Seq == r.Seq {
			k.found, k.hash = true, r.Hash
		}
	}
	if r.Act == ActRotate {
		w.follow(r)
	}
	w.last = r
	w.n++
}

// intact reports whether a record is what was sealed, wherever it stands.
func intact(r Record) bool { return Seal(r.Prev, r) == r.Hash }

// maxSuccessions bounds what is remembered of a chain that was written to be
// long.
const maxSuccessions = 1000

func (w *Walk) follow(r Record) {
	var detail struct {
		Succession string `json:"succession"`
	}
	if json.Unmarshal([]byte(r.Detail), &detail) != nil || len(w.successes) == maxSuccessions {
		return
	}
	if s, ok := readSuccession(r.Seq, detail.Succession); ok {
		w.successes = append(w.successes, s)
	}
}

// Report is what a walk has found.
type Report struct {
	Origin      string    `json:"origin"`
	Records     int64     `json:"records"`
	Last        int64     `json:"last"` // number of the last record
	LastAt      time.Time `json:"lastAt,omitzero"`
	Hash        string    `json:"hash"`            // of the last record
	Fault       *Fault    `json:"fault,omitempty"` // the first
	More        int64     `json:"more,omitempty"`  // records after it that do not fit either
	Checkpoints []Kept    `json:"checkpoints,omitempty"`
}

// Kept is what came of one checkpoint, in the order in which they were given.
type Kept struct {
	Seq  int64     `json:"seq"`
	At   time.Time `json:"at,omitzero"`
	Good bool      `json:"good"`
	Text string    `json:"text"` // one sentence
}

// Good reports whether everything fits.
func (r Report) Good() bool {
	for _, k := range r.Checkpoints {
		if !k.Good {
			return false
		}
	}
	return r.Fault == nil
}

// End says what was found. head is what the ledger keeps as the end of its
// chain, nil if it keeps none; verifiers are the public keys that are known
// from elsewhere.
func (w *Walk) End(head *Head, verifiers []string) (Report, error) {
	t, err := trust(w.origin, verifiers, w.successes)
	if err != nil {
		return Report{}, err
	}
	r := Report{Origin: w.origin, Records: w.n, Last: w.last.Seq, LastAt: w.last.At, Hash: w.last.Hash.String(), More: w.more}
	r.Fault = w.fault(head)
	r.Checkpoints = w.compare(t)
	return r, nil
}
