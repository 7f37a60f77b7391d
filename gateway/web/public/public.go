// Package public is the live page that every gateway serves: which alerts are
// in force, what came of them on each channel and in each commune, and whether
// the sending system is well. It only reads, shows counts and never an
// address, and must never import the ledger, the queue or a driver.
package public

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"hash/fnv"
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
)

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
	o       Options
	reader  reader
	texts   texts
	looks   map[string]*template.Template // by language
	assets  map[string]asset
	version string // of the files and the deployment
	mux     *http.ServeMux
}

// New reads the templates and assets. An error names the file and the rule.
func New(o Options) (*Page, error) {
	if envWords(o.Deployment) == "" {
		return nil, fmt.Errorf("live page: deployment %q: live, drill or demo", o.Deployment)
	}
	p := &Page{o: o, looks: map[string]*template.Template{}, mux: http.NewServeMux()}
	p.reader.o = &p.o
	var err error
	if p.texts, err = readTexts(o.Files); err != nil {
		return nil, err
	}
	for lang := range p.texts {
		if p.looks[lang], err = p.parse(lang); err != nil {
			return nil, fmt.Errorf("live page: %w", err)
		}
	}
	if p.assets, p.version, err = readAssets(o.Files, o.Deployment); err != nil {
		return nil, err
	}
	p.mux.HandleFunc("GET /{$}", p.whole)
	p.mux.HandleFunc("GET /live", p.live)
	p.mux.HandleFunc("GET /assets/{name}", p.asset)
	return p, nil
}

func (p *Page) parse(lang string) (*template.Template, error) {
	w := p.texts[lang]
	return template.New("page.html").Funcs(template.FuncMap{
		"t":   w.say,
		"num": w.number,
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
	send(w, r, status, out)
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
	out, err := s.once(a, func() (*answer, error) { return p.render("live.html", p.view(a, s, nil)) })
	if err != nil {
		p.fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", out.etag)
	h.Set("Loa-Time", clock(s.at))
	h.Set("Loa-Version", p.version)
	if matches(r.Header.Get("If-None-Match"), out.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	send(w, r, http.StatusOK, out)
}

func (p *Page) fail(w http.ResponseWriter, r *http.Request, err error) {
	p.o.Log.ErrorContext(r.Context(), "the live page cannot be rendered", "err", err)
	http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
}

// answer is a rendered document, plain and compressed.
type answer struct {
	raw, gz []byte
	etag    string
}

func (p *Page) render(name string, v *view) (*answer, error) {
	if v.err != nil {
		return nil, v.err
	}
	var raw bytes.Buffer
	if err := p.looks[v.Lang].ExecuteTemplate(&raw, name, v); err != nil {
		return nil, err
	}
	return pack(raw.Bytes())
}

func pack(raw []byte) (*answer, error) {
	var gz bytes.Buffer
	z := gzip.NewWriter(&gz)
	if _, err := z.Write(raw); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return &answer{raw: raw, gz: gz.Bytes(), etag: `W/"` + sum(raw) + `"`}, nil
}

func sum(parts ...[]byte) string {
	h := fnv.New64a()
	for _, b := range parts {
		_, _ = h.Write(b)
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// send writes a document in the encoding the visitor takes.
func send(w http.ResponseWriter, r *http.Request, status int, out *answer) {
	h := w.Header()
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "text/html; charset=utf-8")
	}
	h.Set("Vary", "Accept-Encoding")
	body := out.raw
	if takesGzip(r.Header.Get("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		body = out.gz
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // html/template escaped it; a visitor who went away is no fault
}

// takesGzip reads Accept-Encoding (RFC 9110, section 12.5.3).
func takesGzip(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q = strings.ReplaceAll(q, " ", "")
			return strings.Trim(strings.TrimPrefix(q, "q="), "0.") != "" || q == ""
		}
	}
	return false
}

// matches reads If-None-Match (RFC 9110, section 13.1.2) with the weak
// comparison.
func matches(header, etag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		part = strings.TrimSpace(part)
		if part == "*" || strings.TrimPrefix(part, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}
