package demo

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"loa/channels"
	"loa/gateway/coverage"
)

// TestProgress looks three times: before anybody is counted, while second
// attempts are to come, and at the end.
func TestProgress(t *testing.T) {
	t.Parallel()
	cell := func(counts map[channels.Outcome]int) map[channels.Kind]coverage.Cell {
		c := coverage.Cell{Kind: channels.SMS}
		for o, n := range counts {
			c.Counts[o] = n
		}
		return map[channels.Kind]coverage.Cell{channels.SMS: c}
	}
	p := progress{people: map[channels.Kind]int{channels.SMS: 100}}
	for _, c := range []struct {
		totals  map[channels.Kind]coverage.Cell
		waiting int
		done    int
		says    string
	}{
		{nil, 0, 0, "0/100 đã nhận vào mạng, 0 báo đã đến máy, 0 không gửi được"},
		{cell(map[channels.Outcome]int{channels.Pending: 20, channels.Delivered: 70, channels.Failed: 10}), 7, 73, "70/100 đã nhận vào mạng, 70 báo đã đến máy, 3 không gửi được, 7 chờ gửi lại"},
		{cell(map[channels.Outcome]int{channels.Delivered: 96, channels.Failed: 4}), 0, 100, "96/100 đã nhận vào mạng, 96 báo đã đến máy, 4 không gửi được"},
	} {
		rows := p.look(c.totals, c.waiting)
		if d := cmp.Diff(c.says, rows[0].String()); len(rows) != len(shares) || rows[0].done != c.done || d != "" {
			t.Errorf("%d done, want %d: %s", rows[0].done, c.done, d)
		}
	}
}
