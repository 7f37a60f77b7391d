// Package smpp sends short messages to a carrier's message centre over SMPP 3.4
// and takes its delivery receipts.
//
// It implements the contract of package channels and must know nothing of
// alerts, people, storage or queues. gosmpp is used for the shapes of PDUs
// alone; connections, deadlines, sequence numbers and the meaning of every
// answer are decided here.
//
// SMPP has no callback URL and no field of free text that a receipt brings
// back, so a receipt is matched by the carrier's message identifiers, which
// this process keeps in memory, the newest 131,072 of them. A receipt for a
// message sent before a restart, or sent by another gateway under the same
// system_id, is taken and says nothing: such a message stays "accepted". Give
// each gateway a system_id of its own.
package smpp

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"loa/channels"
)

const (
	driverName  = "smpp"
	maxValidity = 24 * time.Hour         // many centres refuse longer ones
	partPause   = 250 * time.Millisecond // before a refused later part is tried again
)

// Driver describes the SMPP driver. Its value is a channels.Sender,
// channels.Checker and io.Closer, and tells by Concurrency() int how many
// messages it has under way at once. It is no channels.Lookup: query_sm needs
// the identifier that an ambiguous answer has not brought.
func Driver() channels.Driver {
	return channels.Driver{Name: driverName, Kind: channels.SMS, Open: open}
}

type sender struct {
	cfg       config
	deps      channels.Deps
	live      bool
	link      *link
	receipts  *receipts
	reference atomic.Uint32 // of concatenated messages
}

func open(decode func(any) error, d channels.Deps) (any, error) {
	var cfg config
	if err := decode(&cfg); err != nil {
		return nil, err
	}
	if d.Sink == nil || d.Now == nil || d.Log == nil {
		return nil, errors.New("smpp: sink, clock and log are needed")
	}
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("smpp: %w", err)
	}
	live, err := cfg.reaches(d.Origin)
	if err != nil {
		return nil, fmt.Errorf("smpp: %w", err)
	}
	life, end := context.WithCancel(context.Background()) //nolint:forbidigo // of the connection, which outlives every call
	s := &sender{cfg: cfg, deps: d, live: live, receipts: newReceipts(life, d)}
	s.reference.Store(rand.Uint32()) // #nosec G404 -- numbers the parts of a text, guards nothing
	s.link = newLink(life, end, &s.cfg, s.receipts, d.Log)
	return s, nil
}

// String and GoString keep the credentials out of whatever prints the driver:
// a masked type in a field that is not exported prints itself in the clear.
func (s *sender) String() string { return driverName }

// GoString is String.
func (s *sender) GoString() string { return driverName }

// Kind is channels.SMS.
func (s *sender) Kind() channels.Kind { return channels.SMS }

// Provider is the driver's name.
func (s *sender) Provider() string { return driverName }

// Originator is the name or number under which messages go out.
func (s *sender) Originator() string { return s.cfg.From }

// Live reports whether messages reach real people: always, but at the
// stand-in's admitted origin.
func (s *sender) Live() bool { return s.live }

// Concurrency is how many messages may wait for the carrier's answer at once.
func (s *sender) Concurrency() int { return s.cfg.Window }

// Close unbinds and waits for what the driver has started.
func (s *sender) Close() error {
	s.link.close()
	s.receipts.close()
	return nil
}

// Check binds with the credentials, or asks a connection that is bound already,
// and sends nothing to anybody.
func (s *sender) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.timeout)
	defer cancel()
	session, err := s.link.acquire(ctx)
	if err != nil {
		return fmt.Errorf("smpp: bind: %w", err)
	}
	if err := session.enquire(ctx); err != nil {
		return fmt.Errorf("smpp: enquire_link: %w", err)
	}
	return nil
}

// Send hands one message to the carrier, each part of a long one after the part
// before it was taken. Accepted means that the carrier took every part. When
// the first part is refused, nothing was taken and the fault is the carrier's;
// when a later one cannot be handed over in time, the person may be shown a
// part of the text, and so the answer is ambiguous.
func (s *sender) Send(ctx context.Context, m channels.Message) (channels.Ack, error) {
	if err := s.refuse(m); err != nil {
		return channels.Ack{}, err
	}
	parts, coding := split(string(m.Body))
	if len(parts) > math.MaxUint8 {
		return channels.Ack{}, &channels.Error{Fault: channels.FaultContent, Err: errors.New("body: more than 255 parts")}
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.timeout)
	defer cancel()
	t := &tracked{ref: m.Ref, states: make([]state, len(parts))}
	text := message{to: m.To.Reveal(), expires: m.Expires, parts: parts, coding: coding, reference: byte(s.reference.Add(1))} // #nosec G115 -- the low octet is meant
	first := ""
	for i := range parts {
		id, err := s.submit(ctx, &text, t, i)
		if err != nil {
			return channels.Ack{}, err
		}
		if i == 0 {
			first = id
		}
	}
	return channels.Ack{Outcome: channels.Accepted, ProviderRef: first}, nil
}

// refuse says which *channels.Error keeps a message from being sent.
func (s *sender) refuse(m channels.Message) error {
	refuse := func(f channels.Fault, why string) error {
		return &channels.Error{Fault: f, Err: errors.New(why)}
	}
	switch {
	case m.Status == channels.StatusUnset:
		return refuse(channels.FaultContent, "status: must be set")
	case m.Ref == "":
		return refuse(channels.FaultContent, "ref: must be set")
	case len(m.Body) == 0 || !utf8.Valid(m.Body):
		return refuse(channels.FaultContent, "body: must be UTF-8 text")
	case !numberForm.MatchString(m.To.Reveal()):
		return refuse(channels.FaultAddress, "to: must be a number with its country code")
	case !m.Expires.After(s.deps.Now()):
		return refuse(channels.FaultTransient, "expires: has passed, nothing was sent")
	}
	return nil
}

// submit hands over one part. A later part that was certainly not taken is
// tried again, on a new connection if need be, for as long as the call lasts.
func (s *sender) submit(ctx context.Context, m *message, t *tracked, part int) (id string, err error) {
	for {
		id, err = s.try(ctx, m, t, part)
		if err == nil || part == 0 {
			return id, err
		}
		refusal := channels.AsError(err)
		if refusal.Fault == channels.FaultTransient || refusal.Fault == channels.FaultThrottled {
			select {
			case <-time.After(partPause):
				continue
			case <-ctx.Done():
			}
		}
		return "", &channels.Error{Fault: channels.FaultAmbiguous, Code: refusal.Code, Err: fmt.Errorf("%d of %d parts were taken", part, len(m.parts))}
	}
}

func (s *sender) try(ctx context.Context, m *message, t *tracked, part int) (string, error) {
	session, err := s.link.acquire(ctx)
	if err != nil {
		return "", err
	}
	p, err := s.request(m, part)
	if err != nil {
		return "", err
	}
	return session.submit(ctx, p, t, part)
}
