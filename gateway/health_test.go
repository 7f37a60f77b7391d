package gateway

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"loa/channels"
	"loa/gateway/delivery"
)

func TestHealthIsTold(t *testing.T) {
	t.Parallel()
	down := delivery.Down{Kind: channels.SMS, Provider: "twilio", Fault: channels.FaultProvider, Code: "20003"}
	well, ill := delivery.Health{Mode: delivery.ModeQueue}, delivery.Health{Mode: delivery.ModeDirect, Down: []delivery.Down{down}}
	for _, c := range []struct {
		last, now delivery.Health
		want      []string
	}{
		{well, well, nil},
		{well, ill, []string{"a provider is down", "why=\"the provider refuses the login\"", "mode=direct"}},
		{ill, ill, nil},
		{ill, well, []string{"a provider answers again", "mode=queue"}},
	} {
		var out bytes.Buffer
		tellHealth(t.Context(), slog.New(slog.NewTextHandler(&out, nil)), c.last, c.now)
		for _, w := range c.want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%v to %v: %q is not in %q", c.last, c.now, w, out.String())
			}
		}
		if len(c.want) == 0 && out.Len() > 0 {
			t.Errorf("nothing changed, but: %s", out.String())
		}
	}
}
