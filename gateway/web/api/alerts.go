package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/cap"
	"loa/gateway/desk"
)

// MaxList bounds a list of alerts.
const MaxList = 500

func (a *act) id() alert.ID { return alert.ID(a.PathValue("id")) }

// draft makes a draft of a document, or of a CAP message for a person to judge
// and complete: nothing that comes in from elsewhere is ever sent by itself.
func (s *server) draft(ctx context.Context, a *act) (int, any, error) {
	var d Draft
	var notes []Note
	var err error
	if a.isCAP() {
		d, notes, err = s.fromCAP(ctx, a)
	} else {
		err = a.decode(&d, false)
	}
	if err != nil {
		return 0, nil, err
	}
	in, brushed, err := s.input(&d, a.key)
	if err != nil {
		return 0, nil, err
	}
	c, err := s.Desk.Draft(ctx, a.token, in)
	if err != nil {
		return 0, nil, err
	}
	out := whole(c)
	out.Brushed, out.Notes = brushed, append(notes, out.Notes...)
	return http.StatusCreated, out, nil
}

// fromCAP reads a CAP 1.2 message as a draft. Its resources are left out: Loa
// sends no links.
func (s *server) fromCAP(ctx context.Context, a *act) (Draft, []Note, error) {
	rev, notes, err := cap.Read(ctx, a.reader(), cap.Options{MaxBytes: MaxBody, Now: s.Now})
	if err != nil {
		return Draft{}, nil, err
	}
	switch {
	case rev.MsgType != alert.MsgAlert:
		return Draft{}, nil, invalid("msgType", "only an Alert becomes a draft; stop, correct or update your own alert instead of relaying an "+string(rev.MsgType))
	case rev.Scope != alert.Public:
		return Draft{}, nil, invalid("scope", "only a Public message becomes a draft (A32)")
	}
	d := Draft{Status: rev.Status, Source: rev.Sender + "," + rev.Identifier, Note: rev.Note, Incidents: rev.Incidents}
	for i := range rev.Infos {
		d.Infos = append(d.Infos, infoOf(&rev.Infos[i]))
	}
	var remarks []Note
	for _, n := range notes {
		remarks = append(remarks, Note{n.Rule, n.Text, n.Line})
	}
	return d, remarks, nil
}

func (s *server) edit(ctx context.Context, a *act) (int, any, error) {
	var d Draft
	if err := a.decode(&d, false); err != nil {
		return 0, nil, err
	}
	in, brushed, err := s.input(&d, a.key)
	if err != nil {
		return 0, nil, err
	}
	c, err := s.Desk.Edit(ctx, a.token, a.id(), in)
	if err != nil {
		return 0, nil, err
	}
	out := whole(c)
	out.Brushed = brushed
	return http.StatusOK, out, nil
}

func (s *server) list(ctx context.Context, a *act) (int, any, error) {
	limit := 50
	if text := a.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > MaxList {
			return 0, nil, malformed("limit", "1 to 500")
		}
		limit = n
	}
	var states []alert.State
	for _, text := range a.URL.Query()["state"] {
		state := alert.State(text)
		if !slices.Contains([]alert.State{
			alert.Drafted, alert.Submitted, alert.Returned, alert.Rejected, alert.Approved, alert.Stopped, alert.Superseded, alert.Ended,
		}, state) {
			return 0, nil, malformed("state", "no such state")
		}
		states = append(states, state)
	}
	asked := limit
	if a.known {
		asked = 10 * MaxList // among them are some that this person may not read
	}
	cases, err := s.Desk.List(ctx, a.token, states, asked)
	if err != nil {
		return 0, nil, err
	}
	cases = s.seen(a, cases)
	cases = cases[:min(limit, len(cases))]
	out := struct {
		Alerts []Alert `json:"alerts"`
	}{make([]Alert, 0, len(cases))}
	for i := range cases {
		out.Alerts = append(out.Alerts, head(&cases[i]))
	}
	return http.StatusOK, out, nil
}

// show answers with the text, the SMS twins of what was submitted, and the
// coverage of what was approved: by commune too unless coverage=channels.
func (s *server) show(ctx context.Context, a *act) (int, any, error) {
	c, err := s.Desk.Status(ctx, a.token, a.id())
	if err != nil {
		return 0, nil, err
	}
	var out Alert
	detail := a.URL.Query().Get("coverage")
	switch detail {
	case "", "communes":
		out = s.signable(ctx, c)
	case "channels":
		out = head(c)
	default:
		return 0, nil, malformed("coverage", "one of communes, channels")
	}
	if !c.ApprovedAt.IsZero() {
		if out.Coverage, err = s.coverage(ctx, c, detail != "channels"); err != nil {
			return 0, nil, err
		}
	}
	return http.StatusOK, out, nil
}

func (s *server) submit(ctx context.Context, a *act) (int, any, error) {
	if err := a.decode(&struct{}{}, true); err != nil {
		return 0, nil, err
	}
	c, err := s.Desk.Submit(ctx, a.token, a.id())
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, s.signable(ctx, c), nil
}

// signable is a case with all that whoever signs it must know, as far as it can
// be read now: it is submitted already, and an answer that it failed would have
// that done again.
func (s *server) signable(ctx context.Context, c *desk.Case) Alert {
	out := whole(c)
	out.SMS, out.Targets, out.Brushed = s.texts(c), s.targets(c), s.brushed(c.Submission.Revision)
	out.CorrectedBy = s.Desk.CorrectedBy(c)
	var err error
	if out.OtherReaders, err = s.otherReaders(ctx, c); err != nil {
		s.Log.WarnContext(ctx, "who reads another language than the texts is not known", "alert", c.ID, "err", err)
	}
	if c.Hash == (desk.SubmissionHash{}) {
		return out
	}
	if out.TwoPeople, err = s.Desk.NeedsTwo(ctx, c); err != nil {
		s.Log.WarnContext(ctx, "whether two people must sign is not known", "alert", c.ID, "err", err)
		out.TwoPeople = true
	}
	return out
}

// Reason says why somebody gives back, rejects or stops.
type Reason struct {
	Reason string `json:"reason"`
}

func (s *server) giveBack(ctx context.Context, a *act) (int, any, error) {
	reason, err := a.reason()
	if err != nil {
		return 0, nil, err
	}
	return done(s.Desk.Return(ctx, a.token, a.id(), reason))
}

func (s *server) reject(ctx context.Context, a *act) (int, any, error) {
	reason, err := a.reason()
	if err != nil {
		return 0, nil, err
	}
	return done(s.Desk.Reject(ctx, a.token, a.id(), reason))
}

func (a *act) reason() (string, error) {
	var in Reason
	if err := a.decode(&in, false); err != nil {
		return "", err
	}
	return in.Reason, checkReason(in.Reason)
}

func checkReason(text string) error {
	if text == "" || len(text) > desk.MaxReason {
		return invalid("reason", "1 to 2,000 bytes: the audit needs it")
	}
	return nil
}

// Retraction stops or corrects an alert. Its infos have no areas.
type Retraction struct {
	Reason string       `json:"reason"`
	Status alert.Status `json:"status,omitempty"` // that of the alert, or absent
	Infos  []Info       `json:"infos,omitempty"`  // what they leave out is as in the alert
}

func (a *act) retraction() (in Retraction, infos []alert.Info, err error) {
	if err := a.decode(&in, false); err != nil {
		return in, nil, err
	}
	if err := checkReason(in.Reason); err != nil {
		return in, nil, err
	}
	infos, err = words(in.Infos)
	return in, infos, err
}

func (s *server) stop(ctx context.Context, a *act) (int, any, error) {
	in, notice, err := a.retraction()
	if err != nil {
		return 0, nil, err
	}
	return done(s.Desk.Stop(ctx, a.token, a.id(), desk.StopInput{Reason: in.Reason, Status: in.Status, Notice: notice, Key: a.key}))
}

// correct answers with what is sent or waits for a second signature, and with
// preview=true what would be.
func (s *server) correct(ctx context.Context, a *act) (int, any, error) {
	in, infos, err := a.retraction()
	if err != nil {
		return 0, nil, err
	}
	preview := a.URL.Query().Get("preview")
	if preview != "" && preview != "true" {
		return 0, nil, malformed("preview", "true, or absent")
	}
	c, err := s.Desk.Correct(ctx, a.token, a.id(), desk.CorrectInput{Reason: in.Reason, Status: in.Status, Infos: infos, Key: a.key, Preview: preview == "true"})
	if err != nil {
		return 0, nil, err
	}
	out := whole(c)
	out.SMS = s.texts(c)
	if out.Reached, err = s.reached(ctx, a, c); err != nil {
		// An answer that it failed would have a correction that stands made again.
		s.Log.WarnContext(ctx, "who may have got the corrected alert is not known", "err", err)
		out.Reached, out.ReachedUnknown = nil, true
	}
	return http.StatusOK, out, nil
}

func (s *server) update(ctx context.Context, a *act) (int, any, error) {
	return s.follow(ctx, a, s.Desk.Update)
}

func (s *server) allClear(ctx context.Context, a *act) (int, any, error) {
	return s.follow(ctx, a, s.Desk.AllClear)
}

// composer drafts what shall take the place of an alert.
type composer func(ctx context.Context, token channels.Secret, id alert.ID, in desk.DraftInput) (*desk.Case, error)

func (s *server) follow(ctx context.Context, a *act, compose composer) (int, any, error) {
	var d Draft
	if err := a.decode(&d, false); err != nil {
		return 0, nil, err
	}
	in, brushed, err := s.input(&d, a.key)
	if err != nil {
		return 0, nil, err
	}
	c, err := compose(ctx, a.token, a.id(), in)
	if err != nil {
		return 0, nil, err
	}
	out := whole(c)
	out.Brushed = brushed
	return http.StatusCreated, out, nil
}

// done answers an act with the case as it is now.
func done(c *desk.Case, err error) (int, any, error) {
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, head(c), nil
}
