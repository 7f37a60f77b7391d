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

// Word is a text that an author has written freely, and the field of the info
// or revision that holds it.
type Word struct{ Field, Text string }

// OwnWords lists the words of an info that its author has written freely, each
// as it reaches channels, apps, the public page or CAP. What comes from a
// template stands in no author's words, and neither does a risk level.
func (in *Info) OwnWords() []Word {
	words := []Word{{"event", in.Event}, {"audience", in.Audience}, {"senderName", in.SenderName}, {"contact", in.Contact}, {"web", in.Web}}
	if in.Template == "" {
		words = append(words, Word{"headline", in.Headline}, Word{"description", in.Description}, Word{"instruction", in.Instruction})
	}
	for i := range in.Areas {
		words = append(words, Word{at("areas", i) + ".desc", in.Areas[i].Desc})
	}
	for i, v := range in.Parameters {
		if v.Name != RiskLevelName {
			words = append(words, Word{at("parameters", i), v.Name}, Word{at("parameters", i), v.Value})
		}
	}
	for i, v := range in.EventCodes {
		words = append(words, Word{at("eventCodes", i), v.Name}, Word{at("eventCodes", i), v.Value})
	}
	for i := range in.Resources {
		words = append(words, Word{at("resources", i), in.Resources[i].Desc})
	}
	for _, name := range sortedKeys(in.Slots) {
		if name != "hazard" { // from a fixed list, and held to the alert it is about
			words = append(words, Word{"slots." + name, in.Slots[name]})
		}
	}
	return slices.DeleteFunc(words, func(w Word) bool { return w.Text == "" })
}

// OwnWords lists the words of a revision that its author has written freely.
func (r *Revision) OwnWords() []Word {
	words := []Word{{"source", r.Source}, {"note", r.Note}}
	for i, s := range r.Incidents {
		words = append(words, Word{at("incidents", i), s})
	}
	for i := range r.Infos {
		for _, w := range r.Infos[i].OwnWords() {
			words = append(words, Word{at("infos", i) + "." + w.Field, w.Text})
		}
	}
	return words
}

// Speaks lists the grave dangers that whoever reads the revision reads of.
func (r *Revision) Speaks() []string {
	var words []string
	for _, w := range r.OwnWords() {
		words = append(words, w.Text)
	}
	for i := range r.Infos {
		words = append(words, r.Infos[i].Headline, r.Infos[i].Description, r.Infos[i].Instruction)
	}
	return GraveWords(strings.Join(words, ";\n"))
}
