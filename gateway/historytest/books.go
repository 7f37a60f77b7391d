package historytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"loa/channels"
)

// Join is several histories as one.
func Join(hs ...History) History {
	return func(yield func(Event, error) bool) {
		for _, h := range hs {
			for e, err := range h {
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}

// smsLine is what counts of a line of the SMS stand-in's books.
type smsLine struct {
	SID    string    `json:"sid"`
	To     string    `json:"to"`
	Ref    string    `json:"ref"`
	Status string    `json:"status"`
	At     time.Time `json:"at"`
	told
}

// reason adds that the carrier reported the message as not delivered.
func (l smsLine) reason() string {
	if l.Status == "undelivered" {
		return Undelivered
	}
	return l.told.reason()
}

// told is what a line may say of its answer.
type told struct {
	Taken  *bool `json:"taken"`  // false: a request that was refused, which is no entry
	Answer *int  `json:"answer"` // HTTP status that the caller was told, 0 for none
	Mono   int64 `json:"mono"`   // when, of the monotonic clock; 0 if it was not kept
}

// errRefused marks a line that is no entry.
var errRefused = errors.New("not taken")

// at is when the line was written, on the monotonic clock.
func (t told) at(run Run, wall time.Time) int64 {
	if t.Mono > 0 {
		return t.Mono
	}
	return run.Place(wall)
}

func (t told) refused() bool { return t.Taken != nil && !*t.Taken }

// reason marks a message that was taken and whose caller was told otherwise, or
// nothing.
func (t told) reason() string {
	if t.Answer == nil || *t.Answer/100 == 2 {
		return ""
	}
	return fmt.Sprintf("answered %d", *t.Answer)
}

// SMSBooks reads the books file of the SMS stand-in: one entry for each message
// it took, named by its delivery reference. Who says which recipient a number
// belongs to, 0 if none (which makes the message a phantom); without it the
// reference alone is believed. No number enters the history. A torn line was
// never answered and is left out.
func SMSBooks(path, provider string, run Run, who func(number string) int64) History {
	return books(path, func(l smsLine) (Event, error) {
		if l.refused() {
			return Event{}, errRefused
		}
		e := Event{T: l.at(run, l.At), Kind: KindBook, Channel: channels.SMS, Provider: provider, Ref: l.Ref, Outcome: channels.Accepted.String(), Reason: l.reason()}
		if l.SID == "" || l.At.IsZero() {
			return e, fmt.Errorf("sid and at: must be set")
		}
		if who != nil {
			if e.Recipient = who(l.To); e.Recipient == 0 {
				e.Ref, e.Recipient = "", nobody
			}
		}
		return e, nil
	})
}

// nobody is a recipient that no endpoint can be.
const nobody = -1

// pushLine is what counts of a line of the push stand-in's books.
type pushLine struct {
	Subscription *int      `json:"subscription"`
	Alert        string    `json:"alert"`
	Revision     int       `json:"revision"`
	At           time.Time `json:"at"`
	told
}

// PushBooks reads the books file of the push stand-in: one entry for each
// message it took, named by alert, revision and subscription. Who says which
// recipient holds a subscription, 0 if none.
func PushBooks(path, provider string, run Run, who func(subscription int) int64) History {
	return books(path, func(l pushLine) (Event, error) {
		if l.refused() {
			return Event{}, errRefused
		}
		if l.Subscription == nil || l.At.IsZero() {
			return Event{}, fmt.Errorf("subscription and at: must be set")
		}
		return Event{
			T: l.at(run, l.At), Kind: KindBook, Channel: channels.WebPush, Provider: provider, Outcome: channels.Accepted.String(),
			Alert: l.Alert, Revision: l.Revision, Recipient: orNobody(who(*l.Subscription)), Reason: l.reason(),
		}, nil
	})
}

func orNobody(id int64) int64 {
	if id == 0 {
		return nobody
	}
	return id
}

func books[L any](path string, read func(L) (Event, error)) History {
	return func(yield func(Event, error) bool) {
		n := 0
		eachLine(path, func(line []byte) error {
			n++
			var l L
			if err := json.Unmarshal(line, &l); err != nil {
				return fmt.Errorf("historytest: books line %d: not an entry", n) // its text may hold a number
			}
			e, err := read(l)
			if errors.Is(err, errRefused) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("historytest: books line %d: %w", n, err)
			}
			if !yield(e, nil) {
				return errEnough
			}
			return nil
		}, yield)
	}
}

// Shown is one message that one app install was shown, as a crowd's books say.
type Shown struct {
	Install  int
	Alert    string
	Revision int
	Language string
	Copies   int
	First    time.Time
}

// AppBooks turns what installs were shown into entries of the books and events
// of each install's stream. Such books know no positions: they show repeats,
// but a gap only as a recipient that was never reached (I1).
func AppBooks(shown iter.Seq[Shown], run Run, who func(install int) int64) History {
	return func(yield func(Event, error) bool) {
		for s := range shown {
			at := run.Place(s.First)
			id := who(s.Install)
			if id != 0 { // an anonymous listener is nobody's recipient
				e := Event{T: at, Kind: KindBook, Channel: channels.App, Provider: string(channels.App), Outcome: channels.Accepted.String(),
					Alert: s.Alert, Revision: s.Revision, Recipient: id}
				if !yield(e, nil) {
					return
				}
			}
			for range s.Copies {
				e := Event{T: at, Kind: KindStream, ID: fmt.Sprintf("%d %s", s.Install, s.Language), Alert: s.Alert, Revision: s.Revision}
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// appLine is a line of the app crowd's books: a frame that an install got.
type appLine struct {
	Install  int       `json:"install"`
	Frame    string    `json:"kind"` // welcome or alert
	Alert    string    `json:"alert"`
	Revision int       `json:"revision"`
	Language string    `json:"language"`
	At       time.Time `json:"at"`
	told
}

// AppFile reads the books file of the app crowd, as AppBooks does what it
// remembers: an entry for the first copy that an install of a recipient got, an
// event of the install's stream for every copy. A welcome is a resync: what is
// in force is told anew.
func AppFile(path string, run Run, who func(install int) int64) History {
	type copyOf struct {
		install int
		revisionName
	}
	return func(yield func(Event, error) bool) {
		seen := map[copyOf]bool{}
		for e, err := range appFrames(path, run) {
			if err != nil {
				yield(e.event, err)
				return
			}
			key := copyOf{e.install, revisionName{e.event.Alert, e.event.Revision}}
			if id := who(e.install); id != 0 && !e.event.Resync && !seen[key] {
				b := e.event
				b.Kind, b.ID, b.Channel, b.Provider, b.Outcome, b.Recipient = KindBook, "", channels.App, string(channels.App), channels.Accepted.String(), id
				if !yield(b, nil) {
					return
				}
			}
			seen[key] = true
			if !yield(e.event, nil) {
				return
			}
		}
	}
}

type appFrame struct {
	install int
	event   Event
}

func appFrames(path string, run Run) iter.Seq2[appFrame, error] {
	return func(yield func(appFrame, error) bool) {
		var install int
		for e, err := range books(path, func(l appLine) (Event, error) {
			install = l.Install
			e := Event{T: l.at(run, l.At), Kind: KindStream, ID: fmt.Sprintf("%d %s", l.Install, l.Language), Alert: l.Alert, Revision: l.Revision}
			switch {
			case l.At.IsZero():
				return e, fmt.Errorf("at: must be set")
			case l.Frame == "welcome":
				e.Resync = true
			case l.Frame != "alert" || l.Alert == "" || l.Revision < 1:
				return e, fmt.Errorf("kind, alert and revision: must be set")
			}
			return e, nil
		}) {
			if !yield(appFrame{install, e}, err) {
				return
			}
		}
	}
}
