package cap

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"loa/gateway/alert"
)

// MaxFeed bounds a feed, in bytes: readers turn larger ones away.
const MaxFeed = 900_000

// ErrFeedSize is returned for a feed of more than MaxFeed bytes.
var ErrFeedSize = errors.New("cap: the feed has more than 900,000 bytes")

// Feed describes an Atom feed (RFC 4287) of alerts. ID and Self are absolute
// web addresses; Self is where the feed itself is.
type Feed struct {
	ID, Title, Author, Self string
	Updated                 time.Time
}

// Entry is one message of a feed and the absolute web address of its CAP.
type Entry struct {
	Revision *alert.Revision
	URL      string
}

// WriteFeed writes the messages that are in force at now, newest first: public,
// Actual, not expired, and not taken back or replaced by another of the
// entries. A Cancel without an end is listed as long as it is handed in. A feed
// without entries is a whole feed that says: no alerts.
func WriteFeed(w io.Writer, f Feed, entries []Entry, now time.Time) error {
	if !alert.AbsoluteURL(f.ID) || !alert.AbsoluteURL(f.Self) || f.Title == "" || f.Author == "" || f.Updated.IsZero() {
		return errors.New("cap: a feed needs an id, a title, an author, its address and the time of its last change (C90)")
	}
	listed := inForce(entries, now)
	ids := map[string]bool{}
	for _, e := range listed {
		if !alert.AbsoluteURL(e.URL) || ids[e.URL] {
			return fmt.Errorf("cap: an entry of a feed needs a web address of its own (C90, C91): %q", e.URL)
		}
		ids[e.URL] = true
	}
	var b bytes.Buffer
	x := &writer{to: bufio.NewWriter(&b)}
	x.raw(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	x.within(`feed xmlns="http://www.w3.org/2005/Atom"`, func() {
		x.must("id", f.ID)
		x.must("title", f.Title)
		x.must("updated", f.Updated.Format(time.RFC3339))
		x.within("author", func() { x.must("name", f.Author) })
		x.link("self", "application/atom+xml", f.Self)
		for _, e := range listed {
			x.entry(e)
		}
	})
	if err := x.to.Flush(); err != nil {
		return fmt.Errorf("cap: feed: %w", err)
	}
	if b.Len() > MaxFeed {
		return ErrFeedSize
	}
	if _, err := b.WriteTo(w); err != nil {
		return fmt.Errorf("cap: feed: %w", err)
	}
	return nil
}

func inForce(entries []Entry, now time.Time) []Entry {
	replaced := map[[2]string]bool{}
	for _, e := range entries {
		if r := e.Revision; r.MsgType == alert.MsgUpdate || r.MsgType == alert.MsgCancel {
			for _, ref := range r.References {
				replaced[[2]string{ref.Sender, ref.Identifier}] = true
			}
		}
	}
	listed := slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool {
		r := e.Revision
		endless := r.Expires().IsZero() && r.MsgType == alert.MsgCancel
		return r.Status != alert.Actual || r.Scope != alert.Public ||
			!endless && !r.Expires().After(now) || replaced[[2]string{r.Sender, r.Identifier}]
	})
	slices.SortStableFunc(listed, func(a, b Entry) int { return b.Revision.Sent.Compare(a.Revision.Sent) })
	return listed
}

func (x *writer) entry(e Entry) {
	r := e.Revision
	title, summary := r.Identifier, ""
	for i := range r.Infos {
		if in := &r.Infos[i]; i == 0 || in.Lang() == "vi" {
			title, summary = in.Headline, in.Description
			if title == "" {
				title = in.Event
			}
			if in.Lang() == "vi" {
				break
			}
		}
	}
	x.within("entry", func() {
		x.must("id", e.URL)
		x.must("title", title)
		x.must("updated", r.Sent.Format(time.RFC3339))
		x.link("alternate", ContentType, e.URL)
		x.text("summary", summary)
	})
}

func (x *writer) link(rel, kind, href string) {
	x.tabs()
	x.raw(`<link rel="` + rel + `" type="` + kind + `" href="` + attributeEscaper.Replace(href) + "\"/>\n")
}
