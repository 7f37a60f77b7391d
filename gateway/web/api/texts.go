package api

import (
	"slices"
	"unicode/utf8"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/desk"
	"loa/gateway/render"
)

// texts shows the SMS twins of a submission: of each template one that is
// refused, or else the longest over all its communes.
func (s *server) texts(c *desk.Case) []Text {
	sub := &c.Submission
	if !slices.Contains(sub.Kinds, channels.SMS) {
		return nil
	}
	var all []Text
	for _, lang := range languages(sub.Revision) {
		longest := map[string]int{} // template to its place in all
		for _, commune := range sub.Communes {
			place := s.Place(commune)
			twins, err := s.Renderer.Twins(sub.Revision, place, lang)
			if err != nil {
				continue // this language says nothing to this commune
			}
			for _, t := range twins {
				i, seen := longest[t.Template]
				if seen && !worse(t, all[i]) {
					continue
				}
				text := s.text(t, commune, lang)
				if seen {
					all[i] = text
				} else {
					longest[t.Template] = len(all)
					all = append(all, text)
				}
			}
		}
	}
	for i := range all {
		r, err := s.Renderer.Render(sub.Revision, s.Place(all[i].Commune), channels.SMS, all[i].Language)
		all[i].Goes = err == nil && r.Template == all[i].Template
	}
	return all
}

// worse reports whether a text is to be shown instead of one that is.
func worse(t render.Text, shown Text) bool {
	if refused := t.Err != nil; refused != (shown.Refused != "") {
		return refused
	}
	if t.Parts != shown.Parts {
		return t.Parts > shown.Parts
	}
	return utf8.RuneCountInString(t.Text) > utf8.RuneCountInString(shown.Text)
}

func (s *server) text(t render.Text, commune area.Code, lang string) Text {
	out := Text{
		Language: lang, Template: t.Template, Commune: commune, Name: s.name(commune, lang),
		Text: t.Text, Parts: t.Parts, Encoding: t.Encoding,
	}
	if t.Err != nil {
		out.Refused = t.Err.Error()
	}
	return out
}

func languages(r *alert.Revision) []string {
	var all []string
	for i := range r.Infos {
		if lang := r.Infos[i].Lang(); !slices.Contains(all, lang) {
			all = append(all, lang)
		}
	}
	return all
}
