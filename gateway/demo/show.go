package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"loa/channels"
	"loa/gateway/coverage"
)

func kindName(k channels.Kind) string {
	switch k {
	case channels.SMS:
		return "SMS"
	case channels.WebPush:
		return "Web push"
	case channels.App:
		return "Ứng dụng"
	default:
		return string(k)
	}
}

func (p *play) say(format string, args ...any) {
	_, _ = fmt.Fprintf(p.Out, format+"\n", args...)
}

const (
	lookEvery = 250 * time.Millisecond
	giveUp    = 10 * time.Minute
)

// watch shows the progress until every recipient has come to an end and the
// stand-ins have reported everything.
func (p *play) watch(ctx context.Context) error {
	bound, cancel := context.WithTimeoutCause(ctx, giveUp, errors.New("the alert did not finish in ten minutes"))
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	drawn, lines, shown := 0, 0, progress{people: p.byKind()}
	for {
		second, err := p.g.Second(bound, p.alert, 1)
		if err != nil {
			return err
		}
		cells, err := p.g.Coverage.Cells(bound, p.alert, 1)
		if err != nil {
			return err
		}
		totals := coverage.Totals(cells)
		ended, err := p.ended(bound, totals)
		if err != nil {
			return err
		}
		switch {
		case p.Terminal:
			drawn = p.bars(shown.look(totals, second.Waiting), drawn)
		case ended || lines%8 == 0:
			p.lines(shown.look(totals, second.Waiting))
		}
		lines++
		if ended {
			if p.finished.IsZero() {
				p.finished = time.Now()
			}
			if err := p.World.Settle(bound); err != nil {
				return err
			}
			if cells, err = p.g.Coverage.Cells(bound, p.alert, 1); err != nil {
				return err
			}
			if ended, err = p.ended(bound, coverage.Totals(cells)); ended || err != nil {
				return err
			}
			p.finished = time.Time{}
		}
		select {
		case <-bound.Done():
			return context.Cause(bound)
		case <-tick.C:
		}
	}
}

// ended reports whether everybody drawn has come to an outcome and no second
// attempt waits for its time.
func (p *play) ended(ctx context.Context, totals map[channels.Kind]coverage.Cell) (bool, error) {
	eligible := 0
	for _, c := range totals {
		eligible += c.Eligible()
		if c.Count(channels.Pending)+c.Count(channels.Sending) > 0 {
			return false, nil
		}
	}
	if eligible != len(p.people) {
		return false, nil
	}
	open, err := p.g.Outstanding(ctx)
	return open == 0, err
}

// reached counts everybody a provider took.
func reached(c coverage.Cell) int {
	return c.Count(channels.Accepted) + c.Count(channels.Delivered) + c.Count(channels.Confirmed)
}

const barWidth = 30

func (p *play) bars(rows []row, drawn int) int {
	if drawn > 0 {
		_, _ = fmt.Fprintf(p.Out, "\x1b[%dA", drawn)
	}
	for _, r := range rows {
		full := barWidth * r.done / max(r.people, 1)
		_, _ = fmt.Fprintf(p.Out, "\x1b[2K%-9s %s%s %3d %%  %s\n", kindName(r.kind), strings.Repeat("█", full), strings.Repeat("░", barWidth-full), 100*r.done/max(r.people, 1), r)
	}
	return len(rows)
}

func (p *play) lines(rows []row) {
	for _, r := range rows {
		p.say("%-9s %s", kindName(r.kind), r)
	}
}

// table shows each commune, those with most people not reached first.
func (p *play) table(ctx context.Context) error {
	cells, err := p.g.Coverage.Cells(ctx, p.alert, 1)
	if err != nil {
		return err
	}
	type place struct {
		name                      string
		eligible, reached, missed int
		byKind                    map[channels.Kind]coverage.Cell
	}
	rows := map[string]*place{}
	for _, c := range cells {
		r := rows[string(c.Commune)]
		if r == nil {
			u, _ := p.g.Areas.Unit(c.Commune)
			r = &place{name: u.FullName, byKind: map[channels.Kind]coverage.Cell{}}
			rows[string(c.Commune)] = r
		}
		r.eligible += c.Eligible()
		r.reached += reached(c)
		r.missed = r.eligible - r.reached
		r.byKind[c.Kind] = c
	}
	sorted := make([]*place, 0, len(rows))
	for _, r := range rows {
		sorted = append(sorted, r)
	}
	slices.SortFunc(sorted, func(a, b *place) int {
		if a.missed != b.missed {
			return b.missed - a.missed
		}
		return strings.Compare(a.name, b.name)
	})
	w := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "Chưa tới\tĐã nhận\tThuê bao\tSMS\tWeb push\tỨng dụng\t  Xã, phường, đặc khu")
	for _, r := range sorted {
		_, _ = fmt.Fprintf(w, "%d\t%d\t%d\t%s\t%s\t%s\t  %s\n", r.missed, r.reached, r.eligible,
			share(r.byKind[channels.SMS]), share(r.byKind[channels.WebPush]), share(r.byKind[channels.App]), r.name)
	}
	return w.Flush()
}

func share(c coverage.Cell) string {
	if c.Eligible() == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/%d", reached(c), c.Eligible())
}
