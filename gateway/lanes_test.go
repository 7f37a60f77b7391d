package gateway

import (
	"context"
	"strings"
	"testing"

	"loa/channels"
	"loa/gateway/config"
)

// way is a carrier that takes everything and reaches nobody.
type way string

func (way) Kind() channels.Kind { return channels.SMS }
func (w way) Provider() string  { return string(w) }
func (way) Live() bool          { return false }
func (way) Send(context.Context, channels.Message) (channels.Ack, error) {
	return channels.Ack{}, nil
}

// signed is a way whose messages bear a name.
type signed struct {
	way
	as string
}

func (s signed) Originator() string { return s.as }

// Two SMS drivers are two ways of one lane, if each has registered its sender.
func TestTwoCarriers(t *testing.T) {
	t.Parallel()
	type senders = []map[string]string
	both := senders{{"provider": "mute", "sender": "QuangNinh"}, {"provider": "second", "sender": "QuangNinh"}}
	for name, c := range map[string]struct {
		senders  senders
		channels []config.Channel
		want     string // of the fault; empty: none
	}{
		"two ways":        {both, []config.Channel{{Driver: "mute", Prefixes: []string{"+8491"}}, {Driver: "second", Cost: 3}}, ""},
		"one registered":  {both[:1], []config.Channel{{Driver: "mute"}, {Driver: "second"}}, "channels[1]: driver \"second\": sms.senders names no sender of provider second"},
		"another name":    {both, []config.Channel{{Driver: "stranger"}}, "its messages would go out as HaNoi"},
		"its own name":    {both, []config.Channel{{Driver: "local"}}, ""},
		"same way twice":  {both, []config.Channel{{Driver: "mute"}, {Driver: "again"}}, "another called " + "mute"},
		"prefixes of app": {both, []config.Channel{{Driver: "mute"}, {Driver: "horn", Prefixes: []string{"+8491"}}}, "only for SMS"},
		"cost of app":     {both, []config.Channel{{Driver: "mute"}, {Driver: "horn", Cost: 1}}, "only for SMS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := muteOptions(t, t.TempDir())
			open := func(name string, kind channels.Kind, v any) {
				o.Drivers = append(o.Drivers, channels.Driver{Name: name, Kind: kind, Open: func(func(any) error, channels.Deps) (any, error) { return v, nil }})
			}
			o.Drivers = nil
			open("mute", channels.SMS, way("mute"))
			open("second", channels.SMS, way("second"))
			open("again", channels.SMS, way("mute"))
			open("stranger", channels.SMS, signed{"mute", "HaNoi"})
			open("local", channels.SMS, signed{"mute", "QuangNinh"})
			open("horn", channels.App, horn{})
			var err error
			if o.Config.SMS, err = config.NewSection(map[string]any{"senders": c.senders}); err != nil {
				t.Fatal(err)
			}
			o.Config.Channels = c.channels
			found := Examine(t.Context(), o, false).Faults
			g, err := New(t.Context(), o)
			if err == nil {
				if err := g.Close(); err != nil {
					t.Error(err)
				}
			}
			if c.want == "" {
				if err != nil || len(found) > 0 {
					t.Errorf("check: %v; new: %v", found, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("new: %v, want %q", err, c.want)
			}
			if len(found) != 1 || !strings.Contains(found[0].Error(), c.want) {
				t.Errorf("check: %v, want %q", found, c.want)
			}
		})
	}
}
