package sms

import (
	"context"
	"errors"
	"net/url"
	"time"

	twilio "github.com/twilio/twilio-go/rest/api/v2010"

	"loa/channels"
)

// One look goes through this many pages at most: a number that has had more
// messages since the send is not one person's.
const (
	lookupPages    = 5
	lookupPageSize = 50
	maxPage        = 1 << 20 // octets
)

// clockSlack is how far Twilio's clock may be behind ours.
const clockSlack = 5 * time.Second

var errLookup = errors.New("list of messages cannot be read")

// Lookup asks Twilio for a message with the number and the text of m that it
// created at or after since. Twilio is asked by number alone: a message still
// queued has no date of sending that a filter could match
// (https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources).
func (s *sender) Lookup(ctx context.Context, m channels.Message, since time.Time) (*channels.Receipt, error) {
	if !numberForm.MatchString(m.To.Reveal()) || len(m.Body) == 0 {
		return nil, &channels.Error{Fault: channels.FaultContent, Err: errors.New("lookup: a number and a text are needed")}
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.timeout)
	defer cancel()
	api := twilio.NewApiServiceWithClient(&call{ctx: ctx, s: s, limit: maxPage})
	params := new(twilio.ListMessageParams).SetTo(m.To.Reveal()).SetPageSize(lookupPageSize)
	since = since.Truncate(time.Second).Add(-clockSlack)
	var best *channels.Receipt
	token, number := "", ""
	for range lookupPages {
		page, err := api.PageMessage(params, token, number)
		if err != nil {
			return nil, known(err)
		}
		if page.Messages == nil {
			return nil, errLookup // an object, but no list
		}
		recent, err := s.search(page.Messages, m, since, &best)
		if err != nil {
			return nil, err
		}
		if token, number = nextPage(page.NextPageUri); token == "" && number == "" || !recent {
			return best, nil
		}
	}
	if best == nil {
		return nil, errors.New("list of messages is too long to be read whole")
	}
	return best, nil
}

// search looks through one page and keeps the best of what fits. It reports
// whether any message of the page is recent: the newest come first, so a page
// without one ends the search.
func (s *sender) search(page []twilio.ApiV2010Message, m channels.Message, since time.Time, best **channels.Receipt) (recent bool, err error) {
	for i := range page {
		found := &page[i]
		if found.Sid == nil || found.Status == nil || found.DateCreated == nil || found.To == nil || found.Body == nil {
			return false, errLookup
		}
		created, err := time.Parse(time.RFC1123Z, *found.DateCreated)
		if err != nil {
			return false, errLookup // without the text, which might quote a number
		}
		if created.Before(since) {
			continue
		}
		recent = true
		if !sidForm.MatchString(*found.Sid) || *found.To != m.To.Reveal() || *found.Body != string(m.Body) {
			continue
		}
		if r := s.evidence(found, m.Ref); *best == nil || weight(r.Outcome) > weight((*best).Outcome) {
			*best = r
		}
	}
	return recent, nil
}

// evidence is what a message in Twilio's list proves.
func (s *sender) evidence(found *twilio.ApiV2010Message, ref string) *channels.Receipt {
	r := &channels.Receipt{
		Kind: channels.SMS, Ref: ref, Outcome: outcomeOf(*found.Status), ProviderRef: *found.Sid, At: s.deps.Now(),
	}
	if r.Outcome == channels.Failed {
		code := 0
		if found.ErrorCode != nil {
			code = *found.ErrorCode
		}
		p := late(code)
		r.Fault, r.RetryAfter, r.Code = p.Fault, p.Wait, codeText(code)
	}
	return r
}

// weight orders what several copies prove: one that may have arrived counts
// more than one that did not.
func weight(o channels.Outcome) int {
	switch o {
	case channels.Delivered:
		return 2
	case channels.Accepted:
		return 1
	default:
		return 0
	}
}

// nextPage reads where the list goes on. Only its two parameters are taken
// from the answer: we alone say which host is asked.
func nextPage(uri *string) (token, number string) {
	if uri == nil || *uri == "" {
		return "", ""
	}
	u, err := url.Parse(*uri)
	if err != nil {
		return "", ""
	}
	q := u.Query()
	return q.Get("PageToken"), q.Get("Page")
}
