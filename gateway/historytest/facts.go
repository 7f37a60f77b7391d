package historytest

import (
	"cmp"
	"fmt"
	"slices"

	"loa/channels"
	"loa/gateway/alert"
)

// facts are a history, folded into what the checks ask for. Sends are kept in
// flat slices and each recipient in one slot, so that a million events fit.
type facts struct {
	seen map[Kind]int
	last int64 // the latest time of any event

	revisions []*revision
	byName    map[revisionName]int32
	batches   map[int64]*batch
	slots     []slot
	bySlot    map[slotKey]int32
	channels  []channels.Kind
	providers []string

	calls    []Event // of clients
	sends    []send
	open     map[callKey]int32 // calls without an answer, by what they are
	marks    []send
	books    []book
	booked   map[channels.Kind]int
	outcomes []outcome
	claims   map[int64][]claim
	judged   bool // calls and their answers were recorded: what was in doubt is known
	backlogs []Event
	streams  []Event
	audit    []Event
	known    map[callKey]int64 // when evidence that the provider took an attempt was durable
}

type revisionName struct {
	alert    string
	revision int
}

func (n revisionName) String() string { return fmt.Sprintf("%s revision %d", n.alert, n.revision) }

// revision is what the desk knows of one.
type revision struct {
	name        revisionName
	submit      *Event
	approvals   []Event
	expires     int64  // 0: not known
	cancelled   int64  // 0: never
	endedBy     string // audit act of the stop, if it is another than a stop's
	forGood     bool   // it was stopped and nobody meant to correct it
	updated     bool   // what took its place goes to the area, so that no correction is due
	groups      []group
	corrections []Event
	snapshots   map[channels.Kind]bool
}

// group is the part of a snapshot that lives in one commune.
type group struct {
	channel channels.Kind
	commune string
	n       int
}

type batch struct {
	rev     int32
	channel uint8
	commune string
	ids     []int64
}

type slotKey struct {
	rev       int32
	channel   uint8
	recipient int64
}

// slot is one recipient of one revision on one channel.
type slot struct {
	slotKey
	eligible  bool
	corrected bool // among those a correction went to
	told      bool // an outcome of it is durable
	reason    bool
	state     channels.Outcome
	copies    uint8 // the provider's books hold
	fell      uint8 // of those, reported as not arrived
	instead   uint8 // of those, taken after one that did not arrive
	doubtful  uint8 // attempts that may have been accepted
	answered  int64 // when its last call ended, or was known to have been taken
}

// callKey names an attempt.
type callKey struct {
	batch   int64
	index   int32
	attempt uint8
}

const whole = -1 // index of a call for all of a batch

// send is a call to a provider, or the mark before it.
type send struct {
	callKey
	at, end  int64 // end 0: never answered
	fence    int64
	rev      int32
	provider uint16
	channel  uint8
	priority uint8 // 0 to 3, or noPriority
	status   alert.Status
	live     bool
	roster   bool
	answer   string
}

const noPriority = 255

type book struct {
	at        int64
	ref       callKey // batch 0: named otherwise
	rev       int32   // -1: no such
	recipient int64
	slot      int32 // -1: nobody's
	provider  uint16
	channel   uint8
	taken     bool
	untold    bool // taken, and the caller was not told so
	fell      bool // taken, and reported as not arrived
}

type outcome struct {
	callKey
	at     int64
	fence  int64
	state  channels.Outcome
	reason bool
}

type claim struct{ at, fence int64 }

// gather reads a history whole.
func gather(h History) (*facts, error) {
	f := &facts{
		seen: map[Kind]int{}, byName: map[revisionName]int32{}, batches: map[int64]*batch{}, bySlot: map[slotKey]int32{},
		open: map[callKey]int32{}, known: map[callKey]int64{}, claims: map[int64][]claim{}, booked: map[channels.Kind]int{},
	}
	for e, err := range h {
		if err != nil {
			return nil, err
		}
		f.seen[e.Kind]++
		f.last = max(f.last, e.T)
		if err := f.take(&e); err != nil {
			return nil, fmt.Errorf("%s at %d by %s: %w", e.Kind, e.T, e.Node, err)
		}
	}
	f.resolve()
	return f, nil
}

func (f *facts) take(e *Event) error {
	switch e.Kind {
	case KindCall:
		f.calls = append(f.calls, *e)
	case KindSubmit, KindApproval, KindEligible, KindExpiry, KindCancel, KindCorrection:
		f.takeAct(e)
	case KindBatch:
		rev, _ := f.rev(e.Alert, e.Revision)
		f.batches[e.Batch] = &batch{rev: rev, channel: f.channel(e.Channel), commune: e.Commune, ids: e.IDs}
	case KindClaim:
		f.claims[e.Batch] = append(f.claims[e.Batch], claim{e.T, e.Fence})
	case KindMark, KindRequest, KindAnswer:
		return f.takeSend(e)
	case KindBook:
		return f.takeBook(e)
	case KindOutcome:
		return f.takeOutcome(e)
	case KindBacklog:
		f.backlogs = append(f.backlogs, *e)
	case KindStream:
		f.streams = append(f.streams, *e)
	case KindAudit:
		f.audit = append(f.audit, *e)
	case KindReceipt:
		return f.takeReceipt(e)
	case KindCallback: // counted; what it proved stands in outcomes
	default:
		return fmt.Errorf("kind %q: not one this checker knows", e.Kind)
	}
	return nil
}

func (f *facts) takeAct(e *Event) {
	_, r := f.rev(e.Alert, e.Revision)
	switch e.Kind {
	case KindSubmit:
		r.submit = new(*e)
		r.ends(e.Expires)
	case KindApproval:
		r.approvals = append(r.approvals, *e)
	case KindExpiry:
		r.ends(e.Expires)
	case KindCancel:
		for i := 1; i <= e.Revision; i++ {
			if _, ok := f.byName[revisionName{e.Alert, i}]; ok || i == e.Revision {
				_, r := f.rev(e.Alert, i)
				if r.cancelled == 0 || e.T < r.cancelled {
					r.cancelled, r.endedBy, r.updated = e.T, e.Op, e.Reason == Updated
				}
				r.forGood = r.forGood || e.Reason == ForGood
			}
		}
	case KindCorrection:
		r.corrections = append(r.corrections, *e)
	case KindEligible:
		if r.snapshots == nil {
			r.snapshots = map[channels.Kind]bool{}
		}
		r.snapshots[e.Channel] = true
		r.groups = append(r.groups, group{e.Channel, e.Commune, len(e.IDs)})
		rev := f.byName[r.name]
		for _, id := range e.IDs {
			f.person(rev, f.channel(e.Channel), id).eligible = true
		}
	}
}

// ends keeps the earliest end named.
func (r *revision) ends(at int64) {
	if at != 0 && (r.expires == 0 || at < r.expires) {
		r.expires = at
	}
}

func (f *facts) takeSend(e *Event) error {
	indexes, err := e.indexes()
	if err != nil {
		return err
	}
	for _, i := range indexes {
		k := callKey{e.Batch, i, e.Attempt}
		if e.Kind == KindAnswer {
			at, ok := f.open[k]
			if !ok {
				return fmt.Errorf("batch %d, index %d, attempt %d: answers no call", k.batch, k.index, k.attempt)
			}
			f.sends[at].end, f.sends[at].answer = e.T, word(e.Outcome)
			delete(f.open, k)
			continue
		}
		s := send{callKey: k, at: e.T, fence: e.Fence, rev: -1, channel: f.channel(e.Channel), provider: f.provider(e.Provider),
			priority: priority(e.Priority), status: alert.Status(word(string(e.Status))), live: e.Live, roster: e.Roster}
		if e.Kind == KindMark {
			f.marks = append(f.marks, s)
			continue
		}
		f.open[k] = int32(len(f.sends)) //nolint:gosec // far below 2^31 calls
		f.sends = append(f.sends, s)
	}
	return nil
}

func (f *facts) takeBook(e *Event) error {
	b := book{at: e.T, rev: -1, slot: -1, recipient: e.Recipient, channel: f.channel(e.Channel), provider: f.provider(e.Provider)}
	switch e.Outcome {
	case "accepted":
		b.taken, b.fell = true, e.Reason == Undelivered
		b.untold = e.Reason != "" && !b.fell
	case Refused, Dropped:
	default:
		return fmt.Errorf("outcome %q: must be accepted, %s or %s", e.Outcome, Refused, Dropped)
	}
	f.booked[e.Channel]++
	switch {
	case e.Ref != "":
		k, err := ReadRef(e.Ref)
		if err != nil {
			break // nobody's: the phantom check tells
		}
		b.ref = callKey{k.Batch, int32(k.Index), k.Attempt} //nolint:gosec // 16 bits
	case e.Batch != 0:
		b.ref = callKey{e.Batch, int32(e.Index), e.Attempt} //nolint:gosec // a batch has at most 1,000
	case e.Alert != "":
		b.rev, _ = f.rev(e.Alert, e.Revision)
	}
	f.books = append(f.books, b)
	return nil
}

func (f *facts) takeOutcome(e *Event) error {
	state := slices.IndexFunc(channels.AllOutcomes(), func(o channels.Outcome) bool { return o.String() == e.Outcome })
	if state < 0 {
		return fmt.Errorf("outcome %q: not one of %v", e.Outcome, channels.AllOutcomes())
	}
	indexes, err := e.indexes()
	for _, i := range indexes {
		f.outcomes = append(f.outcomes, outcome{callKey{e.Batch, i, e.Attempt}, e.T, e.Fence, channels.Outcome(state), e.Reason != ""}) //nolint:gosec // a few outcomes
	}
	return err
}

// indexes are the recipients of its batch that an event is about.
func (e *Event) indexes() ([]int32, error) {
	if e.Batch == 0 {
		return nil, fmt.Errorf("batch: missing")
	}
	if e.Whole {
		return []int32{whole}, nil
	}
	if e.Indexes == nil {
		return []int32{int32(e.Index)}, nil //nolint:gosec // a batch has at most 1,000
	}
	out := make([]int32, len(e.Indexes))
	for i, at := range e.Indexes {
		out[i] = int32(at) //nolint:gosec // a batch has at most 1,000
	}
	return out, nil
}

func (f *facts) rev(name string, number int) (int32, *revision) {
	n := revisionName{name, number}
	i, ok := f.byName[n]
	if !ok {
		i = int32(len(f.revisions)) //nolint:gosec // few
		f.byName[n] = i
		f.revisions = append(f.revisions, &revision{name: n})
	}
	return i, f.revisions[i]
}

func (f *facts) slot(rev int32, channel uint8, recipient int64) int32 {
	k := slotKey{rev, channel, recipient}
	i, ok := f.bySlot[k]
	if !ok {
		i = int32(len(f.slots)) //nolint:gosec // far below 2^31 recipients
		f.bySlot[k] = i
		f.slots = append(f.slots, slot{slotKey: k})
	}
	return i
}

// person is a slot, until the next is made.
func (f *facts) person(rev int32, channel uint8, recipient int64) *slot {
	i := f.slot(rev, channel, recipient)
	return &f.slots[i]
}

func (f *facts) channel(k channels.Kind) uint8 { return uint8(number(&f.channels, k)) }      //nolint:gosec // five
func (f *facts) provider(name string) uint16   { return uint16(number(&f.providers, name)) } //nolint:gosec // few

// number keeps each value once and gives its place.
func number[T comparable](list *[]T, v T) int {
	if i := slices.Index(*list, v); i >= 0 {
		return i
	}
	*list = append(*list, v)
	return len(*list) - 1
}

// words that repeat a million times are kept once.
var words = func() map[string]string {
	all := map[string]string{}
	for _, o := range channels.AllOutcomes() {
		all[o.String()] = o.String()
	}
	for _, x := range channels.AllFaults() {
		all[x.String()] = x.String()
	}
	for _, s := range alert.Statuses {
		all[string(s)] = string(s)
	}
	return all
}()

func word(s string) string {
	if w, ok := words[s]; ok {
		return w
	}
	return s
}

func priority(s string) uint8 {
	if len(s) == 2 && s[0] == 'p' && s[1] >= '0' && s[1] <= '3' {
		return s[1] - '0'
	}
	return noPriority
}

func byTime[T any](list []T, at func(*T) int64) {
	slices.SortStableFunc(list, func(a, b T) int { return cmp.Compare(at(&a), at(&b)) })
}
