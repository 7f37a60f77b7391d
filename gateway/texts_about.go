package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"loa/gateway/alert"
	"loa/gateway/desk"
)

// lookBound is how long a text may wait for the message that it is about.
const lookBound = 5 * time.Second

// readers is where the readers' clocks stand, all year.
var readers = time.FixedZone("Asia/Ho_Chi_Minh", 7*60*60)

// fillEarlier writes which earlier message a text is about, its code, its hazard
// and when it was issued, where the template says so and the author leaves it
// out.
func (g *Gateway) fillEarlier(ctx context.Context, rev *alert.Revision, in *alert.Info) error {
	if len(rev.References) == 0 {
		return nil
	}
	last := rev.References[len(rev.References)-1]
	slots := maps.Clone(in.Slots)
	if slots == nil {
		slots = make(map[string]string)
	}
	var missing []string
	for _, s := range g.Renderer.Slots(in.Template, in.Lang()) {
		if _, given := slots[s.Name]; !given {
			missing = append(missing, s.Name)
		}
	}
	if slices.Contains(missing, "old_at") {
		slots["old_at"] = last.Sent.Format(time.RFC3339)
	}
	if slices.Contains(missing, "old_code") || slices.Contains(missing, "hazard") {
		ctx, cancel := context.WithTimeout(ctx, lookBound)
		defer cancel()
		old, err := g.earlier(ctx, last)
		if err != nil {
			return err
		}
		if old != nil && slices.Contains(missing, "old_code") {
			slots["old_code"] = old.Code
		}
		if old != nil && slices.Contains(missing, "hazard") {
			if hazards := g.hazardsOf(old); len(hazards) > 0 {
				slots["hazard"] = hazards[0]
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

// hazardsOf lists the values of the slot "hazard" by which later texts may name
// what a message is about, the best first. None: it does not say, or in a word
// that later texts do not have, and any may be named.
func (g *Gateway) hazardsOf(rev *alert.Revision) []string {
	var all []string
	add := func(values ...string) {
		for _, v := range values {
			if g.Renderer.Names(v) && !slices.Contains(all, v) {
				all = append(all, v)
			}
		}
	}
	for i := range rev.Infos {
		in := &rev.Infos[i]
		kind := g.Renderer.Hazard(in.Template)
		if kind == "any" {
			add(in.Slots["hazard"])
			continue
		}
		if no := in.Slots["storm_no"]; no != "" {
			add("storm:" + no)
		}
		if name := in.Slots["storm_name"]; name != "" && kind == "storm" {
			add("storm:" + name)
		}
		if in.Template == "flood.dam_release" {
			add("dam_release")
		}
		if in.Template == "" {
			kind = in.Hazard()
		}
		add(kind)
		add(strings.Split(kind, "|")...)
	}
	return all
}

// about reports whether a slot names one of the hazards. A message that says no
// more than "storm" may be about any storm.
func about(hazard string, hazards []string) bool {
	kind, _, one := strings.Cut(hazard, ":")
	return slices.Contains(hazards, hazard) ||
		one && slices.Contains(hazards, kind) && !slices.ContainsFunc(hazards, func(h string) bool { return strings.HasPrefix(h, kind+":") })
}

// checkNamed refuses a text that names another message, or another hazard, than
// the one it corrects, updates or ends: people would look for a warning they
// never got.
func (g *Gateway) checkNamed(ctx context.Context, s *desk.Submission) error {
	if s.Replaces == nil {
		return nil
	}
	old, err := g.ledger.Desk().Case(ctx, s.Replaces.Alert)
	if err != nil {
		return fmt.Errorf("what the text replaces: %w", err)
	}
	return g.namesOf(s.Revision, old.Submission.Revision)
}

// namesOf refuses slots of rev that name another message than old, and texts of
// another hazard.
func (g *Gateway) namesOf(rev, old *alert.Revision) error {
	hazards := g.hazardsOf(old)
	for i := range rev.Infos {
		in := &rev.Infos[i]
		refuse := func(slot, want string) error {
			return &desk.InputError{Field: fmt.Sprintf("infos[%d].slots.%s", i, slot), Rule: "must be " + want + "; leave it out and Loa writes it"}
		}
		if code, given := in.Slots["old_code"]; given && code != old.Code {
			return refuse("old_code", old.Code+", the code of the message it is about")
		}
		if at, given := in.Slots["old_at"]; given {
			t, err := time.Parse(time.RFC3339, at)
			if err != nil || !t.Truncate(time.Minute).Equal(old.Sent.Truncate(time.Minute)) {
				return refuse("old_at", old.Sent.In(readers).Format(time.RFC3339)+", when the message it is about was issued")
			}
		}
		if len(hazards) == 0 {
			continue
		}
		if hazard, given := in.Slots["hazard"]; given && !about(hazard, hazards) {
			return refuse("hazard", strings.Join(hazards, " or ")+", the hazard of the message it is about")
		}
		if no := in.Slots["storm_no"]; no != "" && !about("storm:"+no, hazards) {
			return &desk.InputError{Field: fmt.Sprintf("infos[%d].slots.storm_no", i), Rule: "must be that of the message it is about, which is about " + strings.Join(hazards, " or ")}
		}
		if kind := g.Renderer.Hazard(in.Template); kind != "any" && kind != "" && !slices.ContainsFunc(hazards, func(h string) bool { return base(h) == kind }) {
			return &desk.InputError{Field: fmt.Sprintf("infos[%d].template", i), Rule: in.Template + " is about " + kind + ", and the message it ends is about " + strings.Join(hazards, " or ")}
		}
	}
	return nil
}

// base is a hazard without the number or name of a storm.
func base(hazard string) string {
	kind, _, _ := strings.Cut(hazard, ":")
	return kind
}

// codeFits refuses an event code that names another hazard than the text.
func (g *Gateway) codeFits(i int, in *alert.Info) error {
	kind := g.Renderer.Hazard(in.Template)
	if kind == "any" {
		kind = base(in.Slots["hazard"])
	}
	if kind == "" {
		return nil
	}
	for j, c := range in.EventCodes {
		if c.Name != alert.HazardName || c.Value == kind || slices.Contains(strings.Split(kind, "|"), c.Value) || in.Template == "flood.dam_release" && c.Value == "dam_release" {
			continue
		}
		return &desk.InputError{Field: fmt.Sprintf("infos[%d].eventCodes[%d]", i, j), Rule: "must be " + kind + ", the hazard of the text"}
	}
	return nil
}
