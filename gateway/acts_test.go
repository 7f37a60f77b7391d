package gateway

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"loa/gateway/alert"
	"loa/gateway/audit"
	"loa/gateway/desk"
)

type fakeDesk struct {
	desk.Store
	err error
}

func (f fakeDesk) Create(context.Context, desk.Case, audit.Record) error { return f.err }
func (f fakeDesk) Apply(context.Context, desk.Change) error              { return f.err }

// Approvals, stops and corrections are in the log once they are durable, with
// who did them and without what was said.
func TestActsAreLogged(t *testing.T) {
	t.Parallel()
	c := desk.Case{ID: "a1", State: alert.Approved, Author: desk.Person{Name: "Nguyễn Thị Soạn"}}
	c.Submission.Revision = &alert.Revision{Code: "K7QM", Status: alert.Actual, Infos: []alert.Info{{Headline: "Bão số 3"}}}
	for act, run := range map[string]func(desk.Store, audit.Record) error{
		"alert.approve": func(s desk.Store, r audit.Record) error {
			return s.Apply(t.Context(), desk.Change{Case: c, Records: []audit.Record{r, {Act: "alert.supersede", Object: "alert/a0", Actor: "p_2"}}})
		},
		"alert.stop": func(s desk.Store, r audit.Record) error {
			return s.Apply(t.Context(), desk.Change{Case: c, Records: []audit.Record{r}})
		},
		"alert.correction": func(s desk.Store, r audit.Record) error { return s.Create(t.Context(), c, r) },
	} {
		for _, fault := range []error{nil, errors.New("disk full")} {
			var out bytes.Buffer
			rec := audit.Record{Act: act, Object: "alert/a1", Actor: "p_2", Detail: `{"reason":"gọi 0912345678"}`}
			err := run(loggedDesk{fakeDesk{err: fault}, slog.New(slog.NewTextHandler(&out, nil))}, rec)
			said := out.String()
			switch {
			case !errors.Is(err, fault):
				t.Errorf("%s: %v", act, err)
			case fault != nil && said != "":
				t.Errorf("%s was not done and is logged: %s", act, said)
			case fault == nil && (!strings.Contains(said, "act="+act) || !strings.Contains(said, "object=alert/a1") || !strings.Contains(said, "person=p_2") || !strings.Contains(said, "code=K7QM")):
				t.Errorf("%s: %s", act, said)
			case act == "alert.approve" && fault == nil && !strings.Contains(said, "act=alert.supersede object=alert/a0"):
				t.Errorf("what it replaces is not logged: %s", said)
			}
			for _, private := range []string{"0912345678", "Soạn", "Bão"} {
				if strings.Contains(said, private) {
					t.Errorf("%s tells %q: %s", act, private, said)
				}
			}
		}
	}
}
