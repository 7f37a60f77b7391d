package gateway

import (
	"fmt"
	"slices"

	"loa/channels"
	"loa/gateway/config"
	"loa/gateway/delivery"
	"loa/gateway/render"
)

// registered refuses an SMS provider that the section sms names no sender of:
// nothing that goes out through it would be held against what its carrier has
// registered.
func (g *Gateway) registered(o opened) error {
	s, ok := o.value.(channels.Sender)
	if !ok || o.kind != channels.SMS || len(g.senders) == 0 ||
		slices.ContainsFunc(g.senders, func(from render.Sender) bool { return from.Provider == s.Provider() }) {
		return nil
	}
	return fmt.Errorf("sms.senders names no sender of provider %s: add {provider: %s, sender: …}", s.Provider(), s.Provider())
}

// registeredName refuses an SMS provider whose messages would bear another name
// than those that the section sms says are registered.
func (g *Gateway) registeredName(o opened) error {
	s, sends := o.value.(channels.Sender)
	named, names := o.value.(channels.Originator)
	if !sends || !names || o.kind != channels.SMS || len(g.senders) == 0 || named.Originator() == "" ||
		slices.Contains(g.senders, render.Sender{Provider: s.Provider(), Sender: named.Originator()}) {
		return nil
	}
	return fmt.Errorf("its messages would go out as %s, which sms.senders does not name for provider %s", named.Originator(), s.Provider())
}

// joins puts a channel's limits into a lane that has others: the lane is as wide
// as the widest of them asks.
func joins(lane *delivery.Lane, o opened, c config.Channel) error {
	_, broadcasts := o.value.(channels.Broadcaster)
	switch {
	case lane.Broadcaster != nil && broadcasts:
		return fmt.Errorf("a second broadcaster for %s", o.kind)
	case lane.Broadcaster != nil || broadcasts && len(lane.Providers) > 0:
		return fmt.Errorf("%s has a broadcaster and a sender", o.kind)
	case o.kind != channels.SMS && (len(c.Prefixes) > 0 || c.Cost != 0):
		return fmt.Errorf("prefixes, cost: only for SMS")
	}
	if s, ok := o.value.(channels.Sender); ok && slices.ContainsFunc(lane.Providers, func(p delivery.Provider) bool { return p.Sender.Provider() == s.Provider() }) {
		return fmt.Errorf("%s has another called %s", o.kind, s.Provider())
	}
	lane.Workers, lane.Window = max(lane.Workers, c.Workers), max(lane.Window, c.Window)
	return nil
}
