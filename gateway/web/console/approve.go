package console

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/web/api"
)

// signing is what somebody must know before they sign.
type signing struct {
	ID                     alert.ID
	Hash, Ask, Go, Watch   string
	By, Name, Where, Held  string
	Unreal, State          string
	Revision               int
	Open                   bool // it waits for a signature
	Clock                  clock
	Level                  *level
	Communes               []string
	InWords, Many, Unheard string
	How, Source            string
	Texts                  []sms
	Pages                  []pageText
	Checks                 []check
	Signed                 []string
}

// sms is a text message as people will read it.
type sms struct{ Head, Lang, Text, About, Refused string }

// pageText is what pushes, the app and the public page say.
type pageText struct{ Head, Lang, Headline, Desc, Instruction string }

type check struct {
	Good bool
	Text string
}

func (c *Console) approve(r *http.Request, s *shell) (any, error) {
	var a api.Alert
	if err := c.ask(r, alertPath(alert.ID(r.PathValue("id"))), &a); err != nil {
		return nil, err
	}
	v := &signing{
		ID: a.ID, Hash: a.Hash, Ask: "duyet.ask." + c.o.Deployment, Go: "duyet.go." + c.o.Deployment, Watch: "/theo-doi/" + string(a.ID) + s.keep(),
		By: s.t("by", "p", a.Author.Name, "t", s.Words.Moment(a.CreatedAt)), Name: s.name(&a), Where: s.where(&a), Held: s.held(a.OnHold),
		Unreal: s.unreal(a.Status), State: s.t("state." + string(a.State)), Revision: a.Revision, Open: a.State == alert.Submitted,
		Level: s.level(a.RiskLevel),
	}
	v.Clock = c.item(s, &a).Clock
	for _, t := range a.Targets {
		v.Communes = append(v.Communes, t.Name)
	}
	c.audience(s, v, &a)
	c.words(s, v, &a)
	v.Checks = c.checks(s, &a)
	for _, g := range a.Signatures {
		v.Signed = append(v.Signed, s.t("signed.by", "p", g.Person.Name, "t", s.Words.Moment(g.At)))
	}
	return v, nil
}

// audience words how many are addressed, by what and until when.
func (c *Console) audience(s *shell, v *signing, a *api.Alert) {
	sum, unheard := 0, 0
	var each, by []string
	for _, k := range channels.AllKinds() {
		unheard += a.Unheard[k]
		n, ok := a.HeadCount[k]
		if !ok {
			continue
		}
		sum += n
		each = append(each, s.Words.Number(n)+" "+s.t("chan."+string(k)))
	}
	kinds := channels.AllKinds()
	if a.Draft != nil {
		if len(a.Draft.Kinds) > 0 {
			kinds = a.Draft.Kinds
		}
		v.Source = a.Draft.Source
	}
	for _, k := range kinds {
		if _, ok := a.HeadCount[k]; ok {
			by = append(by, s.t("chan."+string(k)))
		}
	}
	v.InWords = s.t("duyet.many.none")
	if sum > 0 {
		v.InWords = inWords(s.Lang, sum)
		v.Many = s.t("duyet.many.each", "n", sum, "list", strings.Join(each, " · "))
	}
	if unheard > 0 {
		v.Unheard = s.t("duyet.unheard", "n", unheard)
	}
	v.How = s.t("duyet.how.until", "list", strings.Join(by, ", "), "t", c.until(s, a.Expires))
}

// twins are the keys of an SMS text with marks and of one without.
var twins = map[string]string{"UCS-2": "duyet.sms.accented", "GSM-7": "duyet.sms.plain"}

func (c *Console) words(s *shell, v *signing, a *api.Alert) {
	for _, t := range a.SMS {
		one := sms{
			Head: s.t(cmp.Or(twins[t.Encoding], "duyet.sms"), "l", s.language(t.Language)), Lang: t.Language, Text: t.Text, Refused: t.Refused,
			About: s.t("duyet.sms.about", "n", t.Parts, "c", utf8.RuneCountInString(t.Text), "e", t.Encoding, "p", t.Name),
		}
		if !t.Goes && t.Refused == "" {
			one.About += " " + s.t("duyet.sms.other")
		}
		v.Texts = append(v.Texts, one)
	}
	if a.Draft == nil {
		return
	}
	for i := range a.Draft.Infos {
		in := &a.Draft.Infos[i]
		lang, _, _ := strings.Cut(in.Language, "-")
		v.Pages = append(v.Pages, pageText{s.t("duyet.page", "l", s.language(lang)), in.Language, in.Headline, in.Description, in.Instruction})
	}
}

func (s *shell) language(lang string) string {
	if text, ok := s.Words.Text["lang."+lang]; ok {
		return text
	}
	return lang
}

func (c *Console) checks(s *shell, a *api.Alert) []check {
	var all []check
	add := func(good bool, key string, slots ...any) { all = append(all, check{good, s.t(key, slots...)}) }
	own := s.Who != nil && s.Who.ID == a.Author.ID
	switch {
	case !a.TwoPeople:
		add(true, "check.single")
	case own:
		add(false, "check.own")
	default:
		add(true, "check.two")
		add(true, "check.notown")
	}
	if slices.ContainsFunc(a.SMS, func(t api.Text) bool { return t.Goes && t.Refused != "" }) {
		add(false, "check.refused")
	}
	if a.CorrectedBy != "" {
		add(true, "check.correct")
	} else {
		add(false, "check.nocorrect")
	}
	for _, lang := range slices.Sorted(maps.Keys(a.OtherReaders)) {
		add(false, "check.others", "n", a.OtherReaders[lang], "l", s.language(lang))
	}
	for _, n := range a.Notes {
		all = append(all, check{false, n.Text})
	}
	for _, b := range a.Brushed {
		for _, sliver := range b.Slivers {
			all = append(all, check{false, fmt.Sprintf("%s (%s)", sliver.Name, sliver.Code)})
		}
	}
	return all
}
