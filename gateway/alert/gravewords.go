package alert

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Leave is the grave word by which people are sent from where they are.
const Leave = "leave"

// Strange is the grave word for letters that no Vietnamese or English text has:
// nobody can tell what words they are read as.
const Strange = "letters of another script"

// graveWords are what words of both languages, without marks, warn of a grave
// danger or send people from their homes. A list never holds every way to say
// it: texts with a slot of free words are signed by two people without it.
var graveWords = []struct {
	says  string
	words *regexp.Regexp
}{
	{Leave, regexp.MustCompile(`\b(?:so tan|di tan|di doi|evacuat\w*|flee|leave (?:now|at once)|run (?:now|away|to)|(?:move|go) (?:away|up\w*)|len (?:cho|noi|vung) cao|len cao|len (?:nui|doi|mai|gac|tang)|chay (?:ngay|len|ra|di|khoi|nhanh|that)|(?:roi|ra|rut|thoat|tranh) (?:khoi|xa)|tru an|tranh tru|roi (?:nha|bo|ven|bai)|high(?:er)? ground)\b`)},
	{"tsunami", regexp.MustCompile(`\b(?:song than|tsunamis?)\b`)},
	{"dam", regexp.MustCompile(`\b(?:(?:vo|tran|sap) (?:dap|de|ho|ke)|(?:dap|de|ho|ke)\b[^.,;]{0,40}\b(?:vo|tran|sap|nut)|xa (?:\w+ )?lu|xa dap|mo cua dap|(?:dams?|dykes?|levees?)\b[^.;]{0,20}\b(?:burst|breach|breaks?|broken?|fail|releas|open|collaps)\w*|(?:burst|breach|breaking|broken|fail\w*|collaps)\w*(?: \w+){0,2} (?:dams?|dykes?|levees?))\b`)},
	{"flash flood", regexp.MustCompile(`\b(?:lu (?:quet|ong|lon|du|dac|ve|lich su)|flash ?floods?)\b`)},
	{"rising water", regexp.MustCompile(`\b(?:nuoc (?:\w+ )?(?:dang|rut)|ngap (?:sau|lut)|song (?:cao|lon)|(?:rising|surging) water|water (?:is )?ris\w+|storm surge)\b`)},
	{"landslide", regexp.MustCompile(`\b(?:sat lo|(?:dat|nui|doi) (?:\w+ ){0,2}(?:sat|lo|sap)|lo dat|(?:land|mud)slides?)\b`)},
	{"storm", regexp.MustCompile(`(?:(?:^|[^gh] |[^a-z ] ?)bao (?:so|khan|manh|rat|do|vao|lon|cap|nhiet doi|dang|sap)|\b(?:sieu bao|loc xoay|voi rong|typhoons?|storms?|tornado\w*)\b)`)},
	{"earthquake", regexp.MustCompile(`\b(?:dong dat|earthquakes?)\b`)},
	{"fire", regexp.MustCompile(`\b(?:chay (?:no|rung|lon|nha)|no (?:lon|khi|gas|kho)|phat no|explo[ds]\w*|(?:wild|forest )fires?)\b`)},
	{"attack", regexp.MustCompile(`\b(?:chien tranh|khong kich|ten lua|danh bom|no bom|dich danh|khung bo|air raids?|missiles?|bomb\w*|war|terroris\w*)\b`)},
	{"poison", regexp.MustCompile(`\b(?:phong xa|ro ri|(?:khi|chat) doc|nhiem doc|hoa chat|radiation|radioactiv\w*|toxic|chlorine|ammonia)\b`)},
}

// GraveWords lists the grave dangers that a text speaks of, Leave if it sends
// people away, and Strange if it cannot be told: "tsunami", "dam". It reads
// compatibility forms (NFKD) as the letters that people see in them.
func GraveWords(text string) []string {
	plain, strange := unmarked(text)
	var found []string
	for _, g := range graveWords {
		if g.words.MatchString(plain) {
			found = append(found, g.says)
		}
	}
	if strange {
		found = append(found, Strange)
	}
	return found
}

// unmarked is a text in small Latin letters without marks, with single spaces,
// and whether it has letters or pictures that cannot be so written.
func unmarked(text string) (plain string, strange bool) {
	var b strings.Builder
	for _, r := range norm.NFKD.String(text) {
		switch r = unicode.ToLower(r); {
		case r >= 0x300 && r < 0x370: // a mark
		case r == 'đ':
			b.WriteByte('d')
		default:
			b.WriteRune(r)
			strange = strange || r > unicode.MaxASCII && r != '°' && unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.So)
		}
	}
	return strings.Join(strings.Fields(b.String()), " "), strange
}
