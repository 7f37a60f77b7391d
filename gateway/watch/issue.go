package watch

import (
	"context"
	"fmt"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/delivery"
	"loa/gateway/dispatch"
)

// The reserved cells. They are no communes: nobody subscribes there, no warning
// is for them, and what is counted there is counted nowhere else.
const (
	CanaryCell = "loa-canary"
	DutyCell   = "loa-duty"
)

// valueName is the CAP geocode valueName of areas: what it says of a cell is
// where dispatch looks for people.
const valueName = "VN-NSO-2025"

// Own reports whether an alert is one of ours, which the public is never shown.
func Own(rev *alert.Revision) bool { return rev != nil && rev.Source == source }

// source is the CAP source of our revisions. An author cannot give it to a
// warning by mistake: it is not an address of anybody.
const source = "loa-watch"

// canaryTemplate is the text of the test message, an entry of the catalogue.
const canaryTemplate = "any.test"

// Outcomes counts the recipients of one of our revisions by what has come of
// them; all zero: it has not been cut yet.
type Outcomes [channels.OutcomeCount]int

// Store is what watch needs of the ledger; each method is one transaction.
type Store interface {
	// Issue makes the revision live, in place of the earlier one of its alert,
	// and stores the request. It returns false, storing nothing, if there is one
	// with this number or a higher one: another node was quicker.
	Issue(ctx context.Context, rev *alert.Revision, r dispatch.Request) (bool, error)
	Outcomes(ctx context.Context, id alert.ID, revision int) (Outcomes, error)
	// Prune forgets the revisions of an alert below a number, with all that was
	// sent of them, but for the one that is live.
	Prune(ctx context.Context, id alert.ID, below int) error
}

// RequestKey is the key of the request of one of our revisions.
func RequestKey(id alert.ID, revision int) string { return "watch/" + id.Identifier(revision) }

func canaryID(k channels.Kind) alert.ID { return alert.ID("canary-" + string(k)) }
func dutyID(c Cause) alert.ID           { return alert.ID("duty-" + string(c)) }

// canaryNumber is the number of the canary's revision in the slot that began at.
func canaryNumber(began time.Time) int { return int(began.Unix() / 60) }

// dutyNumber is the number of the revision of a page; that of its end is the
// next. It counts in steps of Gap, so that several nodes and a restart tell of a
// cause once.
func dutyNumber(at time.Time) int {
	return 2 * int(at.Truncate(Gap).Unix()/int64(Gap/time.Second))
}

// roster is a request to a few endpoints, by their ids.
func roster(rev *alert.Revision, cause dispatch.Cause, p delivery.Priority, kinds []channels.Kind, ids []int64) (dispatch.Request, error) {
	r := dispatch.Request{
		Key: RequestKey(rev.Alert, rev.Number), Alert: rev.Alert, Revision: rev.Number, Cause: cause, Priority: p,
		Kinds: kinds, Roster: true, People: ids,
	}
	for _, id := range ids {
		r.Snapshot = max(r.Snapshot, id)
	}
	if len(ids) > dispatch.MaxRoster {
		return r, dispatch.ErrRoster
	}
	return r, r.Validate()
}

// revision is the frame of our messages. It is the same on every node: all of
// it follows from the arguments.
func revision(sender string, id alert.ID, number int, sent, expires time.Time, cell string) *alert.Revision {
	return &alert.Revision{
		Alert: id, Number: number, Identifier: id.Identifier(number), Sender: sender, Sent: sent,
		MsgType: alert.MsgAlert, Scope: alert.Private, Addresses: []string{cell}, Source: source,
		Infos: []alert.Info{{
			Language: "vi-VN", Categories: []alert.Category{"Infra"}, Event: "Tự kiểm tra", ResponseTypes: []alert.ResponseType{"None"},
			Urgency: "Unknown", Severity: alert.Minor, Certainty: "Unknown", Effective: sent, Expires: expires,
			Areas: []alert.Area{{Desc: cell, Geocodes: []alert.NamedValue{{Name: valueName, Value: cell}}}},
		}},
	}
}

// canaryRevision is the test message of a channel in the slot that began at.
func canaryRevision(sender string, kind channels.Kind, began time.Time, every time.Duration) *alert.Revision {
	rev := revision(sender, canaryID(kind), canaryNumber(began), began, began.Add(2*every), CanaryCell)
	rev.Status, rev.Code = alert.Test, "TEST"
	in := &rev.Infos[0]
	in.Template = canaryTemplate
	in.Headline, in.Description = "THỬ NGHIỆM: không có thiên tai", "THỬ NGHIỆM. Hệ thống tự gửi tin này để biết kênh còn thông. Không cần làm gì."
	return rev
}

// dutyExpiry is how long a page is worth sending.
const dutyExpiry = 30 * time.Minute

// dutyRevision is a page as people read it. It is no test, and goes to nobody
// but the people on duty.
func dutyRevision(sender, agency string, p Page) *alert.Revision {
	number := dutyNumber(p.At)
	w, said, plain := catalogue[p.Cause], "có sự cố", "co su co"
	advice, advicePlain := "Kiểm tra ngay: loa doctor", "Kiem tra ngay: loa doctor"
	if p.Resolved {
		number++
		said, plain, advice, advicePlain = "đã hết sự cố", "da het su co", "Không cần làm gì thêm", "Khong can lam gi them"
	}
	rev := revision(sender, dutyID(p.Cause), number, p.At, p.At.Add(dutyExpiry), DutyCell)
	rev.Status, rev.Code = alert.Actual, "DUTY"
	in := &rev.Infos[0]
	in.Headline = fmt.Sprintf("Hệ thống Loa %s: %s", said, w.vi)
	in.Description = fmt.Sprintf("%s. %s.", w.vi, advice)
	in.Slots = map[string]string{smsSlot: fmt.Sprintf("%s %s: he thong Loa %s: %s. %s", agency, p.At.In(vietnam).Format("15h04 02/01"), plain, w.plain, advicePlain)}
	return rev
}

// smsSlot holds the SMS of a page. It is no entry of the catalogue, from which
// authors choose what the public reads.
const smsSlot = "sms"

var vietnam = time.FixedZone("+07:00", 7*60*60)

// SMS is the text of a page, without marks, in one part; false for every other
// revision.
func SMS(rev *alert.Revision) (string, bool) {
	if !Own(rev) || len(rev.Infos) != 1 || rev.Infos[0].Template != "" {
		return "", false
	}
	return rev.Infos[0].Slots[smsSlot], true
}
