package alert

import (
	"slices"
	"strings"
)

// TextAct is what a text is sent for. The four acts on a live alert never share
// a text with each other, nor with a new warning.
type TextAct string

// The acts that carry a text.
const (
	TextDraft    TextAct = "draft"     // a new warning
	TextUpdate   TextAct = "update"    // Cập nhật
	TextAllClear TextAct = "all-clear" // Hết nguy hiểm
	TextCorrect  TextAct = "correct"   // Đính chính
	TextStop     TextAct = "stop"      // the notice of Dừng
)

// TextActs lists the acts, a new warning first.
var TextActs = []TextAct{TextDraft, TextUpdate, TextAllClear, TextCorrect, TextStop}

// Meaning is what a text says of the danger that it names.
type Meaning string

// The meanings of a text.
const (
	MeansDanger  Meaning = "danger"  // there is one, or it remains
	MeansSafe    Meaning = "safe"    // there is none, or it has passed
	MeansNothing Meaning = "nothing" // it names none: a test, an exercise, a notice
)

// TextRule says what a text of the catalogue may be used for.
type TextRule struct {
	Acts     []TextAct
	Means    Meaning
	Corrects Meaning // of a correction: what the message that it takes back has said
	Two      bool    // two people sign it whatever its severity
	Status   Status  // the only status it may have; empty: Actual or Exercise
}

// Carries reports whether the act may carry the text.
func (r TextRule) Carries(a TextAct) bool { return slices.Contains(r.Acts, a) }

// OwnWords lists the words of an info that its author has written freely, each
// as it reaches channels, apps, the public page or CAP. What comes from a
// template stands in no author's words.
func (in *Info) OwnWords() []string {
	words := []string{in.Event, in.Audience, in.SenderName, in.Contact, in.Web}
	if in.Template == "" {
		words = append(words, in.Headline, in.Description, in.Instruction)
	}
	for _, a := range in.Areas {
		words = append(words, a.Desc)
	}
	for _, v := range slices.Concat(in.Parameters, in.EventCodes) {
		words = append(words, v.Name, v.Value)
	}
	for _, r := range in.Resources {
		words = append(words, r.Desc)
	}
	for _, name := range sortedKeys(in.Slots) {
		if name != "hazard" { // from a fixed list, and held to the alert it is about
			words = append(words, in.Slots[name])
		}
	}
	return slices.DeleteFunc(words, func(w string) bool { return w == "" })
}

// OwnWords lists the words of a revision that its author has written freely,
// but those of its infos.
func (r *Revision) OwnWords() []string {
	return append([]string{r.Source, r.Note}, r.Incidents...)
}

// GraveWords lists the grave dangers that an author's own words speak of.
func (r *Revision) GraveWords() []string {
	words := r.OwnWords()
	for i := range r.Infos {
		words = append(words, r.Infos[i].OwnWords()...)
	}
	return GraveWords(strings.Join(words, ";\n"))
}

// Speaks lists the grave dangers that whoever reads the revision reads of.
func (r *Revision) Speaks() []string {
	words := r.OwnWords()
	for i := range r.Infos {
		in := &r.Infos[i]
		words = append(append(words, in.OwnWords()...), in.Headline, in.Description, in.Instruction)
	}
	return GraveWords(strings.Join(words, ";\n"))
}
