package demo

import (
	"fmt"

	"loa/channels"
	"loa/gateway/coverage"
)

// progress is what a terminal shows of an alert that is being sent.
type progress struct {
	people   map[channels.Kind]int // drawn
	failures coverage.Failures
}

// row is a channel's line of it. Everybody who was drawn is counted from the
// first line on, and has not failed as long as a second send will follow.
type row struct {
	kind                                              channels.Kind
	people, done, reached, delivered, failed, waiting int
}

// look makes the lines from the counts so far, when so many wait for a second
// send.
func (p *progress) look(totals map[channels.Kind]coverage.Cell, waiting int) []row {
	rows := make([]row, 0, len(shares))
	for _, s := range shares {
		c := totals[s.kind]
		failed := c.Count(channels.Failed)
		r := row{
			kind: s.kind, people: p.people[s.kind], reached: reached(c),
			delivered: c.Count(channels.Delivered) + c.Count(channels.Confirmed), failed: p.failures.Lasting(s.kind, failed, waiting),
		}
		r.waiting = failed - r.failed
		r.done = c.Eligible() - c.Count(channels.Pending) - c.Count(channels.Sending) - r.waiting
		rows = append(rows, r)
	}
	return rows
}

func (r row) String() string {
	text := fmt.Sprintf("%d/%d đã nhận vào mạng, %d báo đã đến máy, %d không gửi được", r.reached, r.people, r.delivered, r.failed)
	if r.waiting > 0 {
		text += fmt.Sprintf(", %d chờ gửi lại", r.waiting)
	}
	return text
}

// byKind counts the people who were drawn.
func (p *play) byKind() map[channels.Kind]int {
	n := make(map[channels.Kind]int)
	for _, r := range p.people {
		n[r.kind]++
	}
	return n
}
