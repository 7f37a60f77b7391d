package desk

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audit"
	"loa/gateway/dispatch"
)

// Nation is the territory that holds every commune.
const Nation area.Code = "VN"

// MaxReason bounds why somebody returned, rejected or stopped, in bytes.
const MaxReason = 2000

// Options is what a Desk needs. All must be set but Complete, Check, Wake
// and Ended.
type Options struct {
	Store     Store
	Authority Authority
	// Expand turns codes of provinces and communes into the communes they hold,
	// sorted, and refuses codes that are unknown or not in force.
	Expand func([]area.Code) ([]area.Code, error)
	// HeadCount counts who would be addressed on each channel.
	HeadCount func(ctx context.Context, communes []area.Code, roster bool) (map[channels.Kind]int, error)
	// Snapshot is the highest endpoint id that is visible now.
	Snapshot func(ctx context.Context) (int64, error)
	Kinds    []channels.Kind // the configured channels
	// Texts says what each text may be used for; under "" an author's own words.
	// A text that is not listed is refused.
	Texts  map[string]alert.TextRule
	Sender string // CAP sender of what this desk issues
	// Agency is what Complete writes of who speaks, its names and how to reach it:
	// the words of no author. An alert that has them says nothing new by them.
	Agency []string
	// Complete writes the texts that come from templates, once Sent is set and
	// before the revision is checked and frozen. It may change infos in place.
	Complete func(ctx context.Context, r *alert.Revision) error
	// Check may refuse a submission for reasons of other rooms.
	Check func(ctx context.Context, s *Submission) error
	Wake  func()                // a request was stored
	Ended func(ids ...alert.ID) // alerts whose sends must not start any more
	Now   func() time.Time      // the injected clock
	Rand  io.Reader             // cryptographic randomness
}

// Desk is where people act on alerts. Safe for concurrent use.
type Desk struct {
	o       Options
	sending chan struct{} // holds one who approves
}

// New makes a Desk.
func New(o Options) *Desk { return &Desk{o: o, sending: make(chan struct{}, 1)} }

// Status shows a case to anybody with a token.
func (d *Desk) Status(ctx context.Context, token channels.Secret, id alert.ID) (*Case, error) {
	if _, err := d.person(ctx, token); err != nil {
		return nil, err
	}
	return d.o.Store.Case(ctx, id)
}

// List shows cases in the states (none: in any) to anybody with a token.
func (d *Desk) List(ctx context.Context, token channels.Secret, states []alert.State, limit int) ([]Case, error) {
	if _, err := d.person(ctx, token); err != nil {
		return nil, err
	}
	return d.o.Store.Cases(ctx, states, limit)
}

func (d *Desk) person(ctx context.Context, token channels.Secret) (Person, error) {
	if token == "" {
		return Person{}, ErrNoAuthority
	}
	id, name, territory, err := d.o.Authority.Person(ctx, token)
	if ctx.Err() != nil {
		return Person{}, ctx.Err()
	}
	if err != nil || id == "" {
		return Person{}, ErrNoAuthority
	}
	return Person{ID: id, Name: name, Territory: territory}, nil
}

// within refuses a person whose territory does not hold every commune.
func (d *Desk) within(p Person, communes []area.Code) error {
	if len(communes) == 0 {
		return fmt.Errorf("%w: no communes", ErrTerritory)
	}
	if p.Territory == Nation {
		return nil
	}
	own, err := d.o.Expand([]area.Code{p.Territory})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTerritory, err)
	}
	for _, c := range communes {
		if _, found := slices.BinarySearch(own, c); !found {
			return fmt.Errorf("%w: commune %s, territory %s", ErrTerritory, c, p.Territory)
		}
	}
	return nil
}

// acting loads the case and its person, who must have authority over it.
func (d *Desk) acting(ctx context.Context, token channels.Secret, id alert.ID) (Person, *Case, error) {
	p, err := d.person(ctx, token)
	if err != nil {
		return p, nil, err
	}
	c, err := d.o.Store.Case(ctx, id)
	if err != nil {
		return p, nil, err
	}
	if c.Submission.Revision == nil {
		return p, nil, ErrNotFound
	}
	return p, c, nil
}

// record writes one act for the audit. Detail holds no address.
func (d *Desk) record(at time.Time, actor, act string, id alert.ID, detail map[string]any) audit.Record {
	text := ""
	if len(detail) > 0 {
		b, err := json.Marshal(detail)
		if err != nil {
			b = []byte(`{"detail":"unreadable"}`)
		}
		text = string(b)
	}
	return audit.Record{At: at, Actor: actor, Act: "alert." + act, Object: "alert/" + string(id), Detail: text}
}

// applyKey scopes a caller's idempotency key to one person's act on one alert.
func applyKey(act alert.Act, id alert.ID, p Person, key string) string {
	if key == "" {
		return ""
	}
	return string(act) + "/" + string(id) + "/" + p.ID + "/" + key
}

// keyed begins the names that are made of an idempotency key.
const keyed = "keyed-"

// newID makes the alert's name: with an idempotency key the same one each time
// for the same person, act and key, so that a repeated call finds what the
// first has made.
func (d *Desk) newID(by, act, key string) (alert.ID, error) {
	now := d.o.Now()
	if key == "" {
		return alert.NewID(now, d.o.Rand)
	}
	h := sha256.New()
	for _, s := range []string{by, act, key} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	id, err := alert.NewID(now, sum{h.Sum(nil)})
	_, rest, _ := strings.Cut(string(id), "-")
	return alert.ID(keyed + rest), err
}

// sum reads as the bytes of a hash.
type sum struct{ b []byte }

func (s sum) Read(p []byte) (int, error) { return copy(p, s.b), nil }

// existing loads what an earlier call with the same key has made, or nil.
func (d *Desk) existing(ctx context.Context, id alert.ID) (*Case, error) {
	if !strings.HasPrefix(string(id), keyed) {
		return nil, nil //nolint:nilnil // nothing was made, and that is no error
	}
	c, err := d.o.Store.Case(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil, nil //nolint:nilnil // as above
	}
	return c, err
}

func (d *Desk) woke() {
	if d.o.Wake != nil {
		d.o.Wake()
	}
}

func (d *Desk) ended(ids ...alert.ID) {
	if d.o.Ended != nil && len(ids) > 0 {
		d.o.Ended(ids...)
	}
}

func clip(reason string) string {
	if len(reason) <= MaxReason {
		return reason
	}
	return strings.ToValidUTF8(reason[:MaxReason], "")
}

// intent is the queue intent of an approved submission.
func (d *Desk) intent(ctx context.Context, c *Case) ([]dispatch.Request, error) {
	snapshot, err := d.o.Snapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("desk: snapshot of the audience: %w", err)
	}
	s := &c.Submission
	r := dispatch.Request{
		Key:   "alert/" + s.Revision.Identifier,
		Alert: c.ID, Revision: s.Revision.Number, Cause: s.Cause,
		Priority: dispatch.PriorityOf(s.Cause, s.Revision.Severity()),
		Kinds:    s.Kinds, Snapshot: snapshot, Roster: s.Revision.Status != alert.Actual,
	}
	if s.toReached() {
		r.Reached = s.Replaces
	} else {
		r.Areas = s.Communes
	}
	return []dispatch.Request{r}, r.Validate()
}
