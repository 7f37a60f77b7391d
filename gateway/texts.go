package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
func (g *Gateway) complete(ctx context.Context, rev *alert.Revision) error {
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
		if err := g.fillEarlier(ctx, rev, in); err != nil {
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
		in := &s.Revision.Infos[i]
		languages[in.Lang()] = true
		if err := g.codeFits(i, in); err != nil {
			return err
		}
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
