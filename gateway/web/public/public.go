// Package public is the live page that every gateway serves: which alerts are
// in force, what came of them on each channel and in each commune, and whether
// the sending system is well. It only reads, shows counts and never an
// address, and must never import the ledger, the queue or a driver.
package public

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/coverage"
	"loa/gateway/desk"
	"loa/gateway/web/face"
)

// assetTypes are the files that pages load.
var assetTypes = map[string]string{
	"page.css": "text/css; charset=utf-8",
	"live.js":  "text/javascript; charset=utf-8",
	"icon.svg": "image/svg+xml",
}

// Options is what the page needs of the rooms. All must be set but Agency.
type Options struct {
	Files      fs.FS             // page templates, texts.csv and assets
	Deployment string            // live, drill or demo
	Agency     map[string]string // who runs the gateway, by language; may be empty
	// Cases lists alerts in the states, newest first.
	Cases func(ctx context.Context, states []alert.State, limit int) ([]desk.Case, error)
	// Cells counts the outcomes of a revision by commune and channel.
	Cells func(ctx context.Context, id alert.ID, revision int) ([]coverage.Cell, error)
	// Cutting reports whether some of an alert's recipients are not counted yet.
	Cutting func(ctx context.Context, id alert.ID) (bool, error)
	// Second counts those of a revision whom one more send will follow.
	Second func(ctx context.Context, id alert.ID, revision int) (coverage.Second, error)
	// Notices tells what of an alert is not sent.
	Notices func(ctx context.Context, id alert.ID, limit int) ([]coverage.Notice, error)
	// Unheard counts who is subscribed in the area of an alert on channels that
	// are not configured here: nothing is sent to them.
	Unheard func(ctx context.Context, c *desk.Case) (map[channels.Kind]int, error)
	// Unit is the administrative unit with the code.
	Unit   func(area.Code) (area.Unit, bool)
	Health func() Health
	Now    func() time.Time
	Log    *slog.Logger
}

// Health is the state of the send engine. Mode is queue, direct or ledger.
type Health struct {
	Mode  string
	Held  time.Time // since when nothing is sent, because the ledger is an older copy; zero: it is
	Since time.Time // of the mode
	Down  []Down    // providers nothing may be called on
}

// Down is a provider nothing may be called on: one that does not answer, or
// that answers and serves this account nothing.
type Down struct {
	Kind     channels.Kind
	Provider string
	Why      Why
	Code     string // the provider's own, if Why is Refused
}

// Why says what a provider that is down does.
type Why uint8

// The reasons.
const (
	Silent  Why = iota // it does not answer
	Login              // it refuses the login
	Refused            // it answers, and refuses for another reason
)

// Page serves the live page at "/", its moving part at "/live" and its assets
// below "/assets/".
type Page struct {
	o      Options
	reader reader
	texts  map[string]*face.Words
	looks  map[string]*template.Template // by language
	assets *face.Assets
	mux    *http.ServeMux
}

// New reads the templates and assets. An error names the file and the rule.
func New(o Options) (*Page, error) {
	if envWords(o.Deployment) == "" {
		return nil, fmt.Errorf("live page: deployment %q: live, drill or demo", o.Deployment)
	}
	p := &Page{o: o, looks: map[string]*template.Template{}, mux: http.NewServeMux()}
	p.reader.o = &p.o
	var err error
	if p.texts, err = face.ReadTexts(o.Files, "texts.csv"); err != nil {
		return nil, fmt.Errorf("live page: %w", err)
	}
	for lang := range p.texts {
		if p.looks[lang], err = p.parse(lang); err != nil {
			return nil, fmt.Errorf("live page: %w", err)
		}
	}
	if p.assets, err = face.ReadAssets(o.Files, assetTypes, []string{"live.html", "page.html", "texts.csv"}, o.Deployment); err != nil {
		return nil, fmt.Errorf("live page: %w", err)
	}
	p.mux.HandleFunc("GET /{$}", p.whole)
	p.mux.HandleFunc("GET /live", p.live)
	p.mux.Handle("GET /assets/{name}", p.assets)
	return p, nil
}

func (p *Page) parse(lang string) (*template.Template, error) {
	w := p.texts[lang]
	return template.New("page.html").Funcs(template.FuncMap{
		"t":   w.Say,
		"num": w.Number,
	}).ParseFS(p.o.Files, "page.html", "live.html")
}

// ServeHTTP serves the page.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

// maxQuery bounds what is looked for, in bytes.
const maxQuery = 300

// ask is what a visitor wants to see.
type ask struct {
	lang  string
	alert alert.ID // empty: all
	query string   // empty: every commune
	still bool     // no reload without script
}

func askOf(r *http.Request) ask {
	v := r.URL.Query()
	a := ask{lang: "vi", alert: alert.ID(v.Get("alert")), query: strings.TrimSpace(v.Get("q")), still: v.Get("auto") == "0"}
	if v.Get("lang") == "en" {
		a.lang = "en"
	}
	if len(a.query) > maxQuery {
		a.query = strings.ToValidUTF8(a.query[:maxQuery], "")
	}
	a.query = strings.ToValidUTF8(a.query, "")
	return a
}

// whole serves the page itself. A ledger that does not answer is said on it.
func (p *Page) whole(w http.ResponseWriter, r *http.Request) {
	a := askOf(r)
	s, err := p.reader.read(r.Context())
	out, rerr := p.render("page.html", p.view(a, s, err))
	if rerr != nil {
		p.fail(w, r, rerr)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Language", a.lang)
	status := http.StatusOK
	if err != nil {
		status = http.StatusServiceUnavailable
	}
	face.Send(w, r, status, out)
}

// live serves the moving part, or 304 when it would be the same. Loa-Time is
// when its figures were read, Loa-Version of which page it is a part.
func (p *Page) live(w http.ResponseWriter, r *http.Request) {
	s, err := p.reader.read(r.Context())
	if err != nil {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "the ledger does not answer", http.StatusServiceUnavailable)
		return
	}
	a := askOf(r)
	out, err := s.once(a, func() (*face.Answer, error) { return p.render("live.html", p.view(a, s, nil)) })
	if err != nil {
		p.fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", out.ETag)
	h.Set("Loa-Time", face.Clock(s.at))
	h.Set("Loa-Version", p.assets.Version)
	if face.Matches(r.Header.Get("If-None-Match"), out.ETag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	face.Send(w, r, http.StatusOK, out)
}

func (p *Page) fail(w http.ResponseWriter, r *http.Request, err error) {
	p.o.Log.ErrorContext(r.Context(), "the live page cannot be rendered", "err", err)
	http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
}

func (p *Page) render(name string, v *view) (*face.Answer, error) {
	if v.err != nil {
		return nil, v.err
	}
	var raw bytes.Buffer
	if err := p.looks[v.Lang].ExecuteTemplate(&raw, name, v); err != nil {
		return nil, err
	}
	return face.Pack(raw.Bytes())
}
