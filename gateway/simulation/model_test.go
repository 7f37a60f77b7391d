package simulation_test

import (
	"slices"
	"time"

	"loa/gateway/alert"
	"loa/gateway/area"
)

// model is what the desk, dispatch and delivery promise, without any of how
// they do it: which act is lawful, what it makes of the alerts, and who must
// have got what in the end.
type model struct {
	alerts []*told
}

// told is one alert of the model.
type told struct {
	id       alert.ID
	state    alert.State
	author   string
	grave    bool
	communes []area.Code
	sent     time.Time // when it was submitted
	expires  time.Time
	of       *told // what it updates or corrects
	reached  bool  // it goes to those whom it corrects reached, not to its communes
	notice   *told // of its stop
	approved bool  // once
}

// holds reports whether a person's territory has all communes.
func holds(who string, communes []area.Code) bool {
	if territories[who] == "VN" {
		return true
	}
	return !slices.ContainsFunc(communes, func(c area.Code) bool { return c[:2] != territories[who] })
}

// replaceable reports whether something may take the alert's place.
func (a *told) replaceable() bool { return a.state == alert.Approved || a.state == alert.Stopped }

func (a *told) live(now time.Time) bool { return a.state == alert.Approved && now.Before(a.expires) }

func (m *model) create(id alert.ID, who string, grave bool, communes []area.Code, expires time.Time) {
	m.alerts = append(m.alerts, &told{id: id, state: alert.Drafted, author: who, grave: grave, communes: communes, expires: expires})
}

func (a *told) edit(who string, grave bool, communes []area.Code, expires time.Time) bool {
	if who != a.author || a.state != alert.Drafted && a.state != alert.Returned {
		return false
	}
	a.grave, a.communes, a.expires = grave, communes, expires
	return true
}

func (a *told) submit(who string, now time.Time) bool {
	sent := now.Truncate(time.Second)
	if a.of != nil && a.of.sent.After(sent) {
		sent = a.of.sent
	}
	switch {
	case who != a.author || a.state != alert.Drafted && a.state != alert.Returned,
		a.expires.Before(sent.Add(alert.MinLife)), a.expires.After(sent.Add(alert.MaxLife)), !holds(who, a.communes):
		return false
	case a.of != nil && a.of.state != alert.Ended && !a.of.replaceable(),
		a.of != nil && slices.ContainsFunc(a.of.communes, func(c area.Code) bool { return !slices.Contains(a.communes, c) }):
		return false
	}
	a.state, a.sent = alert.Submitted, sent
	return true
}

func (a *told) approve(who string, now time.Time) bool {
	two := a.grave || a.of != nil && a.of.grave
	switch {
	case a.state != alert.Submitted || !now.Before(a.expires) || !holds(who, a.communes) || who == a.author && two:
		return false
	case a.of != nil && a.of.state != alert.Ended && (!a.of.replaceable() || !holds(who, a.of.communes)):
		return false
	}
	a.state, a.approved = alert.Approved, true
	if a.of != nil && a.of.state != alert.Ended {
		a.of.state = alert.Superseded
	}
	return true
}

func (a *told) back(who string, to alert.State) bool {
	if a.state != alert.Submitted || !holds(who, a.communes) {
		return false
	}
	a.state = to
	return true
}

// stop ends an alert and tells those who were reached; to stop what is stopped
// tells them once.
func (m *model) stop(a *told, who string, now time.Time) bool {
	if a.state != alert.Approved && a.state != alert.Stopped || !holds(who, a.communes) {
		return false
	}
	a.state = alert.Stopped
	if a.notice == nil {
		a.notice = m.tell(a, who, now)
	}
	return true
}

func (m *model) correct(a *told, who string, now time.Time) bool {
	if !a.replaceable() || !holds(who, a.communes) {
		return false
	}
	m.tell(a, who, now)
	a.state = alert.Superseded
	return true
}

// tell is a text to those whom an alert reached. Its name is not known yet.
func (m *model) tell(a *told, who string, now time.Time) *told {
	sent := now.Truncate(time.Second)
	if a.sent.After(sent) {
		sent = a.sent
	}
	t := &told{state: alert.Approved, approved: true, author: who, communes: a.communes, sent: sent, expires: now.Truncate(time.Second).Add(tellLife), of: a, reached: true}
	m.alerts = append(m.alerts, t)
	return t
}

const tellLife = 12 * time.Hour

// update drafts what shall take an alert's place.
func (m *model) update(a *told, id alert.ID, who string, grave bool, communes []area.Code, expires time.Time) {
	m.create(id, who, grave, communes, expires)
	m.alerts[len(m.alerts)-1].of = a
}

func (a *told) updatable(who string) bool { return a.replaceable() && holds(who, a.communes) }

func (m *model) expire(now time.Time) {
	for _, a := range m.alerts {
		if a.state == alert.Approved && !now.Before(a.expires) {
			a.state = alert.Ended
		}
	}
}
