package public

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strconv"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/coverage"
	"loa/gateway/desk"
	"loa/gateway/web/face"
)

// view is what the templates show, in words of one language.
type view struct {
	Lang, OtherLang            string
	Deployment, Env, EnvNote   string
	Agency, Version            string
	LiveURL, OtherURL, AutoURL string
	Auto                       bool
	At                         string // time of the figures; empty: there are none
	Stale                      string // why they are not of now
	Hold                       string // why nothing is sent
	Known                      bool
	Only                       bool // one alert was asked for
	AllURL                     string
	Question, Lead             string
	Alerts                     []*card
	Ended                      []brief
	System                     []line

	err error // of a text that is missing
}

// brief is an ended alert in the list.
type brief struct {
	ID                                                 alert.ID
	URL, Headline, TextLang, Code, State, Status, Kind string
}

// line says something of the sending system.
type line struct {
	Text string
	Bad  bool
}

// envWords is the key of the word on the banner; empty for an unknown
// deployment.
func envWords(deployment string) string {
	switch deployment {
	case "live", "drill", "demo":
		return "env." + deployment
	}
	return ""
}

// builder words a view.
type builder struct {
	p *Page
	a ask
	s *snapshot
	w *face.Words
	v *view
}

func (b *builder) t(key string, slots ...any) string {
	text, err := b.w.Say(key, slots...)
	if err != nil && b.v.err == nil {
		b.v.err = err
	}
	return text
}

// view words what a visitor asked for. Err is why the figures are not of now.
func (p *Page) view(a ask, s *snapshot, err error) *view {
	env := envWords(p.o.Deployment)
	v := &view{
		Lang: a.lang, OtherLang: "en", Deployment: p.o.Deployment, Env: env, EnvNote: env + ".note",
		Agency: p.o.Agency[a.lang], Version: p.assets.Version, Auto: !a.still, Only: a.alert != "",
	}
	b := &builder{p: p, a: a, s: s, w: p.texts[a.lang], v: v}
	other, auto, all := a, a, ask{lang: a.lang, still: a.still}
	if a.lang == "en" {
		v.OtherLang = "vi"
	}
	other.lang, auto.still = v.OtherLang, !a.still
	v.OtherURL, v.AutoURL, v.AllURL, v.LiveURL = other.url("/"), auto.url("/"), all.url("/"), a.url("/live")
	if s == nil {
		v.Stale = b.t("age.none")
		return v
	}
	v.Known, v.At = true, face.Clock(s.at)
	if err != nil {
		v.Stale = b.t("age.stale", "t", v.At)
	}
	if held := s.health.Held; !held.IsZero() {
		v.Hold = b.t("hold.note", "t", b.w.Moment(held))
	}
	b.alerts()
	b.system()
	return v
}

// url is where the same is asked for.
func (a ask) url(path string) string {
	v := url.Values{}
	for key, value := range a.fields() {
		v.Set(key, value)
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

func (a ask) fields() map[string]string {
	f := map[string]string{"alert": string(a.alert), "q": a.query}
	if a.lang != "vi" {
		f["lang"] = a.lang
	}
	if a.still {
		f["auto"] = "0"
	}
	maps.DeleteFunc(f, func(_, value string) bool { return value == "" })
	return f
}

func (b *builder) alerts() {
	v, s := b.v, b.s
	var shown []*entry
	for i := range s.inForce {
		if b.a.alert == "" || b.a.alert == s.inForce[i].ID {
			shown = append(shown, &s.inForce[i])
		}
	}
	for i := range s.ended {
		e := &s.ended[i]
		if b.a.alert == e.ID {
			shown = append(shown, e)
		}
		if b.a.alert == "" {
			v.Ended = append(v.Ended, b.brief(e))
		}
	}
	// What is meant in earnest stands first; otherwise the newest does.
	slices.SortStableFunc(shown, func(x, y *entry) int {
		return cmp.Compare(x.unreal(), y.unreal())
	})
	anchors := map[string]bool{}
	for i, e := range shown {
		c := b.card(e, len(shown))
		if c.Anchor == "" || anchors[c.Anchor] {
			c.Anchor += strconv.Itoa(i)
		}
		anchors[c.Anchor] = true
		v.Alerts = append(v.Alerts, c)
	}
	b.lead(shown)
}

// lead words the question of the page and its answer. Only what warns of a
// danger is called a warning: an all-clear and a correction are not.
func (b *builder) lead(shown []*entry) {
	v := b.v
	warnings, clears, others, unreal := 0, 0, 0, 0
	for _, e := range shown {
		switch k := kind(&e.Case); {
		case e.unreal() > 0:
			unreal++
		case k == "kind.clear":
			clears++
		case k == "kind.alert" || k == "kind.update":
			warnings++
		default:
			others++
		}
	}
	if v.Only {
		b.leadOnly(shown)
		return
	}
	v.Question = "ask.who"
	switch warnings {
	case 0:
		v.Lead = b.t("lead.none")
		if clears+others == 0 {
			v.Question = "ask.none"
			v.Lead += " " + b.t("lead.first")
		}
	case 1:
		v.Lead = b.t("lead.one")
	default:
		v.Lead = b.t("lead.many", "n", warnings)
	}
	for _, more := range []struct {
		key string
		n   int
	}{{"lead.clear", clears}, {"lead.other", others}} {
		if more.n > 0 {
			v.Lead += " " + b.t(more.key, "n", more.n)
		}
	}
	v.Lead += b.count()
	if unreal > 0 {
		v.Lead += " " + b.t("lead.unreal", "n", unreal)
	}
}

func (b *builder) leadOnly(shown []*entry) {
	v := b.v
	if len(shown) == 0 {
		v.Question, v.Lead = "ask.none", b.t("lead.unknown")
		return
	}
	v.Question, v.Lead = "ask.who", b.t("lead.only")+b.count()
}

// count is the answer in numbers, over the alerts that are meant in earnest, in
// the words of the tiles below.
func (b *builder) count() string {
	missed, unknown, accepted, any := 0, 0, 0, false
	for _, c := range b.v.Alerts {
		if c.Status == "" && c.Channels != nil {
			n := c.Total.count
			missed, unknown, accepted, any = missed+n("missed"), unknown+n("unknown"), accepted+n("accepted"), true
		}
	}
	if !any {
		return ""
	}
	return " " + b.t("lead.count", "m", missed, "u", unknown, "a", accepted)
}

func (b *builder) brief(e *entry) brief {
	rev := e.Submission.Revision
	in := rev.Gravest(b.a.lang)
	only := b.a
	only.alert = e.ID
	return brief{
		ID: e.ID, URL: only.url("/"), Headline: in.Title(), TextLang: foreign(in, b.a.lang), Code: rev.Code,
		State: b.state(e, coverage.Cell{}), Status: status(rev.Status), Kind: kind(&e.Case),
	}
}

// state says in plain words where an alert stands.
func (b *builder) state(e *entry, sum coverage.Cell) string {
	t := b.w.Moment(e.EndedAt)
	waiting := sum.Count(channels.Pending) + sum.Count(channels.Sending)
	expires := e.Submission.Revision.Expires()
	switch {
	case e.State == alert.Stopped:
		return b.t("state.stopped", "t", t)
	case e.State == alert.Superseded:
		return b.t("state.superseded", "t", t)
	case e.State == alert.Ended && e.EndedAt.Before(expires):
		return b.t("state.cleared", "t", t)
	case e.State == alert.Ended || !expires.After(b.s.at):
		return b.t("state.expired", "t", b.w.Moment(expires))
	case e.cutting:
		return b.t("state.cutting")
	case waiting > 0:
		return b.t("state.sending", "n", waiting) + b.second(e)
	case e.second.Waiting > 0:
		return b.t("state.first") + b.second(e)
	case sum.Eligible() == 0:
		return b.t("state.nobody")
	}
	return b.t("state.sent")
}

// second tells of those whom one more send will follow; empty if there is none.
func (b *builder) second(e *entry) string {
	switch s := e.second; {
	case s.Waiting == 0:
		return ""
	case s.Next.After(b.s.at):
		return " " + b.t("state.again", "n", s.Waiting, "t", b.w.Moment(s.Next))
	default:
		return " " + b.t("state.now", "n", s.Waiting)
	}
}

// status is the key of the words for a message that is not meant in earnest.
func status(s alert.Status) string {
	switch s {
	case alert.Actual:
		return ""
	case alert.Exercise:
		return "status.exercise"
	default:
		return "status.test"
	}
}

// unreal is 1 for an alert that is not meant in earnest.
func (e *entry) unreal() int {
	if e.Submission.Revision.Status == alert.Actual {
		return 0
	}
	return 1
}

// kind is the key of the words for what a message does to earlier ones.
func kind(c *desk.Case) string {
	for i := range c.Submission.Revision.Infos {
		if slices.Contains(c.Submission.Revision.Infos[i].ResponseTypes, "AllClear") {
			return "kind.clear"
		}
	}
	switch c.Submission.Cause {
	case "correction":
		return "kind.correction"
	case "stopped":
		return "kind.stopped"
	}
	switch c.Submission.Revision.MsgType {
	case alert.MsgUpdate:
		return "kind.update"
	case alert.MsgCancel:
		return "kind.cancel"
	default:
		return "kind.alert"
	}
}

func (b *builder) system() {
	h := b.s.health
	mode := line{Text: b.t("sys.queue")}
	switch h.Mode {
	case "direct":
		mode = line{Text: b.t("sys.direct", "t", b.w.Moment(h.Since)), Bad: true}
	case "ledger":
		mode = line{Text: b.t("sys.ledger")}
	}
	if !h.Held.IsZero() {
		mode = line{Text: b.t("sys.hold", "t", b.w.Moment(h.Held)), Bad: true}
	}
	b.v.System = append(b.v.System, mode)
	for _, d := range h.Down {
		b.v.System = append(b.v.System, line{Text: b.down(d), Bad: true})
	}
	if len(h.Down) == 0 {
		b.v.System = append(b.v.System, line{Text: b.t("sys.up")})
	}
}

func (b *builder) down(d Down) string {
	who := []any{"p", d.Provider, "k", b.t(chanWord(d.Kind))}
	switch d.Why {
	case Login:
		return b.t("sys.login", who...)
	case Refused:
		return b.t("sys.refused", append(who, "c", cmp.Or(d.Code, "–"))...)
	default:
		return b.t("sys.down", who...)
	}
}

func chanWord(k channels.Kind) string { return "chan." + string(k) }
