package delivery

import "loa/channels"

// rank orders outcomes of one attempt by the strength of their evidence.
func rank(o channels.Outcome) int {
	switch o {
	case channels.Pending:
		return 0
	case channels.Sending:
		return 1
	case channels.Cancelled, channels.Expired:
		return 2
	case channels.Ambiguous:
		return 3
	case channels.Accepted:
		return 4
	case channels.Failed:
		return 5
	case channels.Delivered:
		return 6
	case channels.Confirmed:
		return 7
	default:
		return -1
	}
}

// Merge folds evidence into a mark and reports whether the evidence applies.
// Delivered or confirmed of any attempt wins; otherwise the later attempt does,
// and within one attempt the stronger evidence. Whatever wins, the mark keeps
// the latest attempt, whose call may still be open. Merging is idempotent, and
// the order in which evidence arrives does not matter.
func Merge(m Mark, attempt uint8, o channels.Outcome) (Mark, bool) {
	next := NewMark(o, attempt)
	latest := max(m.Attempt(), next.Attempt())
	if wins(next, m) {
		return NewMark(o, latest), true
	}
	return NewMark(m.Outcome(), latest), false
}

// Open reports whether a call may still be open while the batch is leased: the
// recipient is sending, or an earlier call was proved to have arrived while
// another was made.
func (m Mark) Open() bool {
	return m.Outcome() == channels.Sending || rank(m.Outcome()) >= proof && m.Attempt() > 1
}

const proof = 6 // rank of Delivered

func wins(a, b Mark) bool {
	ra, rb := rank(a.Outcome()), rank(b.Outcome())
	if (ra >= proof) != (rb >= proof) {
		return ra >= proof
	}
	if ra >= proof && ra != rb {
		return ra > rb
	}
	if a.Attempt() != b.Attempt() {
		return a.Attempt() > b.Attempt()
	}
	return ra > rb
}
