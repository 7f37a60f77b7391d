package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/dispatch"
	"loa/gateway/web/api"
	"loa/gateway/web/face"
)

// board is what must be decided now.
type board struct {
	Lead, Held                   string
	Drafts, Waiting, Live, Ended []item
}

// item is an alert in a list.
type item struct {
	ID              alert.ID
	Name, Where, By string
	Unreal          string // what is written over a message that is not meant in earnest
	State, Note     string
	Level           *level
	Clock           clock
	Reach           *reach
	Lang            string // what a link carries to keep the language
}

type level struct {
	N    int
	Text string
}

// clock is how long something lasts. Late is filled, so that it is seen.
type clock struct {
	Text string
	Late bool
}

// reach counts devices by what is known of them, worst first. Accepted by a
// carrier is unknown.
type reach struct {
	Key, Name                         string
	Eligible                          int
	Missed, Unknown, Waiting, Reached int
}

func (r *reach) add(c api.Cell) {
	n := func(os ...channels.Outcome) (sum int) {
		for _, o := range os {
			sum += c.Outcomes[o.String()]
		}
		return sum
	}
	r.Eligible += c.Eligible
	r.Missed += n(channels.Failed, channels.Expired, channels.Cancelled)
	r.Unknown += n(channels.Accepted, channels.Ambiguous)
	r.Waiting += n(channels.Pending, channels.Sending)
	r.Reached += n(channels.Delivered, channels.Confirmed)
}

const (
	listed     = 50 // alerts of one state on the board
	endedShown = 5

	// pageAfter is when the next approver is called.
	pageAfter = time.Minute
)

func (c *Console) board(r *http.Request, s *shell) (any, error) {
	b := &board{}
	for _, col := range []struct {
		states []alert.State
		into   *[]item
		limit  int
	}{
		{[]alert.State{alert.Drafted, alert.Returned}, &b.Drafts, listed},
		{[]alert.State{alert.Submitted}, &b.Waiting, listed},
		{[]alert.State{alert.Approved}, &b.Live, listed},
		{[]alert.State{alert.Stopped, alert.Superseded, alert.Ended, alert.Rejected}, &b.Ended, endedShown},
	} {
		q := url.Values{"limit": {strconv.Itoa(col.limit)}}
		for _, state := range col.states {
			q.Add("state", string(state))
		}
		var in struct {
			Alerts []api.Alert `json:"alerts"`
		}
		if err := c.ask(r, "/api/v1/alerts?"+q.Encode(), &in); err != nil {
			return nil, err
		}
		for i := range in.Alerts {
			*col.into = append(*col.into, c.item(s, &in.Alerts[i]))
		}
	}
	slices.Reverse(b.Waiting) // who has waited longest stands first
	for i := range b.Live {
		var one api.Alert
		if err := c.ask(r, alertPath(b.Live[i].ID)+"?coverage=channels", &one); err != nil {
			return nil, err
		}
		b.Live[i].Reach = total(one.Coverage)
		b.Held = s.held(one.OnHold)
	}
	b.Lead = s.t("truc.lead", "w", len(b.Waiting), "l", len(b.Live))
	if len(b.Waiting)+len(b.Live) == 0 {
		b.Lead = s.t("truc.lead.none")
	}
	return b, nil
}

func alertPath(id alert.ID) string { return "/api/v1/alerts/" + url.PathEscape(string(id)) }

func total(v *api.Coverage) *reach {
	if v == nil {
		return nil
	}
	sum := &reach{}
	for _, cell := range v.Channels {
		sum.add(cell)
	}
	return sum
}

func (s *shell) held(since time.Time) string {
	if since.IsZero() {
		return ""
	}
	return s.t("held", "t", s.Words.Moment(since))
}

func (c *Console) item(s *shell, a *api.Alert) item {
	it := item{
		ID: a.ID, Name: s.name(a), Where: s.where(a), By: s.t("by", "p", a.Author.Name, "t", s.Words.Moment(a.CreatedAt)),
		Unreal: s.unreal(a.Status), State: s.t("state." + string(a.State)), Level: s.level(a.RiskLevel), Lang: s.keep(),
	}
	age := c.o.Now().Sub(a.CreatedAt)
	it.Clock.Text = s.t("clock.since", "t", s.span(age))
	switch a.State {
	case alert.Submitted:
		it.Clock = clock{s.t("clock.wait", "t", s.span(age)), age >= pageAfter}
	case alert.Approved:
		it.Clock.Text = s.t("clock.left", "t", s.span(a.Expires.Sub(c.o.Now())))
	case alert.Returned:
		it.Note = s.t("truc.returned")
	}
	return it
}

// name is what happens, in the language of the page if it is there.
func (s *shell) name(a *api.Alert) string {
	name := inLang(a.Title, s.Lang)
	switch a.Cause {
	case dispatch.Correction:
		return s.t("cause.correction") + ": " + name
	case dispatch.Stopped:
		return s.t("cause.stopped") + ": " + name
	}
	if a.MsgType == alert.MsgUpdate {
		return s.t("cause.update") + ": " + name
	}
	return name
}

func inLang(by map[string]string, lang string) string {
	for _, l := range []string{lang, "vi", "en"} {
		if by[l] != "" {
			return by[l]
		}
	}
	for _, text := range by {
		return text
	}
	return ""
}

func (s *shell) where(a *api.Alert) string {
	n := s.t("where", "n", a.Communes)
	if desc := inLang(a.Area, s.Lang); desc != "" {
		if a.Communes == 0 {
			return desc
		}
		return desc + " · " + n
	}
	return n
}

func (s *shell) unreal(status alert.Status) string {
	switch status {
	case alert.Actual:
		return ""
	case alert.Exercise:
		return s.t("status.exercise")
	default:
		return s.t("status.test")
	}
}

func (s *shell) level(n int) *level {
	if n < 1 || n > 5 {
		return nil
	}
	return &level{n, s.t("level." + strconv.Itoa(n))}
}

// span words a duration: 02:40 below an hour, in words beyond.
func (s *shell) span(d time.Duration) string {
	d = max(0, d).Round(time.Second)
	if d < time.Hour {
		return twoDigits(int(d.Minutes())) + ":" + twoDigits(int(d.Seconds())%60)
	}
	return s.t("unit.h", "h", int(d.Hours()), "m", int(d.Minutes())%60)
}

func twoDigits(n int) string {
	if n < 10 {
		return "0" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}

// until is a time of day, with its date if that is not today's.
func (c *Console) until(s *shell, t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	here, now := t.In(face.Vietnam), c.o.Now().In(face.Vietnam)
	if here.YearDay() == now.YearDay() && here.Year() == now.Year() {
		return here.Format("15:04")
	}
	return s.Words.Moment(t)
}
