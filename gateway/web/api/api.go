// Package api is the JSON face of the desk: alerts, their coverage, people with
// their sessions, passkeys, tokens and roles and, on the local socket only, the
// tokens of the machine's owner, subscribers and the list of texts to register.
// It decodes strictly, asks the rooms and words their answers; it decides nothing
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
	// EnrolURL is where the secret of an enrolment link is used.
	EnrolURL func(link channels.Secret) string
	// Attempts bounds how often strangers may try to sign in; nil: one of its own.
	Attempts *Attempts
	// Answered keeps answers for those who repeat a request; nil: one of its own.
	Answered *Answered
	Now      func() time.Time
	Log      *slog.Logger
}

// server is Deps with the handlers.
type server struct{ Deps }

// act is what a handler is given of a checked request.
type act struct {
	*http.Request
	token  channels.Secret   // that came with it, of a session too
	known  bool              // who is set
	who    account.Principal // of a session or a scoped token
	key    string            // Idempotency-Key of a write
	body   []byte
	cookie *http.Cookie // to set with a good answer
}

// handler answers with a status and a document, or an error for problemOf.
type handler func(ctx context.Context, a *act) (int, any, error)

// door is who a route is open to.
type door uint8

const (
	person   door = iota // who comes with a session or a token
	signedIn             // who comes with a session
	anybody              // strangers who are about to prove themselves, so often
	owner                // the machine's: the socket's mode says who may open it
)

// route is one path and method.
type route struct {
	method, path string
	serve        handler
	door         door
	act          account.Act      // on the alert of the path or, without one, somewhere; empty: the room asks
	once         bool             // a repeated request is given the answer of the first
	plain        http.HandlerFunc // streams its answer; serve is nil
}

func (s *server) routes() []route {
	return slices.Concat(s.alertRoutes(), s.signInRoutes(), s.accountRoutes(), s.ownerRoutes())
}

func (s *server) alertRoutes() []route {
	const all, one = "/api/v1/alerts", "/api/v1/alerts/{id}"
	return []route{
		{method: "POST", path: all, serve: s.draft, act: account.ActDraft},
		{method: "GET", path: all, serve: s.list, act: account.ActRead},
		{method: "GET", path: one, serve: s.show, act: account.ActRead},
		{method: "PUT", path: one, serve: s.edit, act: account.ActDraft},
		{method: "POST", path: one + "/submit", serve: s.submit, act: account.ActSubmit},
		{method: "POST", path: one + "/approve/begin", serve: s.beginApprove, act: account.ActApprove, door: signedIn},
		{method: "POST", path: one + "/approve", serve: s.approve, act: account.ActApprove},
		{method: "POST", path: one + "/return", serve: s.giveBack, act: account.ActReturn},
		{method: "POST", path: one + "/reject", serve: s.reject, act: account.ActReject},
		{method: "POST", path: one + "/stop", serve: s.stop, act: account.ActStop},
		{method: "POST", path: one + "/correct", serve: s.correct, act: account.ActCorrect},
		{method: "POST", path: one + "/update", serve: s.update, act: account.ActDraft},
		{method: "POST", path: one + "/all-clear", serve: s.allClear, act: account.ActDraft},
	}
}

func (s *server) ownerRoutes() []route {
	return []route{
		{method: "GET", path: "/api/v1/owner/people", serve: s.ownersPeople, door: owner},
		{method: "POST", path: "/api/v1/owner/people", serve: s.addPerson, door: owner},
		{method: "DELETE", path: "/api/v1/owner/people/{id}", serve: s.revokePerson, door: owner},
		{method: "POST", path: "/api/v1/owner/link", serve: s.firstLink, door: owner},
		{method: "POST", path: "/api/v1/subscribers/import", plain: s.importSubscribers, door: owner},
		{method: "GET", path: "/api/v1/templates/registration", plain: s.registration, door: owner},
	}
}

// Public is what the network may ask for: everything but signing in needs a
// session or a token.
func Public(d Deps) http.Handler { return build(d, false) }

// Local is Public and the acts of the machine's owner.
func Local(d Deps) http.Handler { return build(d, true) }

func build(d Deps, local bool) http.Handler {
	if d.Attempts == nil {
		d.Attempts = NewAttempts(d.Now)
	}
	if d.Answered == nil {
		d.Answered = NewAnswered(d.Now)
	}
	s := &server{d}
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, r := range s.routes() {
		if r.door == owner && !local {
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
		status, doc, err := s.checked(w, req, &r)
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

func (s *server) checked(w http.ResponseWriter, req *http.Request, r *route) (int, any, error) {
	a, err := s.open(w, req, r)
	if err != nil {
		return 0, nil, err
	}
	ctx, err := s.entitled(req.Context(), a, r)
	if err != nil {
		return 0, nil, err
	}
	serve := r.serve
	if r.once {
		serve = s.Answered.once(r.serve)
	}
	status, doc, err := serve(ctx, a)
	if one, ok := doc.(Alert); ok && s.Held != nil {
		one.OnHold = local(s.Held())
		doc = one
	}
	if err == nil && a.cookie != nil {
		http.SetCookie(w, a.cookie)
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
