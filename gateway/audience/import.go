package audience

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"loa/gateway/area"
)

// stageRows is how many rows one commit of an import stages: short enough that
// a claim or an approval never waits long for the writer.
const stageRows = 1000

// ImportOptions says how a subscriber file is read.
type ImportOptions struct {
	Now    time.Time
	Source string // what the audit shows: a file name
	// Valid refuses a commune code that is not in force. It is called from
	// several goroutines. It must be set.
	Valid func(area.Code) error
	// SkipBad imports the other rows when some are bad. Without it one bad row
	// refuses the whole file, after all bad rows have been named.
	SkipBad bool
	// Bad is called for every bad row and every repetition, in the order of the
	// file. Nil: they are only counted.
	Bad func(BadRow)
	// Progress is called after each commit with what has been read. Nil: never.
	Progress func(rows int, bytes int64)
}

// BadRow names a row that is not imported. It holds no address.
type BadRow struct {
	Line      int         // where the row begins, from 1
	Faults    FieldErrors // all of them
	Duplicate bool        // its address stands on an earlier line already; not an error
}

func (b BadRow) String() string { return fmt.Sprintf("line %d: %s", b.Line, b.Faults) }

// Report says what an import came to.
type Report struct {
	Rows       int // read, without the header
	Bad        int // refused
	Duplicates int // left out: the address stands on an earlier line
	Added      int // new endpoints
	Known      int // endpoints that were there already and took the row's cell
}

// ErrBadRows refuses a file with bad rows; nothing of it was imported.
var ErrBadRows = errors.New("audience: the file has bad rows, nothing was imported")

// Import reads a subscriber file (see Columns), seals its addresses on all
// processors and stages them in commits of at most 1,000 rows; one flip at the
// end makes all visible at once. After any error nothing of it is visible.
// Memory does not grow with the file, but for some 16 bytes a row that find
// repetitions.
func (b *Book) Import(ctx context.Context, r io.Reader, opt ImportOptions) (rep Report, err error) {
	in, err := openRows(r)
	if err != nil {
		return rep, err
	}
	id, err := b.Store.Begin(ctx, opt.Now, opt.Source)
	if err != nil {
		return rep, fmt.Errorf("audience: begin import: %w", err)
	}
	defer func() {
		if err != nil {
			// The caller's context may be what ended the import.
			err = errors.Join(err, b.Store.Abort(context.WithoutCancel(ctx), id))
		}
	}()
	st := &staging{book: b, id: id, opt: opt, seen: make(map[uint64]struct{}), rep: &rep}
	if err := b.pipe(ctx, in, opt, st.take); err != nil {
		return rep, err
	}
	if rep.Bad > 0 && !opt.SkipBad {
		return rep, ErrBadRows
	}
	if err := st.flush(ctx); err != nil {
		return rep, err
	}
	rep.Added, rep.Known, err = b.Store.Flip(ctx, id, opt.Now)
	if err != nil {
		return rep, fmt.Errorf("audience: make import visible: %w", err)
	}
	return rep, nil
}

// parcel is some rows on their way through the pipe.
type parcel struct {
	records [][]string
	lines   []int
	broken  []string // parallel to records: why a record cannot be read
	bytes   int64    // read from the file so far
	sealed  []Sealed
	bad     []BadRow // parallel to records; Line 0 for a good row
	done    chan struct{}
}

// pipe reads on one goroutine, seals on as many as there are processors and
// hands parcels to take in the order of the file.
func (b *Book) pipe(ctx context.Context, in *rows, opt ImportOptions, take func(context.Context, *parcel) error) error {
	ctx, cancel := context.WithCancel(ctx)
	workers := runtime.GOMAXPROCS(0)
	work := make(chan *parcel)
	ordered := make(chan *parcel, 2*workers)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	var readErr error
	wg.Go(func() {
		defer close(ordered)
		defer close(work)
		readErr = in.parcels(ctx, work, ordered)
	})
	for range workers {
		wg.Go(func() {
			for p := range work {
				b.sealParcel(p, in.header, opt)
				close(p.done)
			}
		})
	}
	for p := range ordered {
		select {
		case <-p.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := take(ctx, p); err != nil {
			return err
		}
	}
	return readErr // written before ordered was closed
}

func (b *Book) sealParcel(p *parcel, h header, opt ImportOptions) {
	p.sealed = make([]Sealed, len(p.records))
	p.bad = make([]BadRow, len(p.records))
	for i, record := range p.records {
		if p.broken[i] != "" {
			p.bad[i] = BadRow{Line: p.lines[i], Faults: FieldErrors{{Rule: p.broken[i]}}}
			continue
		}
		var err error
		e, faults := h.endpoint(record, opt.Valid)
		if p.sealed[i], err = b.seal(e, opt.Now, faults); err != nil {
			p.bad[i] = BadRow{Line: p.lines[i], Faults: faultsOf(err)}
		}
	}
}

// staging gathers good rows and stages them.
type staging struct {
	book *Book
	id   ImportID
	opt  ImportOptions
	seen map[uint64]struct{} // first half of the lookup hash
	rows []Sealed
	rep  *Report
}

func (s *staging) take(ctx context.Context, p *parcel) error {
	for i := range p.records {
		s.rep.Rows++
		if p.bad[i].Line != 0 {
			s.rep.Bad++
			s.name(p.bad[i])
			continue
		}
		short := binary.LittleEndian.Uint64(p.sealed[i].Lookup[:])
		if _, twice := s.seen[short]; twice {
			s.rep.Duplicates++
			s.name(BadRow{Line: p.lines[i], Faults: FieldErrors{{"address", "stands on an earlier line"}}, Duplicate: true})
			continue
		}
		s.seen[short] = struct{}{}
		s.rows = append(s.rows, p.sealed[i])
		if len(s.rows) == stageRows {
			if err := s.flush(ctx); err != nil {
				return err
			}
		}
	}
	if s.opt.Progress != nil {
		s.opt.Progress(s.rep.Rows, p.bytes)
	}
	return nil
}

func (s *staging) name(b BadRow) {
	if s.opt.Bad != nil {
		s.opt.Bad(b)
	}
}

// flush stages what was gathered, unless the file is refused already.
func (s *staging) flush(ctx context.Context) error {
	rows := s.rows
	s.rows = nil
	if len(rows) == 0 || (s.rep.Bad > 0 && !s.opt.SkipBad) {
		return nil
	}
	if err := s.book.Store.Stage(ctx, s.id, rows); err != nil {
		return fmt.Errorf("audience: stage rows: %w", err)
	}
	return nil
}
