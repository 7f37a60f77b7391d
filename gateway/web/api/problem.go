package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"

	"loa/gateway/account"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/cap"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
	"loa/gateway/render"
)

// ProblemPrefix begins the type of every problem. The word after it is stable.
const ProblemPrefix = "urn:loa:problem:"

// Problem is the answer to a request that was refused (RFC 9457).
type Problem struct {
	Type   string  `json:"type"`
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Detail string  `json:"detail,omitempty"`
	Errors []Fault `json:"errors,omitempty"`
}

// Fault names one field of a request and the rule that it breaks.
type Fault struct {
	Field string `json:"field"`
	Rule  string `json:"rule"`
}

type fieldFault = Fault

// bodyError is a request refused by this package itself.
type bodyError struct {
	status int
	kind   string
	detail string
	fields []fieldFault
}

func (e *bodyError) Error() string { return e.detail }

func malformed(field, rule string) error {
	e := &bodyError{status: http.StatusBadRequest, kind: "malformed", detail: rule}
	if field != "" {
		e.detail = field + ": " + rule
		e.fields = []fieldFault{{field, rule}}
	}
	return e
}

func invalid(field, rule string) error {
	return &bodyError{status: http.StatusUnprocessableEntity, kind: "invalid", detail: field + ": " + rule, fields: []fieldFault{{field, rule}}}
}

// kind is how one sort of refusal is answered.
type kind struct {
	err    error
	status int
	name   string
}

// kinds are tried in order: the gravest reason first.
var kinds = []kind{
	{desk.ErrOwnAlert, http.StatusForbidden, "own-alert"},
	{desk.ErrTerritory, http.StatusForbidden, "territory"},
	{desk.ErrNoAuthority, http.StatusForbidden, "no-authority"},
	{desk.ErrNotFound, http.StatusNotFound, "not-found"},
	{desk.ErrHash, http.StatusConflict, "hash"},
	{desk.ErrConflict, http.StatusConflict, "conflict"},
	{audience.ErrImporting, http.StatusConflict, "importing"},
	{audience.ErrRecord, http.StatusUnprocessableEntity, "bad-rows"},
	{audience.ErrBadRows, http.StatusUnprocessableEntity, "bad-rows"},
	{ErrOrigin, http.StatusForbidden, "origin"},
	{ErrNotByToken, http.StatusForbidden, "not-by-token"},
	{ErrPasskey, http.StatusForbidden, "passkey"},
	{ErrTooMany, http.StatusTooManyRequests, "too-many"},
	{account.ErrForbidden, http.StatusForbidden, "no-authority"},
	{account.ErrNotFresh, http.StatusForbidden, "not-fresh"},
	{account.ErrInviter, http.StatusForbidden, "co-sign"},
	{account.ErrSamePerson, http.StatusForbidden, "co-sign"},
	{account.ErrOwnGrant, http.StatusForbidden, "own-grant"},
	{account.ErrLink, http.StatusForbidden, "link"},
	{account.ErrNotFound, http.StatusNotFound, "not-found"},
	{account.ErrChanged, http.StatusConflict, "conflict"},
	{account.ErrSettled, http.StatusConflict, "settled"},
	{account.ErrSetupOver, http.StatusConflict, "setup-over"},
	{account.ErrHasPasskey, http.StatusConflict, "has-passkey"},
	{account.ErrSiteIncomplete, http.StatusServiceUnavailable, "no-site"},
	{account.ErrRole, http.StatusUnprocessableEntity, "invalid"},
	{account.ErrClerk, http.StatusUnprocessableEntity, "invalid"},
	{account.ErrScope, http.StatusUnprocessableEntity, "invalid"},
	{account.ErrExpiry, http.StatusUnprocessableEntity, "invalid"},
	{account.ErrName, http.StatusUnprocessableEntity, "invalid"},
	{account.ErrTerritory, http.StatusUnprocessableEntity, "invalid"},
	{area.ErrNoBoundaries, http.StatusUnprocessableEntity, "no-boundaries"},
	{area.ErrOutside, http.StatusUnprocessableEntity, "area"},
	{area.ErrEmpty, http.StatusUnprocessableEntity, "area"},
	{area.ErrShape, http.StatusUnprocessableEntity, "area"},
	{render.ErrUnregistered, http.StatusUnprocessableEntity, "unregistered"},
	{render.ErrTemplate, http.StatusUnprocessableEntity, "text"},
	{render.ErrStatus, http.StatusUnprocessableEntity, "text"},
	{render.ErrNoInfo, http.StatusUnprocessableEntity, "text"},
	{render.ErrChannel, http.StatusUnprocessableEntity, "text"},
	{render.ErrTooLong, http.StatusUnprocessableEntity, "text"},
	{dispatch.ErrRoster, http.StatusUnprocessableEntity, "roster"},
	{dispatch.ErrStatus, http.StatusUnprocessableEntity, "invalid"},
	{dispatch.ErrNoTarget, http.StatusUnprocessableEntity, "area"},
}

// refusedPasskeys are refusals of what an authenticator answered. Nothing of that
// is repeated: an answer names the reason alone.
var refusedPasskeys = []kind{
	{account.ErrCeremony, http.StatusConflict, "challenge"},
	{account.ErrMalformed, http.StatusBadRequest, "malformed"},
	{account.ErrPasskeyTaken, http.StatusConflict, "passkey-taken"},
	{account.ErrCloned, http.StatusForbidden, "passkey"},
	{account.ErrSeal, http.StatusForbidden, "passkey"},
	{account.ErrRevokedPasskey, http.StatusForbidden, "passkey"},
	{account.ErrUnknownPasskey, http.StatusForbidden, "passkey"},
	{account.ErrNoPasskey, http.StatusForbidden, "passkey"},
	{account.ErrOrigin, http.StatusForbidden, "passkey"},
	{account.ErrUnverified, http.StatusForbidden, "passkey"},
	{account.ErrForged, http.StatusForbidden, "passkey"},
	{account.ErrChallenge, http.StatusForbidden, "passkey"},
	{account.ErrEnvironment, http.StatusForbidden, "passkey"},
	{account.ErrOtherAct, http.StatusForbidden, "passkey"},
	{account.ErrOtherRevision, http.StatusForbidden, "passkey"},
	{account.ErrOtherPerson, http.StatusForbidden, "passkey"},
}

// problemOf says how an error is answered. What nobody foresaw is a 500
// without a word of it: the log has it.
func problemOf(err error) Problem {
	var body *bodyError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &body):
		return Problem{Status: body.status, Type: body.kind, Detail: body.detail, Errors: body.fields}
	case errors.As(err, &large):
		return Problem{Status: http.StatusRequestEntityTooLarge, Type: "too-large", Detail: "the body is larger than it may be"}
	}
	if i := slices.IndexFunc(refusedPasskeys, func(k kind) bool { return errors.Is(err, k.err) }); i >= 0 {
		k := refusedPasskeys[i]
		return Problem{Status: k.status, Type: k.name, Detail: plain(k.err)}
	}
	if p, ok := fieldsOf(err); ok {
		return p
	}
	if errors.Is(err, account.ErrNoSession) {
		return Problem{Status: http.StatusUnauthorized, Type: "no-session", Title: "Nobody is signed in", Detail: "the session has ended, or there was none: sign in"}
	}
	if errors.Is(err, account.ErrNobody) {
		return Problem{Status: http.StatusUnauthorized, Type: "no-token", Detail: "it is missing, mistyped or has been revoked"}
	}
	if i := slices.IndexFunc(kinds, func(k kind) bool { return errors.Is(err, k.err) }); i >= 0 {
		return Problem{Status: kinds[i].status, Type: kinds[i].name, Detail: plain(err)}
	}
	if p, ok := storage(err); ok {
		return p
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Problem{Status: http.StatusServiceUnavailable, Type: "stopping", Detail: "the request was cut off"}
	}
	return Problem{Status: http.StatusInternalServerError, Type: "internal", Detail: "the gateway failed; its log says why"}
}

// storage answers failures of whatever keeps what is decided. Nothing that was
// refused so has been stored, but for a disk that failed in the middle: what it
// did then is seen once the gateway has been started again.
func storage(err error) (Problem, bool) {
	var cause interface {
		error
		Storage() string // full, broken, corrupt or locked
	}
	if !errors.As(err, &cause) {
		return Problem{}, false
	}
	p := Problem{Status: http.StatusServiceUnavailable, Type: "ledger-" + cause.Storage(), Detail: cause.Error()}
	if cause.Storage() == "full" {
		p.Status, p.Type = http.StatusInsufficientStorage, "disk-full"
	}
	return p, true
}

// fieldsOf answers errors that know the field and the rule.
func fieldsOf(err error) (Problem, bool) {
	p := Problem{Status: http.StatusUnprocessableEntity, Type: "invalid", Detail: plain(err)}
	var (
		move    *alert.MoveError
		input   *desk.InputError
		ended   *area.EndedError
		unknown *area.UnknownError
		slot    *render.SlotError
		head    *audience.HeaderError
		refusal *cap.Refusal
	)
	for _, f := range alert.FieldErrors(err) {
		p.Errors = append(p.Errors, Fault{f.Field, f.Text + " (" + f.Rule + ")"})
	}
	switch {
	case p.Errors != nil:
		p.Detail = "the alert cannot be issued as it is"
	case errors.Is(err, desk.ErrConflict), errors.Is(err, desk.ErrTerritory), errors.Is(err, account.ErrTerritory):
		return p, false
	case errors.As(err, &move):
		p.Status, p.Type = http.StatusConflict, "state"
	case errors.As(err, &input):
		p.Errors = []Fault{{input.Field, input.Rule}}
	case errors.As(err, &ended), errors.As(err, &unknown):
		p.Type = "area"
	case errors.As(err, &slot):
		p.Type, p.Errors = "text", slotFaults(err)
	case errors.As(err, &head):
		p.Type, p.Detail, p.Errors = "bad-rows", "the first line of the file cannot be used", []Fault{{head.Column, head.Rule}}
	case errors.As(err, &refusal):
		p.Type, p.Detail = "cap", fmt.Sprintf("the message, line %d, column %d: %s (%s)", refusal.Line, refusal.Column, refusal.Text, refusal.Rule)
	default:
		return p, false
	}
	return p, true
}

// slotFaults lists every slot that an error names.
func slotFaults(err error) []Fault {
	var all []Fault
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			all = append(all, slotFaults(e)...)
		}
		return all
	}
	if slot, ok := errors.AsType[*render.SlotError](err); ok {
		all = append(all, Fault{"slots." + slot.Slot, slot.Template + ": " + plain(slot.Err)})
	}
	return all
}

// room is the name of a room as its errors begin, at the start of a text or of
// what it wraps.
var room = regexp.MustCompile(`(^|: |\n)(?:desk|alert|area|audience|account|render|dispatch|ledger|cap): `)

// plain is an error's text without the names of the rooms that it comes through.
func plain(err error) string {
	text := err.Error()
	for next := room.ReplaceAllString(text, "$1"); next != text; next = room.ReplaceAllString(text, "$1") {
		text = next
	}
	return text
}

var titles = map[int]string{
	http.StatusBadRequest:            "The request cannot be understood",
	http.StatusUnauthorized:          "Nobody has this token",
	http.StatusForbidden:             "This person may not do this",
	http.StatusNotFound:              "There is no such thing",
	http.StatusMethodNotAllowed:      "This cannot be done here",
	http.StatusConflict:              "It is not as the request assumes",
	http.StatusRequestEntityTooLarge: "The body is too large",
	http.StatusUnsupportedMediaType:  "The body is of the wrong media type",
	http.StatusUnprocessableEntity:   "A rule forbids it",
	http.StatusServiceUnavailable:    "The gateway cannot do this now",
	http.StatusTooManyRequests:       "Too many attempts",
	http.StatusInsufficientStorage:   "The disk is full",
}

// writeProblem answers with a problem.
func writeProblem(w http.ResponseWriter, p Problem) {
	finish(&p)
	w.Header().Set("Content-Type", "application/problem+json")
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if p.Status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "60")
	}
	w.WriteHeader(p.Status)
	encode(w, p)
}

func finish(p *Problem) {
	p.Type = ProblemPrefix + p.Type
	if p.Title == "" {
		p.Title = titles[p.Status]
	}
	if p.Title == "" {
		p.Title = "The gateway cannot answer"
	}
}

// encode writes JSON as people read it. The status is already out: an error is
// the reader's going away.
func encode(w http.ResponseWriter, v any) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}
