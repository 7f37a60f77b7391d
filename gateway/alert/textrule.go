package alert

import (
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
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

// Leave is the grave word by which people are sent from where they are.
const Leave = "leave"

// graveWords are what words of both languages, without marks, warn of a grave
// danger or send people from their homes.
var graveWords = []struct {
	says  string
	words *regexp.Regexp
}{
	{Leave, regexp.MustCompile(`\b(?:so tan|di tan|di doi|evacuat\w*|leave (?:now|at once)|len cho cao|len cao|chay ngay|(?:roi|ra) khoi|roi (?:nha|bo|ven|bai)|high(?:er)? ground)\b`)},
	{"tsunami", regexp.MustCompile(`\b(?:song than|tsunamis?)\b`)},
	{"dam", regexp.MustCompile(`\b(?:vo (?:dap|de|ho)|xa lu|xa dap|mo cua dap|dams? (?:has |have )?(?:burst|breaks?|broken?|fail\w*|releas\w*|opens?))\b`)},
	{"flash flood", regexp.MustCompile(`\b(?:lu quet|lu ong|flash ?floods?)\b`)},
	{"landslide", regexp.MustCompile(`\b(?:sat lo|lo dat|landslides?)\b`)},
	{"storm", regexp.MustCompile(`(?:(?:^|[^gh] |[^a-z ] ?)bao (?:so|khan|manh|rat|do|vao)|\b(?:sieu bao|typhoons?|storms?))\b`)},
	{"earthquake", regexp.MustCompile(`\b(?:dong dat|earthquakes?)\b`)},
	{"attack", regexp.MustCompile(`\b(?:chien tranh|khong kich|ten lua|danh bom|dich danh|air raids?|missiles?|bomb\w*|war)\b`)},
	{"poison", regexp.MustCompile(`\b(?:phong xa|ro ri|khi doc|hoa chat|radiation|radioactiv\w*|toxic|chlorine|ammonia)\b`)},
}

// GraveWords lists the grave dangers that a text speaks of, and Leave if it
// sends people away: "tsunami", "dam".
func GraveWords(text string) []string {
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.ToLower(text)) {
		switch {
		case r >= 0x300 && r < 0x370: // a mark
		case r == 'đ':
			b.WriteByte('d')
		default:
			b.WriteRune(r)
		}
	}
	plain := strings.Join(strings.Fields(b.String()), " ")
	var found []string
	for _, g := range graveWords {
		if g.words.MatchString(plain) {
			found = append(found, g.says)
		}
	}
	return found
}

// ownWords are the words of an info that its author has written freely. What
// comes from a template stands in no author's words.
func (in *Info) ownWords() string {
	words := []string{in.Event, in.Audience, in.SenderName, in.Contact}
	if in.Template == "" {
		words = append(words, in.Headline, in.Description, in.Instruction)
	}
	for _, name := range sortedKeys(in.Slots) {
		if name != "hazard" { // from a fixed list, and held to the alert it is about
			words = append(words, in.Slots[name])
		}
	}
	return strings.Join(words, "\n")
}

// GraveWords lists the grave dangers that an author's own words speak of.
func (in *Info) GraveWords() []string { return GraveWords(in.ownWords()) }

// Speaks lists the grave dangers that whoever reads the revision reads of.
func (r *Revision) Speaks() []string {
	var b strings.Builder
	for i := range r.Infos {
		in := &r.Infos[i]
		b.WriteString(strings.Join([]string{in.ownWords(), in.Headline, in.Description, in.Instruction, ""}, "\n"))
	}
	return GraveWords(b.String())
}
