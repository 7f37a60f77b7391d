package render

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"loa/templates"
)

const (
	messagesHead = "id,hazard,kind,channel,language,text,slots,longest_example,parts_typical,parts_longest\n"
	wordsHead    = "list,code,vi,ascii,en\n"
	goodRow      = "a.b.sms.vi,a,b,sms,vi,Tin {code},code:code<=4,Tin K7M2,1,1\n"
	actsHead     = "template,acts,means,corrects,signatures,status\n"
	goodActs     = "a.b,draft,danger,,,\n"
	goodWord     = "hazard,flood,lũ,nuoc lu,flood\n"
)

func TestBrokenCatalogueIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, messages, words, says string }{
		{"whole", messagesHead + goodRow, wordsHead + goodWord, ""},
		{"no message", messagesHead, wordsHead, "no message"},
		{"other columns", strings.Replace(messagesHead, "text", "wording", 1) + goodRow, wordsHead, "first line"},
		{"a short row", messagesHead + "a,b\n", wordsHead, "messages.csv"},
		{"twice", messagesHead + goodRow + goodRow, wordsHead, "row 3: id a.b.sms.vi: stands there twice"},
		{"another id", messagesHead + strings.Replace(goodRow, "a.b.sms.vi", "a.b.push.vi", 1), wordsHead, "must end in .sms.vi"},
		{"an unknown form", messagesHead + strings.ReplaceAll(goodRow, "sms", "fax"), wordsHead, "not a form"},
		{"an unknown language", messagesHead + strings.ReplaceAll(goodRow, "vi", "de"), wordsHead, "language"},
		{"an untyped slot", messagesHead + strings.Replace(goodRow, "code:code<=4", "", 1), wordsHead, "has no type"},
		{"a slot not used", messagesHead + strings.Replace(goodRow, "code:code<=4", "code:code<=4; area:area<=9", 1), wordsHead, "not used"},
		{"a malformed slot", messagesHead + strings.Replace(goodRow, "code:code<=4", "code:code", 1), wordsHead, "name:type<=longest"},
		{"an unknown type", messagesHead + strings.Replace(goodRow, "code:code<=4", "code:kode<=4", 1), wordsHead, "unknown type"},
		{"an open brace", messagesHead + strings.Replace(goodRow, "Tin {code}", "Tin {code} {", 1), wordsHead, "brace"},
		{"a word twice", messagesHead + goodRow, wordsHead + goodWord + goodWord, "words.csv: row 3"},
		{"a word without English", messagesHead + goodRow, wordsHead + "hazard,flood,lũ,nuoc lu,\n", "must be set"},
	} {
		_, err := loadCatalogue(fstest.MapFS{"messages.csv": {Data: []byte(c.messages)}, "words.csv": {Data: []byte(c.words)}, "acts.csv": {Data: []byte(actsHead + goodActs)}})
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := loadCatalogue(fstest.MapFS{}); err == nil {
		t.Error("an empty folder was read")
	}
}

// What no row allows, no text is used for.
func TestBrokenActsAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, acts, says string }{
		{"whole", goodActs, ""},
		{"a correction", "a.b,correct,safe,danger,2,\n", ""},
		{"no act at all", "a.b,,danger,,,Exercise\n", ""},
		{"no row", "", "a.b has no row"},
		{"twice", goodActs + goodActs, "twice"},
		{"of no message", goodActs + "a.c,draft,danger,,,\n", "a.c is not in messages.csv"},
		{"an unknown act", "a.b,shout,danger,,,\n", "act \"shout\""},
		{"no meaning", "a.b,draft,,,,\n", "means"},
		{"a draft that corrects", "a.b,draft,danger,safe,,\n", "corrects"},
		{"a correction of nothing", "a.b,correct,danger,,,\n", "corrects"},
		{"one signature", "a.b,draft,danger,,1,\n", "signatures"},
		{"a status of earnest", "a.b,draft,danger,,,Actual\n", "status"},
	} {
		_, err := loadCatalogue(fstest.MapFS{"messages.csv": {Data: []byte(messagesHead + goodRow)}, "words.csv": {Data: []byte(wordsHead)}, "acts.csv": {Data: []byte(actsHead + c.acts)}})
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Every word of a fixed list fits every text it can stand in.
func TestFixedWordsFit(t *testing.T) {
	t.Parallel()
	c, err := loadCatalogue(templates.FS)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, e := range c.order {
		for name, st := range e.slots {
			for code, w := range c.words[st.kind] {
				if n := utf8.RuneCountInString(w.in(e.shape())); n > st.longest && e.form != FormSpeech {
					t.Errorf("%s {%s}: %s has %d characters, at most %d", e.key, name, code, n, st.longest)
				}
				seen[st.kind] = true
			}
		}
	}
	if len(seen) != len(c.words) {
		t.Errorf("lists used %v of %d", seen, len(c.words))
	}
}

func TestStormsByNumberAndName(t *testing.T) {
	t.Parallel()
	c := &catalogue{}
	for code, want := range map[string]word{
		"storm:3":    {"bão số 3", "bao so 3", "storm no. 3"},
		"storm:12":   {"bão số 12", "bao so 12", "storm no. 12"},
		"storm:Yagi": {"bão Yagi", "Bao Yagi", "storm Yagi"},
	} {
		if got, ok := c.fixed("hazard", code); !ok || got != want {
			t.Errorf("%s: %+v", code, got)
		}
	}
	for _, code := range []string{"storm:", "storm:0", "storm:100", "storm:yagi", "storm:{code}", "storm:Abcdefghij", "storm:3 "} {
		if got, ok := c.fixed("hazard", code); ok {
			t.Errorf("%s: %+v", code, got)
		}
	}
	if _, ok := c.fixed("service", "storm:3"); ok {
		t.Error("a storm is a service")
	}
}

// table reads a table of the product's data beside the checkout.
func table(t *testing.T, name string) [][]string {
	t.Helper()
	f, err := os.Open(filepath.FromSlash("../../../shared/data/" + name))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

func TestWindLevelsOfTheDecision(t *testing.T) {
	t.Parallel()
	rows := table(t, "beaufort.csv")
	for _, r := range rows {
		level, _ := strconv.Atoi(r[0])
		if got, want := speeds(r[0]), r[3]+"-"+r[4]; got != want || level >= len(levelSpeeds) {
			t.Errorf("level %s: %s, want %s", r[0], got, want)
		}
	}
	if len(rows) != len(levelSpeeds) || speeds("12-14") != "118-166" || speeds("18") != "" || speeds("14-12") != "" || speeds("x") != "" {
		t.Errorf("%d levels", len(rows))
	}
}

func TestRiskLevelsOfTheDecision(t *testing.T) {
	t.Parallel()
	for i, r := range table(t, "risk-levels.csv") {
		if got := riskLevels[i]; got != (riskLevel{r[1], r[2], r[3], r[4], r[5]}) {
			t.Errorf("level %d: %+v", i+1, got)
		}
	}
}

func TestEveryHazardHasAWord(t *testing.T) {
	t.Parallel()
	c, err := loadCatalogue(templates.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range table(t, "hazards.csv") {
		if _, ok := c.words["hazard"][r[0]]; !ok {
			t.Errorf("%s has no word", r[0])
		}
	}
}
