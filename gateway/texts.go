package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/desk"
	"loa/gateway/render"
)

// place is a commune as texts name it.
func (g *Gateway) place(code area.Code) render.Place {
	u, ok := g.Areas.Unit(code)
	if !ok {
		return render.Place{Code: string(code)}
	}
	return render.Place{Code: string(u.Code), Kind: string(u.Kind), Name: u.Name, NameEN: u.NameEN, Collides: g.collide[u.Code]}
}

// named lists the places of an info as an official names them: provinces that
// are meant whole or for the most part, then single communes.
func (g *Gateway) named(in *alert.Info) []render.Place {
	var communes []area.Code
	for _, a := range in.Areas {
		for _, c := range a.Geocodes {
			if c.Name == area.ValueName {
				communes = append(communes, area.Code(c.Value))
			}
		}
	}
	shares, rest := g.Areas.Gather(communes)
	var places []render.Place
	for _, s := range shares {
		p := g.place(s.Province.Code)
		p.Part, p.Whole, p.Special = s.Part, s.Whole, s.Special
		places = append(places, p)
	}
	for _, c := range rest {
		places = append(places, g.place(c))
	}
	return places
}

// complete writes who speaks, and headline, description and instruction of the
// infos that are made from a template, before the revision is frozen.
func (g *Gateway) complete(rev *alert.Revision) error {
	for i := range rev.Infos {
		in := &rev.Infos[i]
		if in.SenderName == "" {
			in.SenderName = g.cfg.Agency.Name
			if in.Lang() == "en" {
				in.SenderName = g.cfg.Agency.NameEN
			}
		}
		if in.Contact == "" {
			in.Contact = g.cfg.Agency.Contact
		}
		if in.Template == "" {
			continue
		}
		if err := g.fillEarlier(rev, in); err != nil {
			return err
		}
		if err := g.Renderer.CheckSlots(in.Template, in.Lang(), in.Slots); err != nil {
			return slotFaults(i, err)
		}
		places := g.named(in)
		if len(places) == 0 {
			return &alert.FieldError{Field: fmt.Sprintf("infos[%d].areas", i), Rule: "A17", Text: "names no commune; names and geocodes of other registers address nobody"}
		}
		if err := g.Renderer.FillInfo(in, rev, places); err != nil {
			return slotFaults(i, err)
		}
	}
	return nil
}

// lookBound is how long a text may wait for the message that it is about.
const lookBound = 5 * time.Second

// fillEarlier writes which earlier message a text is about, its code and when it
// was issued, where the template says so and the author leaves it out.
func (g *Gateway) fillEarlier(rev *alert.Revision, in *alert.Info) error {
	if len(rev.References) == 0 {
		return nil
	}
	last := rev.References[len(rev.References)-1]
	slots := maps.Clone(in.Slots)
	if slots == nil {
		slots = make(map[string]string)
	}
	for _, s := range g.Renderer.Slots(in.Template, in.Lang()) {
		if _, given := slots[s.Name]; given {
			continue
		}
		switch s.Name {
		case "old_at":
			slots[s.Name] = last.Sent.Format(time.RFC3339)
		case "old_code":
			ctx, cancel := context.WithTimeout(context.Background(), lookBound) //nolint:forbidigo // completing has no caller that may give up
			old, err := g.earlier(ctx, last)
			cancel()
			if err != nil {
				return err
			}
			if old != nil {
				slots[s.Name] = old.Code
			}
		}
	}
	in.Slots = slots
	return nil
}

// earlier is the revision that is referred to; nil if it is none of ours.
func (g *Gateway) earlier(ctx context.Context, ref alert.Reference) (*alert.Revision, error) {
	id := ref.Identifier[:max(0, strings.LastIndexByte(ref.Identifier, '.'))]
	c, err := g.ledger.Desk().Case(ctx, alert.ID(id))
	if errors.Is(err, desk.ErrNotFound) || err == nil && (c.Submission.Revision == nil || c.Submission.Revision.Identifier != ref.Identifier) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("what the text is about: %w", err)
	}
	return c.Submission.Revision, nil
}

// slotFaults places what is wrong with the slots of an info.
func slotFaults(i int, err error) error {
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	placed := make([]error, 0, len(all))
	for _, one := range all {
		slot, ok := errors.AsType[*render.SlotError](one)
		if !ok {
			return fmt.Errorf("infos[%d]: %w", i, err)
		}
		placed = append(placed, &alert.FieldError{Field: fmt.Sprintf("infos[%d].slots.%s", i, slot.Slot), Rule: slot.Template, Text: slot.Err.Error()})
	}
	return errors.Join(placed...)
}

// checkTexts renders what every commune would read on every channel, so that
// an author learns of a text that cannot be sent before anybody signs it.
func (g *Gateway) checkTexts(ctx context.Context, s *desk.Submission) error {
	languages := map[string]bool{}
	for i := range s.Revision.Infos {
		languages[s.Revision.Infos[i].Lang()] = true
	}
	if err := g.checkNamed(ctx, s); err != nil {
		return err
	}
	if !languages["vi"] {
		return &desk.InputError{Field: "infos", Rule: "a Vietnamese text is required: add an info with language vi-VN"}
	}
	for _, k := range []channels.Kind{channels.SMS, channels.WebPush, channels.App} {
		if !slices.Contains(s.Kinds, k) {
			continue
		}
		for _, code := range s.Communes {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			for lang := range languages {
				_, err := g.Renderer.Render(s.Revision, g.place(code), k, lang)
				if err != nil && (lang == "vi" || !errors.Is(err, render.ErrNoInfo)) {
					return fmt.Errorf("%s, %s, %s: %w", k, code, lang, err)
				}
			}
		}
	}
	return nil
}

// checkNamed refuses a text that names another message than the one it
// corrects, updates or ends: people would look for a warning they never got.
func (g *Gateway) checkNamed(ctx context.Context, s *desk.Submission) error {
	if s.Replaces == nil {
		return nil
	}
	old, err := g.ledger.Desk().Case(ctx, s.Replaces.Alert)
	if err != nil {
		return fmt.Errorf("what the text replaces: %w", err)
	}
	return namesOf(s.Revision, old.Submission.Revision)
}

// namesOf refuses slots of rev that name another message than old.
func namesOf(rev, old *alert.Revision) error {
	for i := range rev.Infos {
		slots := rev.Infos[i].Slots
		if code, given := slots["old_code"]; given && code != old.Code {
			return &desk.InputError{Field: fmt.Sprintf("infos[%d].slots.old_code", i), Rule: "must be " + old.Code + ", the code of the message it is about"}
		}
		at, given := slots["old_at"]
		if !given {
			continue
		}
		if t, err := time.Parse(time.RFC3339, at); err != nil || !t.Truncate(time.Minute).Equal(old.Sent.Truncate(time.Minute)) {
			return &desk.InputError{Field: fmt.Sprintf("infos[%d].slots.old_at", i), Rule: "must be " + old.Sent.Format(time.RFC3339) + ", when the message it is about was issued"}
		}
	}
	return nil
}
