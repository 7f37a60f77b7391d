// Package console is the operators' face: sign in, what must be decided now,
// approve on a phone, and who has not been reached. It asks the API for
// everything, as the person who is signed in, and decides nothing itself. It
// must never import the ledger, the queue or a driver.
package console

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"loa/gateway/area"
	"loa/gateway/web/face"
)

// Options is what the console needs. All must be set but Agency.
type Options struct {
	Files      fs.FS             // page templates, texts.csv and assets
	Deployment string            // live, drill or demo
	Agency     map[string]string // who runs the gateway, by language; may be empty
	// API is the JSON face as the network has it; it is asked with the cookie of
	// the visitor.
	API http.Handler
	// Unit is the administrative unit with the code.
	Unit func(area.Code) (area.Unit, bool)
	Now  func() time.Time
	Log  *slog.Logger
}

// Console serves the operators' pages.
type Console struct {
	o      Options
	texts  map[string]*face.Words
	looks  map[string]map[string]*template.Template // by language and page
	assets *face.Assets
	mux    *http.ServeMux
}

var assetTypes = map[string]string{
	"console.css": "text/css; charset=utf-8",
	"console.js":  "text/javascript; charset=utf-8",
}

// Pages of the console, by the name of their template.
const (
	pageSignIn  = "dang-nhap"
	pageEnrol   = "moi"
	pageBoard   = "truc"
	pageApprove = "duyet"
	pageWatch   = "theo-doi"
	pagePeople  = "nguoi"
	pageTold    = "tin"
)

// New reads the templates and assets. An error names the file and the rule.
func New(o Options) (*Console, error) {
	c := &Console{o: o, looks: map[string]map[string]*template.Template{}, mux: http.NewServeMux()}
	var err error
	if c.texts, err = face.ReadTexts(o.Files, "texts.csv"); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	files := []string{"console.html", "texts.csv"}
	for _, page := range []string{pageSignIn, pageEnrol, pageBoard, pageApprove, pageWatch, pagePeople, pageTold} {
		files = append(files, page+".html")
		for lang, w := range c.texts {
			if c.looks[lang] == nil {
				c.looks[lang] = map[string]*template.Template{}
			}
			look := template.New("console.html").Funcs(template.FuncMap{"t": w.Say, "num": w.Number})
			if c.looks[lang][page], err = look.ParseFS(o.Files, "console.html", page+".html"); err != nil {
				return nil, fmt.Errorf("console: %w", err)
			}
		}
	}
	if c.assets, err = face.ReadAssets(o.Files, assetTypes, files, o.Deployment); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	c.mux.Handle("GET /truc/assets/{name}", c.assets)
	for path, serve := range c.routes() {
		c.mux.HandleFunc("GET "+path, serve)
	}
	return c, nil
}

// Paths are the pages that a mux must lead here, besides their assets below
// "/truc/".
func (c *Console) Paths() []string {
	return []string{"/dang-nhap", "/moi", "/truc", "/truc/", "/duyet/", "/theo-doi/", "/nguoi"}
}

func (c *Console) routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"/dang-nhap":     c.open(pageSignIn, "in.title"),
		"/moi":           c.open(pageEnrol, "enrol.title"),
		"/truc":          c.closed(pageBoard, "nav.truc", c.board),
		"/nguoi":         c.closed(pagePeople, "nav.people", c.people),
		"/duyet/{id}":    c.closed(pageApprove, "duyet.title", c.approve),
		"/theo-doi/{id}": c.closed(pageWatch, "watch.title", c.watch),
	}
}

// ServeHTTP serves the console.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.mux.ServeHTTP(w, r) }

// shell is what every page shows around its own part.
type shell struct {
	Page, Title               string
	Lang, OtherLang, OtherURL string
	Deployment, Env, EnvNote  string
	Version, Agency, Next     string
	At, Day                   string
	Problems                  []problem // in words, for the script
	Nav                       []link
	Who                       *who
	Body                      any
	Words                     *face.Words `json:"-"`
}

// problem is a refusal of the API, by the word of its type, as people read it.
type problem struct{ Word, Text string }

type link struct {
	Key, Href string
	Here      bool
}

// told is a page that says one thing.
type told struct{ Ask, Text string }

func (c *Console) shell(r *http.Request, page, title string) *shell {
	lang, other := "vi", "en"
	q := r.URL.Query()
	if q.Get("lang") == "en" {
		lang, other = other, lang
	}
	now := c.o.Now()
	s := &shell{
		Page: page, Title: title, Lang: lang, OtherLang: other, Deployment: c.o.Deployment, Env: "env." + c.o.Deployment, EnvNote: "env." + c.o.Deployment + ".note",
		Version: c.assets.Version, Agency: cmp.Or(c.o.Agency[lang], c.o.Agency["vi"]), At: face.Clock(now), Words: c.texts[lang],
	}
	for key, text := range s.Words.Text {
		if word, ok := strings.CutPrefix(key, "p."); ok {
			s.Problems = append(s.Problems, problem{word, text})
		}
	}
	slices.SortFunc(s.Problems, func(a, b problem) int { return strings.Compare(a.Word, b.Word) })
	s.Day = now.In(face.Vietnam).Format("2/1")
	if lang == "en" {
		s.Day = now.In(face.Vietnam).Format("2 Jan")
	}
	q.Del("lang")
	q.Del("part")
	if other == "en" {
		q.Set("lang", "en")
	}
	s.OtherURL = r.URL.Path
	if len(q) > 0 {
		s.OtherURL += "?" + q.Encode()
	}
	return s
}

// keep is what a link carries so that the language stays.
func (s *shell) keep() string {
	if s.Lang == "en" {
		return "?lang=en"
	}
	return ""
}

func (s *shell) t(key string, slots ...any) string {
	text, err := s.Words.Say(key, slots...)
	if err != nil {
		return key // the templates' test finds it
	}
	return text
}

// open serves a page to anybody.
func (c *Console) open(page, title string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := c.shell(r, page, title)
		s.Next = c.next(r)
		c.write(w, r, http.StatusOK, s)
	}
}

// next is where somebody wanted to go: a page of the console, or the board.
func (c *Console) next(r *http.Request) string {
	to := r.URL.Query().Get("next")
	for path := range c.routes() {
		stem, _, _ := strings.Cut(path, "{")
		if strings.HasPrefix(to, stem) && len(to) < 200 && !strings.ContainsAny(to, "\\\r\n") && stem != "/dang-nhap" && stem != "/moi" {
			return to
		}
	}
	return "/truc"
}

// closed serves a page to who is signed in, and leads others to sign in. With
// part=1 it is only what changes.
func (c *Console) closed(page, title string, body func(r *http.Request, s *shell) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := c.shell(r, page, title)
		part := r.URL.Query().Get("part") == "1"
		err := c.sign(r, s)
		if err == nil {
			s.Body, err = body(r, s)
		}
		if err == nil {
			c.write(w, r, http.StatusOK, s)
			return
		}
		status := http.StatusServiceUnavailable
		s.Page, s.Body = pageTold, told{"fail.ask", "fail.lead"}
		switch {
		case errors.Is(err, errSignIn) && part:
			status = http.StatusUnauthorized
		case errors.Is(err, errSignIn):
			to := "/dang-nhap?next=" + template.URLQueryEscaper(r.URL.Path)
			if s.Lang == "en" {
				to += "&lang=en"
			}
			http.Redirect(w, r, to, http.StatusSeeOther) // #nosec G710 -- a page of ours, with the rest escaped
			return
		case errors.Is(err, errForbidden):
			status, s.Body = http.StatusForbidden, told{"refused.ask", "lead.none.page"}
		case errors.Is(err, errGone):
			status, s.Body = http.StatusNotFound, told{"gone.ask", "lead.none.page"}
		default:
			c.o.Log.ErrorContext(r.Context(), "a page of the console has no answer", "page", page, "err", err)
		}
		c.write(w, r, status, s)
	}
}

func (c *Console) write(w http.ResponseWriter, r *http.Request, status int, s *shell) {
	name := "console.html"
	part := r.URL.Query().Get("part") == "1"
	if part {
		name = "part"
	}
	var raw bytes.Buffer
	if err := c.looks[s.Lang][s.Page].ExecuteTemplate(&raw, name, s); err != nil {
		c.o.Log.ErrorContext(r.Context(), "a page of the console cannot be rendered", "page", s.Page, "err", err)
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	out, err := face.Pack(raw.Bytes())
	if err != nil {
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Language", s.Lang)
	h.Set("Loa-Time", s.At)
	h.Set("Loa-Version", s.Version)
	if part && status == http.StatusOK {
		h.Set("ETag", out.ETag)
		if face.Matches(r.Header.Get("If-None-Match"), out.ETag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	face.Send(w, r, status, out)
}
