package dispatch

import (
	"context"
	"fmt"

	"loa/gateway/delivery"
)

// refusedCells are the cells whose batches are cut as failed.
func refusedCells(j Job, bs []delivery.Batch, refusals map[Cell]error) (rs []Refusal) {
	for _, b := range bs {
		if b.Exceptions == nil {
			continue
		}
		c := Cell{Kind: b.Kind, Commune: b.Commune, Language: b.Language}
		if n := len(rs); n > 0 && rs[n-1].Cell == c {
			rs[n-1].Recipients += len(b.Recipients)
			continue
		}
		rs = append(rs, Refusal{Key: j.Key, Code: RefusedRender, Alert: j.Alert, Revision: j.Revision, Cell: c, Recipients: len(b.Recipients), Err: refusals[c]})
	}
	return rs
}

// note keeps refusals for people. It comes before the commit that they belong
// to: after a crash between the two they are noted again, never lost.
func (d *Dispatcher) note(ctx context.Context, rs ...Refusal) error {
	if len(rs) == 0 {
		return nil
	}
	if err := d.o.Store.Note(ctx, d.o.Now(), rs...); err != nil {
		return fmt.Errorf("note what is not sent: %w", err)
	}
	return nil
}

// refuse finishes a request without cutting anything.
func (d *Dispatcher) refuse(ctx context.Context, j Job, why error) error {
	return d.refuseAs(ctx, j, RefusedRequest, why, func() error { return d.finish(ctx, j) })
}

// quarantine sets aside a request that cannot be read.
func (d *Dispatcher) quarantine(ctx context.Context, j Job) error {
	return d.refuseAs(ctx, j, RefusedUnreadable, j.Err, func() error { return d.o.Store.Quarantine(ctx, j.Key) })
}

func (d *Dispatcher) refuseAs(ctx context.Context, j Job, code string, why error, end func() error) error {
	r := Refusal{Key: j.Key, Code: code, Alert: j.Alert, Revision: j.Revision, Err: why}
	if err := d.note(ctx, r); err != nil {
		return err
	}
	if err := end(); err != nil {
		return err
	}
	d.refused.Inc()
	d.log.ErrorContext(ctx, "a request was refused; nothing is sent", "request", j.Key, "alert", string(j.Alert), "code", code, "error", why)
	d.tell(r)
	return nil
}
