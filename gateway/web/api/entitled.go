package api

import (
	"context"
	"errors"
	"fmt"

	"loa/gateway/account"
	"loa/gateway/area"
	"loa/gateway/desk"
)

// ErrNotByToken says that an act needs a person who has signed in.
var ErrNotByToken = errors.New("a token cannot do this: it needs a person who has signed in with a passkey")

// ErrPasskey says that who is signed in approves with their passkey.
var ErrPasskey = errors.New("an approval is signed with a passkey: ask for the challenge at …/approve/begin and send its nonce and response")

// Communes lists what a case lies in: what was frozen when it was submitted,
// before that what its text names, which may be nothing yet.
func Communes(c *desk.Case, expand func([]area.Code) ([]area.Code, error)) ([]area.Code, error) {
	if len(c.Submission.Communes) > 0 {
		return c.Submission.Communes, nil
	}
	targets := c.Submission.Revision.Targets()
	if len(targets) == 0 {
		return nil, nil
	}
	return expand(targets)
}

// Entitled refuses who may not do their act in every commune of a case. A draft
// that names no place yet is its author's alone, who must be one somewhere.
func Entitled(who account.Actor, c *desk.Case, communes []area.Code) error {
	if len(communes) > 0 {
		return who.Check(who.Act, communes)
	}
	if c.Author.ID == who.Person().ID && who.Somewhere(who.Act) {
		return nil
	}
	return fmt.Errorf("%s: %w", who.Act, account.ErrForbidden)
}

// entitled lets a request through to its route if who asks may do the route's
// act: on the case that the path names, else somewhere. The context that it
// returns names them to the desk.
func (s *server) entitled(ctx context.Context, a *act, r *route) (context.Context, error) {
	if r.act == "" {
		return ctx, nil
	}
	if !a.known {
		return ctx, s.byPersonToken(r.act)
	}
	who := account.Actor{Principal: a.who, Act: r.act}
	ctx = who.In(ctx)
	if _, signedIn := a.who.Session(); !signedIn && !byToken(r.act) {
		return ctx, fmt.Errorf("%s: %w", r.act, ErrNotByToken)
	}
	if a.PathValue("id") == "" {
		if !a.who.Somewhere(r.act) {
			return ctx, fmt.Errorf("%s: %w", r.act, account.ErrForbidden)
		}
		return ctx, nil
	}
	c, err := s.Desk.Status(ctx, a.token, a.id())
	if err != nil {
		return ctx, err
	}
	return ctx, s.entitledTo(who, c)
}

func (s *server) entitledTo(who account.Actor, c *desk.Case) error {
	communes, err := Communes(c, s.Areas.Expand)
	if err != nil {
		communes = nil // a place that has ended: its author may still mend it
	}
	return Entitled(who, c, communes)
}

// byPersonToken refuses what a person's token, which no scope bounds, cannot do
// where real people are reached: whatever sends, ends or signs. In drill and
// demo the desk asks for the person's territory alone.
func (s *server) byPersonToken(act account.Act) error {
	if s.Account.Site.Environment != live || byToken(act) {
		return nil
	}
	return fmt.Errorf("%s: %w", act, ErrNotByToken)
}

// byToken tells whether a token may be for the act.
func byToken(act account.Act) bool {
	return act == account.ActRead || act == account.ActDraft || act == account.ActSubmit
}

// live is the environment in which people are reached.
const live = "live"

// seen leaves of cases what who asks may read.
func (s *server) seen(a *act, cases []desk.Case) []desk.Case {
	if !a.known {
		return cases
	}
	who := account.Actor{Principal: a.who, Act: account.ActRead}
	out := cases[:0]
	for i := range cases {
		if s.entitledTo(who, &cases[i]) == nil {
			out = append(out, cases[i])
		}
	}
	return out
}
