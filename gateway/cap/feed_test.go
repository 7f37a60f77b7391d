package cap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"loa/gateway/alert"
)

// atom is a feed as any reader of Atom sees it.
type atom struct {
	XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string   `xml:"id"`
	Title   string   `xml:"title"`
	Updated string   `xml:"updated"`
	Author  string   `xml:"author>name"`
	Entries []struct {
		ID      string `xml:"id"`
		Title   string `xml:"title"`
		Updated string `xml:"updated"`
		Link    struct {
			Type string `xml:"type,attr"`
			Href string `xml:"href,attr"`
		} `xml:"link"`
	} `xml:"entry"`
}

func feedOf(updated time.Time) Feed {
	return Feed{
		ID: "https://quangninh.example/feed", Title: "Cảnh báo đang hiệu lực", Author: "Ban Chỉ huy Phòng thủ dân sự tỉnh Quảng Ninh",
		Self: "https://quangninh.example/feed?a=1&b=2", Updated: updated,
	}
}

func entry(t *testing.T, id string, change func(*alert.Revision)) Entry {
	t.Helper()
	rev := storm(t)
	rev.MsgType, rev.References, rev.Identifier = alert.MsgAlert, nil, id
	if change != nil {
		change(rev)
	}
	return Entry{Revision: rev, URL: "https://quangninh.example/cap/" + id + "?x=1&y=2"}
}

func readFeed(t *testing.T, entries []Entry, now time.Time) atom {
	t.Helper()
	var b bytes.Buffer
	if err := WriteFeed(&b, feedOf(now), entries, now); err != nil {
		t.Fatal(err)
	}
	var got atom
	if err := xml.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	return got
}

func TestFeedListsWhatIsInForce(t *testing.T) {
	t.Parallel()
	sent := storm(t).Sent
	now := sent.Add(time.Hour)
	refers := func(kind alert.MsgType, to string) func(*alert.Revision) {
		return func(r *alert.Revision) {
			r.MsgType, r.Sent = kind, sent.Add(time.Minute)
			r.References = []alert.Reference{{Sender: r.Sender, Identifier: to, Sent: sent}}
			if kind == alert.MsgCancel {
				r.Infos = nil
			}
		}
	}
	got := readFeed(t, []Entry{
		entry(t, "plain", nil),
		entry(t, "replaced", nil),
		entry(t, "update", refers(alert.MsgUpdate, "replaced")),
		entry(t, "taken-back", nil),
		entry(t, "cancel", refers(alert.MsgCancel, "taken-back")),
		entry(t, "test", func(r *alert.Revision) { r.Status = alert.Test }),
		entry(t, "restricted", func(r *alert.Revision) { r.Scope = alert.Restricted }),
		entry(t, "expired", func(r *alert.Revision) { r.Infos[0].Expires, r.Infos[1].Expires = now, now }),
	}, now)
	var ids []string
	for _, e := range got.Entries {
		if e.ID != e.Link.Href || e.Link.Type != "application/cap+xml" || e.Updated == "" || e.Title == "" {
			t.Errorf("entry %+v", e)
		}
		ids = append(ids, strings.TrimSuffix(strings.TrimPrefix(e.ID, "https://quangninh.example/cap/"), "?x=1&y=2"))
	}
	if diff := cmp.Diff([]string{"update", "cancel", "plain"}, ids); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got.Entries[2].Title != "Bão số 3 đổ bộ, ở trong nhà" {
		t.Errorf("title %q", got.Entries[2].Title)
	}
}

// No alerts is a whole feed; a feed that cannot be made is an error and
// nothing is written.
func TestEmptyAndBrokenFeeds(t *testing.T) {
	t.Parallel()
	now := storm(t).Sent
	if got := readFeed(t, nil, now); len(got.Entries) != 0 || got.Updated == "" || got.ID == "" || got.Author == "" {
		t.Errorf("empty feed %+v", got)
	}
	nowhere := entry(t, "a", nil)
	nowhere.URL = "cap/a"
	var many []Entry
	for i := range 2000 {
		e := entry(t, fmt.Sprint(i), nil)
		e.Revision.Infos[0].Description = strings.Repeat("ă", 500)
		many = append(many, e)
	}
	for name, entries := range map[string][]Entry{
		"one address twice": {entry(t, "a", nil), entry(t, "a", nil)},
		"no address":        {nowhere},
		"too large":         many,
	} {
		var b bytes.Buffer
		err := WriteFeed(&b, feedOf(now), entries, now)
		if err == nil || b.Len() > 0 || errors.Is(err, ErrFeedSize) != (name == "too large") {
			t.Errorf("%s: %v, %d bytes", name, err, b.Len())
		}
	}
	if err := WriteFeed(&bytes.Buffer{}, Feed{}, nil, now); err == nil {
		t.Error("a feed without a name was written")
	}
	if err := WriteFeed(brokenPipe{}, feedOf(now), nil, now); !errors.Is(err, errPipe) {
		t.Errorf("broken pipe: %v", err)
	}
}
