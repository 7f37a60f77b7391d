package console

import (
	"net/http"
	"strings"

	"loa/gateway/account"
	"loa/gateway/area"
	"loa/gateway/web/api"
)

// people are who may act here, and the form that invites another.
type people struct {
	Lead      string
	Setup     bool // the set-up phase lasts
	Roles     []account.Role
	Territory area.Code // the first where the visitor may invite
	People    []person
}

type person struct {
	ID, Name, About string
	Grants          []grant
}

type grant struct {
	ID, Text string
	Confirm  bool // the visitor may be the administrator that is missing
}

func (c *Console) people(r *http.Request, s *shell) (any, error) {
	var in struct {
		People []api.Registered `json:"people"`
	}
	if err := c.ask(r, "/api/v1/people", &in); err != nil {
		return nil, err
	}
	v := &people{Setup: s.Who.setup, Roles: account.Roles(), Territory: s.Who.administers}
	names := map[string]string{}
	for _, p := range in.People {
		names[p.ID] = p.Name
	}
	for _, p := range in.People {
		if p.RevokedAt.IsZero() {
			v.People = append(v.People, c.person(s, &p, names))
		}
	}
	v.Lead = s.t("people.lead", "n", len(v.People))
	return v, nil
}

func (c *Console) person(s *shell, p *api.Registered, names map[string]string) person {
	about := []string{c.territory(s, p.Territory)}
	if by := names[p.InvitedBy]; by != "" {
		about = append(about, s.t("people.by", "p", by))
	}
	out := person{ID: p.ID, Name: p.Name, About: strings.Join(about, " · ")}
	for _, g := range p.Grants {
		if !g.RevokedAt.IsZero() {
			continue
		}
		text := s.t("role."+string(g.Role)) + ", " + c.territory(s, g.Territory)
		waits := !g.Active
		switch {
		case g.Active:
		case g.EffectiveAt.IsZero():
			text += ": " + s.t("grant.second")
		default:
			text += ": " + s.t("grant.from", "t", s.Words.Moment(g.EffectiveAt))
		}
		mine := s.Who.ID == g.AskedBy || s.Who.ID == g.SecondBy || s.Who.ID == p.ID
		out.Grants = append(out.Grants, grant{ID: g.ID, Text: text, Confirm: waits && !mine})
	}
	return out
}

// territory names a territory with its kind.
func (c *Console) territory(s *shell, t area.Code) string {
	if t == account.Nation {
		return s.t("nation")
	}
	if u, ok := c.o.Unit(t); ok {
		return u.FullName
	}
	return string(t)
}
