package public

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/coverage"
)

// card is one alert with what came of it.
type card struct {
	ID                        alert.ID
	Anchor                    string // unique on the page
	Code                      string
	Revision                  int
	Status, Kind              string // keys of words; may be empty
	Event, Headline, TextLang string // TextLang: of the alert's texts, if not the page's; Event may be empty
	Level                     int    // 1–5; 0: none was given
	LevelWords                string
	State, Sent, Until        string
	Where, By                 string
	Communes                  int
	Text                      []string
	Unheard, Gaps             []string
	Total                     tally
	Channels                  []tally
	Places, Rest              []tally // first and folded away; worst first
	Beyond                    int     // how many more places there are
	Found                     int
	Query                     string
	SortURL, OneURL, ClearURL string
	Keep                      []field // of the search form
}

type field struct{ Name, Value string }

// tally is a row: who had to be reached and what is known of them.
type tally struct {
	Key            string
	Kind           channels.Kind
	Word           string // key of the channel's name
	Name, Province string
	Eligible       int
	Parts          [5]part

	place string // folded, for search and order
}

// part is one kind of evidence, worst first. X and W place it on a bar of
// barWidth.
type part struct {
	Name, Word, Note string
	N, X, W          int
}

var partNames = [5]string{"missed", "unknown", "accepted", "waiting", "reached"}

const (
	barWidth = 1000
	sliver   = 6 // what any number above zero takes of a bar
)

// parts keeps the kinds of evidence apart: taken by a provider is not arrived.
func (t *tally) parts(c coverage.Cell) {
	t.Eligible = c.Eligible()
	counts := [5]int{
		c.Missed(),
		c.Count(channels.Ambiguous),
		c.Count(channels.Accepted),
		c.Count(channels.Pending) + c.Count(channels.Sending),
		c.Count(channels.Delivered) + c.Count(channels.Confirmed),
	}
	some := 0
	for _, n := range counts {
		if n > 0 {
			some++
		}
	}
	x := 0
	for i, n := range counts {
		p := part{Name: partNames[i], Word: "out." + partNames[i], Note: "out." + partNames[i] + ".note", N: n, X: x}
		if n > 0 {
			p.W = sliver + n*(barWidth-sliver*some)/t.Eligible
		}
		x += p.W
		t.Parts[i] = p
	}
}

func (t *tally) count(part string) int { return t.Parts[slices.Index(partNames[:], part)].N }

// worse orders rows: most not reached first, then those of whom least is known.
func worse(a, b tally) int {
	for i := range len(partNames) - 1 {
		if d := cmp.Compare(b.Parts[i].N, a.Parts[i].N); d != 0 {
			return d
		}
	}
	return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.Key, b.Key))
}

const (
	firstRows = 20  // communes shown at once
	allRows   = 400 // communes on one page, shared by its alerts
)

func (b *builder) card(e *entry, shown int) *card {
	rev := e.Submission.Revision
	in := rev.Gravest(b.a.lang)
	c := &card{
		ID: e.ID, Anchor: rev.Code, Code: rev.Code, Revision: rev.Number, Status: status(rev.Status), Kind: kind(&e.Case),
		Event: event(in), Headline: in.Title(), TextLang: foreign(in, b.a.lang), Level: rev.RiskLevel(),
		Sent: b.w.Moment(rev.Sent), Until: b.w.Moment(rev.Expires()), Where: rev.AreaDesc(in.Lang()), By: in.SenderName,
		Communes: len(e.Submission.Communes), Query: b.a.query, SortURL: b.a.url("/"),
	}
	c.LevelWords = "level." + strconv.Itoa(c.Level)
	for _, text := range []string{in.Description, in.Instruction} {
		if text != "" {
			c.Text = append(c.Text, text)
		}
	}
	one, clear, keep := b.a, b.a, b.a
	one.alert, clear.query, keep.query = e.ID, "", ""
	c.ClearURL = clear.url("/")
	if shown > 1 {
		c.OneURL = one.url("/")
	}
	for name, value := range keep.fields() {
		c.Keep = append(c.Keep, field{name, value})
	}
	slices.SortFunc(c.Keep, func(x, y field) int { return strings.Compare(x.Name, y.Name) })

	var sum coverage.Cell
	totals := coverage.Totals(e.cells)
	for _, k := range channels.AllKinds() {
		t, ok := totals[k]
		if !ok {
			continue
		}
		row := tally{Key: string(e.ID) + "/" + string(k), Kind: k, Word: chanWord(k)}
		row.parts(t)
		c.Channels = append(c.Channels, row)
		add(&sum, t)
	}
	c.Total.parts(sum)
	c.State = b.state(e, sum)
	for _, k := range channels.AllKinds() {
		if n := e.unheard[k]; n > 0 {
			c.Unheard = append(c.Unheard, b.t("unheard", "n", n, "k", b.t(chanWord(k))))
		}
	}
	for i := range e.gaps {
		c.Gaps = append(c.Gaps, b.gap(&e.gaps[i]))
	}
	b.places(c, e, max(firstRows, allRows/shown))
	return c
}

func add(to *coverage.Cell, c coverage.Cell) {
	for o, n := range c.Counts {
		to.Counts[o] += n
	}
}

// places fills the rows of communes that match what is looked for.
func (b *builder) places(c *card, e *entry, limit int) {
	query := fold(b.a.query)
	var rows []tally
	for _, cells := range coverage.ByCommune(e.cells) {
		row := b.place(e.ID, cells)
		if query == "" || strings.Contains(row.place, query) {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, worse)
	c.Found = len(rows)
	if len(rows) > limit {
		c.Beyond = len(rows) - limit
		rows = rows[:limit]
	}
	if b.a.query == "" && len(rows) > firstRows {
		c.Places, c.Rest = rows[:firstRows], rows[firstRows:]
		return
	}
	c.Places = rows
}

func (b *builder) place(id alert.ID, cells []coverage.Cell) tally {
	code := cells[0].Commune
	row := tally{Key: string(id) + "/" + string(code), Name: string(code)}
	if u, ok := b.p.o.Unit(code); ok {
		row.Name = u.FullName
		if up, ok := b.p.o.Unit(u.Parent); ok {
			row.Province = up.FullName
			row.place = fold(u.FullName + " " + up.FullName + " " + string(code))
		}
	}
	if row.place == "" {
		row.place = fold(row.Name + " " + string(code))
	}
	var sum coverage.Cell
	for _, c := range cells {
		add(&sum, c)
	}
	row.parts(sum)
	return row
}

// event is the title of what happens, where the headline is another.
func event(in *alert.Info) string {
	if in.Headline == "" || in.Headline == in.Event {
		return ""
	}
	return in.Event
}

// foreign is the language of an alert's text if it is not the page's.
func foreign(in *alert.Info, lang string) string {
	if l := in.Lang(); l != lang {
		return l
	}
	return ""
}
