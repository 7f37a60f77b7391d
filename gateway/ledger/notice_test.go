package ledger

import (
	"errors"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/coverage"
	"loa/gateway/dispatch"
)

func TestNoticesAreKeptOncePerAlert(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		approve(t, l, "a1")
		id := cut(t, l, "a1", batch("a1", 1, 3))[0]
		r := dispatch.Refusal{Key: "a1", Code: dispatch.RefusedRender, Alert: "a1", Revision: 1, Cell: here, Recipients: 2, Err: errors.New("mẫu chưa đăng ký")}
		must(t, l.Dispatch().Note(t.Context(), noon, r))
		r.Err = errors.New("another word")
		must(t, l.Dispatch().Note(t.Context(), noon.Add(time.Second), r, dispatch.Refusal{Code: dispatch.RefusedUnreadable, Alert: "a1"}))
		content := coverage.Notice{Code: "content/30007", At: noon.Add(2 * time.Second)}
		must(t, l.NoteBatch(t.Context(), id, content))
		must(t, l.NoteBatch(t.Context(), id, content))
		must(t, l.NoteBatch(t.Context(), 999, content))
		if err := l.NoteBatch(t.Context(), id, coverage.Notice{At: noon}); err == nil {
			t.Error("a notice without a code was kept")
		}
		want := []coverage.Notice{
			{Alert: "a1", Revision: 1, Kind: channels.SMS, Commune: "06649", Code: "render", Text: "mẫu chưa đăng ký", At: noon},
			{Alert: "a1", Code: "unreadable", At: noon.Add(time.Second)},
			{Alert: "a1", Revision: 1, Kind: channels.SMS, Code: "content/30007", At: noon.Add(2 * time.Second)},
		}
		same(t, "notices", want, got(l.Notices().Notices(t.Context(), "a1", 10))(t))
		same(t, "the oldest", want[:1], got(l.Notices().Notices(t.Context(), "a1", 1))(t))
		same(t, "of another", nil, got(l.Notices().Notices(t.Context(), "a2", 10))(t))
	})
}
