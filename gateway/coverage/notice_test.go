package coverage

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"loa/channels"
	"loa/gateway/area"
)

func TestGaps(t *testing.T) {
	t.Parallel()
	sms := func(revision int, commune area.Code, code, text string) Notice {
		return Notice{Alert: "a", Revision: revision, Kind: channels.SMS, Commune: commune, Code: code, Text: text}
	}
	push := Notice{Alert: "a", Revision: 1, Kind: channels.WebPush, Commune: "06652", Code: "render"}
	all := []Notice{
		sms(1, "06652", "render", "first"), sms(1, "", "content/30007", ""), push,
		sms(1, "07192", "render", "second"), sms(2, "07192", "render", "third"),
	}
	want := []Gap{
		{all[0], []area.Code{"06652", "07192"}}, {all[1], nil}, {push, []area.Code{"06652"}}, {all[4], []area.Code{"07192"}},
	}
	if d := cmp.Diff(want, Gaps(all)); d != "" {
		t.Error(d)
	}
	if Gaps(nil) != nil {
		t.Error("gaps of nothing")
	}
}
