// Package sms sends short messages through Twilio, takes its status callbacks,
// asks what became of a send that was left open, and counts the parts a text is paid as.
//
// It implements the contract of package channels and must know nothing of
// alerts, people, storage or queues. Twilio's Go library is used for the shapes
// of requests and answers alone; connections, deadlines and the meaning of
// every answer are decided here.
package sms

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"
	"unicode/utf8"

	twilio "github.com/twilio/twilio-go/rest/api/v2010"

	"loa/channels"
)

const (
	driverName   = "twilio"
	callbackPath = "/callback/"
	mountedAt    = "/channels/" + driverName // where the gateway serves Handler
	maxValidity  = 36000                     // seconds, the longest Twilio keeps a message
)

// Driver describes the Twilio driver. Its value is a channels.Sender,
// channels.Lookup, channels.Handler, channels.Checker and io.Closer, and tells
// by Concurrency() int how many calls it makes at once.
func Driver() channels.Driver {
	return channels.Driver{Name: driverName, Kind: channels.SMS, Open: open}
}

type sender struct {
	cfg    config
	deps   channels.Deps
	base   *url.URL
	live   bool
	public string
	http   *http.Client
	forged warning
}

func open(decode func(any) error, d channels.Deps) (any, error) {
	var cfg config
	if err := decode(&cfg); err != nil {
		return nil, err
	}
	if d.Sink == nil || d.Now == nil || d.Log == nil {
		return nil, errors.New("twilio: sink, clock and log are needed")
	}
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("twilio: %w", err)
	}
	base, live, err := cfg.provider(d.Origin)
	if err != nil {
		return nil, fmt.Errorf("twilio: %w", err)
	}
	callbacks, err := public(d.Public, live)
	if err != nil {
		return nil, fmt.Errorf("twilio: %w", err)
	}
	return &sender{
		cfg: cfg, deps: d, base: base, live: live, public: callbacks,
		http: newClient(cfg.Concurrency),
	}, nil
}

// String and GoString keep the credentials out of whatever prints the driver:
// a masked type in a field that is not exported prints itself in the clear.
func (s *sender) String() string { return driverName }

// GoString is String.
func (s *sender) GoString() string { return driverName }

// Kind is channels.SMS.
func (s *sender) Kind() channels.Kind { return channels.SMS }

// Provider is the driver's name.
func (s *sender) Provider() string { return driverName }

// Originator is empty where a messaging service chooses.
func (s *sender) Originator() string { return s.cfg.From }

// Live reports whether messages reach real people: always, but at the
// stand-in's admitted origin.
func (s *sender) Live() bool { return s.live }

// Concurrency is how many calls the carrier takes at once.
func (s *sender) Concurrency() int { return s.cfg.Concurrency }

// Close lets idle connections go.
func (s *sender) Close() error {
	s.http.CloseIdleConnections()
	return nil
}

// Send hands one message to Twilio. Accepted means that Twilio queued it.
func (s *sender) Send(ctx context.Context, m channels.Message) (channels.Ack, error) {
	params, err := s.params(m)
	if err != nil {
		return channels.Ack{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.timeout)
	defer cancel()
	answer, err := twilio.NewApiServiceWithClient(&call{ctx: ctx, s: s}).CreateMessage(params)
	if err != nil {
		return channels.Ack{}, known(err)
	}
	return settle(answer, m.To)
}

// params says what to send, or which *channels.Error keeps it from being sent.
func (s *sender) params(m channels.Message) (*twilio.CreateMessageParams, error) {
	refuse := func(f channels.Fault, why string) (*twilio.CreateMessageParams, error) {
		return nil, &channels.Error{Fault: f, Err: errors.New(why)}
	}
	left := m.Expires.Sub(s.deps.Now())
	switch {
	case m.Status == channels.StatusUnset:
		return refuse(channels.FaultContent, "status: must be set")
	case m.Ref == "":
		return refuse(channels.FaultContent, "ref: must be set")
	case len(m.Body) == 0 || !utf8.Valid(m.Body):
		return refuse(channels.FaultContent, "body: must be UTF-8 text")
	case !numberForm.MatchString(m.To.Reveal()):
		return refuse(channels.FaultAddress, "to: must be a number with its country code")
	case left <= 0:
		return refuse(channels.FaultTransient, "expires: has passed, nothing was sent")
	}
	p := new(twilio.CreateMessageParams).
		SetTo(m.To.Reveal()).
		SetBody(string(m.Body)).
		SetStatusCallback(s.callbackURL(m.Ref)).
		SetValidityPeriod(int(min(math.Ceil(left.Seconds()), maxValidity)))
	if s.cfg.MessagingServiceSID != "" {
		return p.SetMessagingServiceSid(s.cfg.MessagingServiceSID), nil
	}
	return p.SetFrom(s.cfg.From), nil
}

func (s *sender) callbackURL(ref string) string {
	return s.public + mountedAt + callbackPath + url.PathEscape(ref)
}

var sidForm = regexp.MustCompile(`^(SM|MM)[0-9a-fA-F]{32}$`)

var (
	errUnreadable = errors.New("answer is not a message of Twilio's")
	errAnother    = errors.New("answer is about another recipient")
)

// settle reads a success. Without a message identifier, or about somebody
// else's message, it proves nothing.
func settle(m *twilio.ApiV2010Message, to channels.Address) (channels.Ack, error) {
	if m.Sid == nil || !sidForm.MatchString(*m.Sid) || m.Status == nil {
		return channels.Ack{}, &channels.Error{Fault: channels.FaultAmbiguous, Err: errUnreadable}
	}
	if m.To != nil && *m.To != "" && *m.To != to.Reveal() {
		return channels.Ack{}, &channels.Error{Fault: channels.FaultAmbiguous, Err: errAnother}
	}
	code := 0
	if m.ErrorCode != nil {
		code = *m.ErrorCode
	}
	switch outcome := outcomeOf(*m.Status); outcome {
	case channels.Failed:
		p := late(code)
		return channels.Ack{}, &channels.Error{Fault: p.Fault, RetryAfter: p.Wait, Code: codeText(code), Account: p.Account}
	default:
		return channels.Ack{Outcome: outcome, ProviderRef: *m.Sid}, nil
	}
}

// outcomeOf reads a message status. Whatever it is, it proves that the carrier
// took the message, so a status not known here counts as accepted.
func outcomeOf(status string) channels.Outcome {
	switch status {
	case "delivered", "read":
		return channels.Delivered
	case "undelivered", "failed", "canceled":
		return channels.Failed
	default:
		return channels.Accepted
	}
}

// codeText shows a code of Twilio's. Their codes have five digits; what is
// longer is somebody else's, and might be a phone number.
func codeText(code int) string {
	if code <= 0 || code > 99999 {
		return ""
	}
	return strconv.Itoa(code)
}

// known passes errors that call has classified; what is left is an answer the
// library could not decode, whose text may quote the answer and is dropped.
func known(err error) error {
	if e, ok := errors.AsType[*channels.Error](err); ok {
		return e
	}
	return &channels.Error{Fault: channels.FaultAmbiguous, Err: errUnreadable}
}

const checkTimeout = 10 * time.Second

// Check fetches the account, which proves the credentials and sends nothing.
func (s *sender) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	account, err := twilio.NewApiServiceWithClient(&call{ctx: ctx, s: s}).FetchAccount(s.cfg.AccountSID)
	switch {
	case err != nil:
		return fmt.Errorf("twilio: account: %w", known(err))
	case account.Sid == nil || *account.Sid != s.cfg.AccountSID:
		return errors.New("twilio: account: the answer is not our account")
	case account.Status == nil || *account.Status != "active":
		return errors.New("twilio: account: not active")
	default:
		return nil
	}
}
