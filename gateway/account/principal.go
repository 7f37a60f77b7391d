package account

import (
	"errors"
	"fmt"
	"slices"

	"loa/gateway/area"
)

// ErrForbidden says that somebody known may not do this there.
var ErrForbidden = errors.New("account: no authority for this act in the whole area")

// Principal is who asks, with all they may do. The zero value may do nothing.
// It is made from a session or from a token and cannot be changed: one of a
// token has no act outside its scope, whatever its person may do.
type Principal struct {
	person   Person
	mandates []Mandate
	session  *Session
	scope    Scope
}

// Person is who it is.
func (p Principal) Person() Person { return p.person }

// Session is the session that they came with, false with a token.
func (p Principal) Session() (Session, bool) {
	if p.session == nil {
		return Session{}, false
	}
	return *p.session, true
}

// Mandates are their roles in force.
func (p Principal) Mandates() []Mandate { return slices.Clone(p.mandates) }

// May is account.May for who asks, within the scope of what they came with.
func (p Principal) May(act Act, communes []area.Code) bool {
	return p.within(act) && May(p.mandates, act, communes)
}

// Somewhere tells whether there is a place where they may do the act, so that it
// is worth offering.
func (p Principal) Somewhere(act Act) bool {
	return p.within(act) && slices.ContainsFunc(p.mandates, func(m Mandate) bool {
		return slices.Contains(holders[act], m.Role) && (m.Territory == Nation || len(m.Communes) > 0)
	})
}

// Check is May with an error that names the act.
func (p Principal) Check(act Act, communes []area.Code) error {
	if !p.May(act, communes) {
		return fmt.Errorf("%s: %w", act, ErrForbidden)
	}
	return nil
}

func (p Principal) within(act Act) bool {
	if p.session != nil {
		return true
	}
	return slices.Contains(scopes[p.scope], act)
}

// checkTerritory is Check for a whole territory; communes is it expanded.
func (p Principal) checkTerritory(act Act, t area.Code, communes []area.Code) error {
	if t != Nation {
		return p.Check(act, communes)
	}
	if p.within(act) && slices.ContainsFunc(p.mandates, func(m Mandate) bool {
		return m.Territory == Nation && slices.Contains(holders[act], m.Role)
	}) {
		return nil
	}
	return fmt.Errorf("%s: %w", act, ErrForbidden)
}
