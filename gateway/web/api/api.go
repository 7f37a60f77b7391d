// Package api is the JSON face of the desk: alerts, their coverage and, on the
// local socket only, people, subscribers and the list of texts to register. It
// decodes strictly, asks the rooms and words their answers; it decides nothing
// itself. It must never import the ledger, the queue or a driver.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"loa/channels"
	"loa/gateway/account"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/coverage"
	"loa/gateway/desk"
	"loa/gateway/render"
)

// Deps are the rooms that the API speaks for. All must be set but Shapes and
// Senders.
type Deps struct {
	Desk     *desk.Desk
	Account  *account.Account
	Audience *audience.Book
	Areas    *area.Directory
	Shapes   *area.Boundaries // nil: none were imported, and shapes are refused
	Coverage coverage.Source
	Renderer *render.Renderer
	Place    func(area.Code) render.Place
	Senders  []render.Sender // under which SMS go out
	// Cutting reports whether some of an alert's recipients are not counted yet.
	Cutting func(ctx context.Context, id alert.ID) (bool, error)
	// Notices tells what of an alert is not sent.
	Notices coverage.Notices
	// Second counts those of a revision whom one more send will follow; nil:
	// nobody says.
	Second func(ctx context.Context, id alert.ID, revision int) (coverage.Second, error)
	// Held is since when the ledger is on hold and nothing is sent, zero while it
	// is not; nil: nobody says.
	Held func() time.Time
	Now  func() time.Time
	Log  *slog.Logger
}

// server is Deps with the handlers.
type server struct{ Deps }

// act is what a handler is given of a checked request.
type act struct {
	*http.Request
	token channels.Secret
	key   string // Idempotency-Key of a write
	body  []byte
}

// handler answers with a status and a document, or an error for problemOf.
type handler func(ctx context.Context, a *act) (int, any, error)

// route is one path and method. Local routes need no token: the socket's mode
// says who may open it.
type route struct {
	method, path string
	serve        handler
	local        bool
	plain        http.HandlerFunc // streams its answer; serve is nil
}

func (s *server) routes() []route {
	const one = "/api/v1/alerts/{id}"
	return []route{
		{method: "POST", path: "/api/v1/alerts", serve: s.draft},
		{method: "GET", path: "/api/v1/alerts", serve: s.list},
		{method: "GET", path: one, serve: s.show},
		{method: "PUT", path: one, serve: s.edit},
		{method: "POST", path: one + "/submit", serve: s.submit},
		{method: "POST", path: one + "/approve", serve: s.approve},
		{method: "POST", path: one + "/return", serve: s.giveBack},
		{method: "POST", path: one + "/reject", serve: s.reject},
		{method: "POST", path: one + "/stop", serve: s.stop},
		{method: "POST", path: one + "/correct", serve: s.correct},
		{method: "POST", path: one + "/update", serve: s.update},
		{method: "POST", path: one + "/all-clear", serve: s.allClear},
		{method: "GET", path: "/api/v1/people", serve: s.people, local: true},
		{method: "POST", path: "/api/v1/people", serve: s.addPerson, local: true},
		{method: "DELETE", path: "/api/v1/people/{id}", serve: s.revokePerson, local: true},
		{method: "POST", path: "/api/v1/subscribers/import", plain: s.importSubscribers, local: true},
		{method: "GET", path: "/api/v1/templates/registration", plain: s.registration, local: true},
	}
}

// Public is what the network may ask for: everything needs a person's token.
func Public(d Deps) http.Handler { return build(d, false) }

// Local is Public and the acts of the machine's owner.
func Local(d Deps) http.Handler { return build(d, true) }

func build(d Deps, local bool) http.Handler {
	s := &server{d}
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, r := range s.routes() {
		if r.local && !local {
			continue
		}
		methods[r.path] = append(methods[r.path], r.method)
		if r.plain != nil {
			mux.HandleFunc(r.method+" "+r.path, r.plain)
		} else {
			mux.HandleFunc(r.method+" "+r.path, s.answer(r))
		}
	}
	for path, allowed := range methods {
		slices.Sort(allowed)
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			writeProblem(w, Problem{Status: http.StatusMethodNotAllowed, Type: "method", Detail: "allowed here: " + strings.Join(allowed, ", ")})
		})
	}
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, Problem{Status: http.StatusNotFound, Type: "not-found", Detail: "the API has no such path"})
	})
	return mux
}

// answer checks a request, has it served and words what came of it.
func (s *server) answer(r route) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		status, doc, err := s.checked(w, req, r)
		if err != nil {
			s.refuse(w, req, err)
			return
		}
		if doc == nil {
			w.WriteHeader(status)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		encode(w, doc)
	}
}

func (s *server) checked(w http.ResponseWriter, req *http.Request, r route) (int, any, error) {
	a, err := s.open(w, req, r.local)
	if err != nil {
		return 0, nil, err
	}
	status, doc, err := r.serve(req.Context(), a)
	if one, ok := doc.(Alert); ok && s.Held != nil {
		one.OnHold = local(s.Held())
		doc = one
	}
	return status, doc, err
}

// refuse words an error. Refusals of authority are logged for those who watch
// over the machine, and so is what is our own fault.
func (s *server) refuse(w http.ResponseWriter, req *http.Request, err error) {
	p := problemOf(err)
	switch {
	case p.Status >= http.StatusInternalServerError:
		s.Log.ErrorContext(req.Context(), "an API request failed", "route", req.Pattern, "err", err)
	case p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden:
		s.Log.WarnContext(req.Context(), "an API request was refused", "route", req.Pattern, "problem", p.Type)
	}
	writeProblem(w, p)
}
