package dispatch

import (
	"context"
	"slices"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/delivery"
)

// maxCut is about how many recipients one commit cuts. The first commit of a
// request cuts one batch, so that the first send starts at once; each further
// one twice as many.
const maxCut = 16 * delivery.MaxRecipients

// expansion is a request on its way to batches. It is thrown away after any
// error: the stored cursor says where to go on.
type expansion struct {
	job    Job
	rev    *alert.Revision
	status channels.Status
	src    source
	render Render

	cells  []Cell
	at     int  // index of the cell being cut
	limit  int  // recipients of the next commit
	waited bool // this pass takes nobody, because calls are in flight

	taken map[int64]bool // by the commit being gathered, in cells that are behind

	texts    map[Cell]text // of the commune being cut, by text language
	commune  area.Code
	refusals map[Cell]error // of the commit being gathered
}

// text is what one cell reads, or why it reads nothing.
type text struct {
	info *alert.Info
	body []byte
	err  error
}

// seek puts the expansion at its stored cursor.
func (x *expansion) seek() {
	slices.SortFunc(x.cells, compareCells)
	x.cells = slices.Compact(x.cells)
	x.at, _ = slices.BinarySearchFunc(x.cells, x.job.Cursor.cell(), compareCells)
	x.limit = delivery.MaxRecipients
}

func (c Cursor) cell() Cell { return Cell{Kind: c.Kind, Commune: c.Commune, Language: c.Language} }

// gather collects the batches of one commit and says where it leaves off;
// ended says that the pass has come to its end.
func (x *expansion) gather(ctx context.Context, s Store, now time.Time) (bs []delivery.Batch, to Cursor, ended bool, err error) {
	to, x.refusals = x.job.Cursor, make(map[Cell]error)
	x.taken = nil
	for room := x.limit; x.at < len(x.cells); {
		if room <= 0 {
			return bs, to, false, nil
		}
		c := x.cells[x.at]
		if to.cell() != c {
			to = Cursor{Kind: c.Kind, Commune: c.Commune, Language: c.Language, Pass: to.Pass}
		}
		// Whole batches: a small rest would make small batches.
		want := (room + delivery.MaxRecipients - 1) / delivery.MaxRecipients * delivery.MaxRecipients
		ids, err := x.src.ids(ctx, c, to.After, want)
		if err != nil {
			return nil, to, false, err
		}
		if len(ids) == 0 {
			x.leave(bs)
			continue
		}
		// Asked after the page was read: of one who moved meanwhile, both the move
		// and an earlier cut are seen.
		gone, err := s.Already(ctx, &x.job.Request, c, ids)
		if err != nil {
			return nil, to, false, err
		}
		room -= len(ids)
		to.After = ids[len(ids)-1]
		if len(x.taken) > 0 {
			ids = slices.DeleteFunc(ids, func(id int64) bool { return x.taken[id] })
		}
		bs = x.cut(bs, c, subtract(ids, gone), now)
	}
	return bs, to, true, nil
}

// leave goes on to the next cell. Whoever moves into it meanwhile must not be
// taken again, and the ledger does not know yet that he was.
func (x *expansion) leave(bs []delivery.Batch) {
	c := x.cells[x.at]
	x.at++
	for _, b := range slices.Backward(bs) {
		if (Cell{Kind: b.Kind, Commune: b.Commune, Language: b.Language}) != c {
			break
		}
		if x.taken == nil {
			x.taken = make(map[int64]bool)
		}
		for _, id := range b.Recipients {
			x.taken[id] = true
		}
	}
}

// cut appends the batches of a cell's ids.
func (x *expansion) cut(bs []delivery.Batch, c Cell, ids []int64, now time.Time) []delivery.Batch {
	if len(ids) == 0 {
		return bs
	}
	t := x.text(c)
	b := delivery.Batch{
		Alert: x.job.Alert, Revision: x.job.Revision,
		Kind: c.Kind, Language: c.Language, Commune: c.Commune,
		Priority: x.job.Priority, Status: x.status, Roster: x.job.Roster,
		Code: x.rev.Code, Expires: x.rev.Expires(), Body: t.body,
	}
	if t.info != nil {
		b.Urgent = t.info.Severity.Grave()
		b.Resend = b.Urgent && x.job.Cause != Scheduled
		if !t.info.Expires.IsZero() {
			b.Expires = t.info.Expires
		}
	}
	if t.err != nil {
		x.refusals[c] = t.err
	}
	for part := range slices.Chunk(ids, delivery.MaxRecipients) {
		b.Recipients = part
		switch {
		case t.err != nil:
			b.Marks = marks(len(part), channels.Failed)
			b.Exceptions = []delivery.Exception{{Fault: channels.FaultContent, Code: RenderCode, At: now}}
		case !now.Before(b.Expires):
			b.Marks = marks(len(part), channels.Expired)
		}
		bs = append(bs, b)
	}
	return bs
}

// RenderCode is the code of the exception that stands, at index 0, in a batch
// that was cut as failed because no text could be made for it.
const RenderCode = "render"

func marks(n int, o channels.Outcome) []delivery.Mark {
	ms := make([]delivery.Mark, n)
	for i := range ms {
		ms[i] = delivery.NewMark(o, 0)
	}
	return ms
}

// text renders what the cell reads, once per channel, commune and language of
// the text.
func (x *expansion) text(c Cell) text {
	if x.commune != c.Commune || x.texts == nil {
		x.commune, x.texts = c.Commune, make(map[Cell]text)
	}
	info, language, ok := infoFor(x.rev, c.Commune, c.Language)
	if !ok {
		return text{err: errNoText}
	}
	key := Cell{Kind: c.Kind, Commune: c.Commune, Language: language}
	t, done := x.texts[key]
	if !done {
		t.info = info
		t.body, t.err = x.render(x.rev, c.Commune, c.Kind, language)
		if t.err == nil && len(t.body) == 0 {
			t.err = errNoText
		}
		x.texts[key] = t
	}
	return t
}

// infoFor picks the text of a commune: in the reader's language, else in
// Vietnamese, else in the language of the first info that covers it.
func infoFor(rev *alert.Revision, commune area.Code, language string) (*alert.Info, string, bool) {
	for _, l := range []string{language, "vi"} {
		if in, ok := rev.InfoFor(commune, l); ok {
			return in, l, true
		}
	}
	for i := range rev.Infos {
		if rev.Infos[i].Covers(commune) {
			l := rev.Infos[i].Lang()
			in, ok := rev.InfoFor(commune, l)
			return in, l, ok
		}
	}
	return nil, "", false
}
