package console

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/web/api"
)

// watching is what came of an alert.
type watching struct {
	ID                       alert.ID
	About, Lead, Held, State string
	Total                    *reach
	Channels, Communes       []reach
	Notices                  []string
	Acts                     bool // it is live
}

// worstNamed is how many communes the lead sentence names.
const worstNamed = 3

func (c *Console) watch(r *http.Request, s *shell) (any, error) {
	var a api.Alert
	if err := c.ask(r, alertPath(alert.ID(r.PathValue("id"))), &a); err != nil {
		return nil, err
	}
	v := &watching{
		ID: a.ID, Held: s.held(a.OnHold), Acts: a.State == alert.Approved,
		About: s.t("watch.about", "c", a.Code, "n", a.Revision, "t", c.until(s, a.ApprovedAt), "e", c.until(s, a.Expires)),
	}
	if name := s.name(&a); name != "" {
		v.About = name + " · " + v.About
	}
	v.Total = &reach{}
	if a.Coverage != nil {
		v.Total = total(a.Coverage)
		c.figures(s, v, a.Coverage)
	}
	switch {
	case a.State == alert.Stopped:
		v.State = s.t("watch.stopped", "t", c.until(s, a.EndedAt), "n", cancelled(a.Coverage))
	case !v.Acts:
		v.State = s.t("watch.ended", "t", c.until(s, a.EndedAt), "s", s.t("state."+string(a.State)))
	}
	v.Lead = c.lead(s, v, a.Coverage)
	return v, nil
}

func (c *Console) figures(s *shell, v *watching, in *api.Coverage) {
	for _, cell := range in.Channels {
		row := reach{Key: "k-" + string(cell.Kind), Name: s.t("chan." + string(cell.Kind))}
		row.add(cell)
		v.Channels = append(v.Channels, row)
	}
	for _, m := range in.Communes {
		row := reach{Key: "c-" + string(m.Code), Name: m.Name}
		for _, cell := range m.Channels {
			row.add(cell)
		}
		v.Communes = append(v.Communes, row)
	}
	slices.SortStableFunc(v.Communes, func(a, b reach) int {
		return cmp.Or(cmp.Compare(b.Missed, a.Missed), cmp.Compare(b.Unknown, a.Unknown), cmp.Compare(b.Waiting, a.Waiting))
	})
	for _, n := range in.Notices {
		kind := ""
		if n.Kind != "" {
			kind = s.t("chan." + string(n.Kind))
		}
		v.Notices = append(v.Notices, s.t("watch.notice", "k", kind, "c", n.Code, "n", len(n.Communes)))
	}
}

func (c *Console) lead(s *shell, v *watching, in *api.Coverage) string {
	switch {
	case in != nil && in.Cutting:
		return s.t("watch.lead.cutting")
	case v.Total.Missed == 0:
		return s.t("watch.lead.none")
	}
	var worst []string
	for _, row := range v.Communes {
		if row.Missed > 0 && len(worst) < worstNamed {
			worst = append(worst, row.Name)
		}
	}
	return s.t("watch.lead", "n", v.Total.Missed, "p", strings.Join(worst, ", "))
}

func cancelled(in *api.Coverage) int {
	n := 0
	if in != nil {
		for _, cell := range in.Channels {
			n += cell.Outcomes[channels.Cancelled.String()]
		}
	}
	return n
}
