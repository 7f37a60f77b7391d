package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"loa/channels"
	"loa/gateway/coverage"
	"loa/gateway/web/api"
)

// shown prints an alert after an act.
func shown(out io.Writer) func(*client, *api.Alert) error {
	return func(_ *client, a *api.Alert) error { return showAlert(out, a) }
}

func showJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// showAlert prints what a person must know of an alert.
func showAlert(out io.Writer, a *api.Alert) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { _, _ = fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	row("alert", "%s", a.ID)
	row("state", "%s", a.State)
	row("code", "%s", a.Code)
	if a.Draft != nil {
		row("status", "%s", a.Draft.Status)
	}
	if a.Severity != "" {
		row("severity", "%s", a.Severity)
	}
	if a.Replaces != "" {
		row("replaces", "%s (%s)", a.Replaces, a.Cause)
	}
	row("author", "%s", a.Author.Name)
	for _, s := range a.Signatures {
		row(string(s.Act), "%s, %s", s.Person.Name, s.At.Format(time.DateTime))
	}
	if !a.Expires.IsZero() {
		row("expires", "%s", a.Expires.Format(time.RFC3339))
	}
	if a.Hash != "" {
		row("hash", "%s", a.Hash)
	}
	if a.Communes > 0 {
		row("communes", "%d", a.Communes)
	}
	if a.HeadCount != nil {
		row("people", "%s", headCount(a.HeadCount))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	showHold(out, a)
	showUnheard(out, a.Unheard)
	showOtherReaders(out, a.OtherReaders)
	showTargets(out, a.Targets)
	showTexts(out, a)
	if err := showCells(out, a.Coverage); err != nil {
		return err
	}
	showNotices(out, a.Coverage)
	return showFaults(out, a.Coverage)
}

// channelNames are the channels as people in Viet Nam name them.
var channelNames = map[channels.Kind]string{
	channels.SMS: "SMS", channels.WebPush: "thông báo trên trình duyệt", channels.App: "ứng dụng", channels.Loudspeaker: "loa", channels.Handoff: "chuyển tay",
}

// showUnheard says loudly who is in the area and will get nothing.
func showUnheard(out io.Writer, unheard map[channels.Kind]int) {
	for _, k := range channels.AllKinds() {
		n := unheard[k]
		if n == 0 {
			continue
		}
		_, _ = fmt.Fprintf(out, "\nNOT REACHED: %s of the area's subscribers on %s: the channel is not configured here, nothing goes to them\n", grouped(n, ","), k)
		_, _ = fmt.Fprintf(out, "KHÔNG GỬI ĐƯỢC: %s người đăng ký %s, kênh %s chưa cấu hình\n", grouped(n, "."), channelNames[k], channelNames[k])
	}
}

// languageNames are the languages of subscribers in both of Loa's.
var languageNames = map[string][2]string{"en": {"English", "tiếng Anh"}, "vi": {"Vietnamese", "tiếng Việt"}}

// showOtherReaders says who will read a language that is not theirs.
func showOtherReaders(out io.Writer, others map[string]int) {
	for _, lang := range slices.Sorted(maps.Keys(others)) {
		name, ok := languageNames[lang]
		if !ok {
			name = [2]string{"the language " + lang, "ngôn ngữ " + lang}
		}
		_, _ = fmt.Fprintf(out, "\nNO TEXT IN %s: %s subscribers there read it and will get the Vietnamese text; add an info in their language\n", strings.ToUpper(name[0]), grouped(others[lang], ","))
		_, _ = fmt.Fprintf(out, "CHƯA CÓ BẢN %s: %s người đăng ký nhận tin bằng %s sẽ nhận bản tiếng Việt\n", strings.ToUpper(name[1]), grouped(others[lang], "."), name[1])
	}
}

// grouped writes a number with its thousands apart.
func grouped(n int, by string) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + by + text[i:]
	}
	return text
}

// showFaults counts why sends were refused, failed or left open.
func showFaults(out io.Writer, c *api.Coverage) error {
	if c == nil || len(c.Faults) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "\nwhy\tfault\tcode\tpeople")
	for _, f := range c.Faults {
		code := f.Code
		if code == "" {
			code = "-"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%d\n", f.Kind, f.Fault, code, f.Count)
	}
	return w.Flush()
}

func headCount(heads map[channels.Kind]int) string {
	var parts []string
	for _, k := range channels.AllKinds() {
		if n, ok := heads[k]; ok {
			parts = append(parts, fmt.Sprintf("%s %d", k, n))
		}
	}
	return strings.Join(parts, ", ")
}

// showTexts prints what people will read, and what a person still has to judge.
func showTexts(out io.Writer, a *api.Alert) {
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
	if a.Draft != nil {
		for _, in := range a.Draft.Infos {
			if in.Headline != "" {
				p("\n[%s] %s\n%s\n%s", in.Language, in.Headline, in.Description, in.Instruction)
			}
		}
	}
	for _, t := range a.SMS {
		mark := "spare"
		switch {
		case t.Refused != "":
			mark = "REFUSED: " + t.Refused
		case t.Goes:
			mark = "goes out"
		}
		p("\nSMS %s, longest in %s: %d parts, %s; %s\n  %s", t.Template, t.Name, t.Parts, t.Encoding, mark, t.Text)
	}
	for _, b := range a.Brushed {
		for _, s := range b.Slivers {
			p("%s: the shape covers %.2f %% of %s (%s): left out; add the code if it is meant", b.Field, s.Share*100, s.Name, s.Code)
		}
		for _, c := range b.Unmapped {
			p("%s: %s has no boundary, its centre is inside the shape: left out; add the code if it is meant", b.Field, c)
		}
	}
	for _, n := range a.Notes {
		at := ""
		if n.Line > 0 {
			at = fmt.Sprintf("line %d: ", n.Line)
		}
		p("note: %s%s (%s)", at, n.Text, n.Rule)
	}
}

// showCorrection shows what a correction says and how many it is for.
func showCorrection(out io.Writer, a *api.Alert) {
	showTexts(out, a)
	people := "nobody yet"
	switch {
	case a.ReachedUnknown:
		people = "how many is not known now"
	case len(a.Reached) > 0:
		people = "at least " + headCount(a.Reached)
	}
	_, _ = fmt.Fprintf(out, "\nfor those who may have got %s: %s; and for everybody who listens on the app\n", a.Replaces, people)
}

// outcomes are the columns of a coverage table, in the order of its columns.
var outcomes = []channels.Outcome{
	channels.Pending, channels.Sending, channels.Accepted, channels.Delivered, channels.Confirmed,
	channels.Failed, channels.Ambiguous, channels.Expired, channels.Cancelled,
}

func showCells(out io.Writer, c *api.Coverage) error {
	if c == nil {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprint(w, "\nchannel\teligible\t")
	for _, o := range outcomes {
		_, _ = fmt.Fprintf(w, "%s\t", o)
	}
	for _, cell := range c.Channels {
		_, _ = fmt.Fprintf(w, "\n%s\t%d\t", cell.Kind, cell.Eligible)
		for _, o := range outcomes {
			_, _ = fmt.Fprintf(w, "%d\t", cell.Outcomes[o.String()])
		}
	}
	_, _ = fmt.Fprintln(w)
	if c.Again > 0 {
		_, _ = fmt.Fprintln(w, waits(c))
	}
	if c.Cutting {
		_, _ = fmt.Fprintln(w, "more recipients are about to be counted")
	}
	return w.Flush()
}

func showCommunes(out io.Writer, c *api.Coverage) error {
	if c == nil {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "\ncode\tcommune\tchannel\teligible\tmissed\tunknown")
	for _, m := range c.Communes {
		for _, cell := range m.Channels {
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\n", m.Code, m.Name, cell.Kind, cell.Eligible, cell.Missed, cell.Unknown)
		}
	}
	return w.Flush()
}

func showList(out io.Writer, all []api.Alert) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, a := range all {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", a.ID, a.Code, a.State, a.Severity, a.CreatedAt.Format(time.DateTime), a.Author.Name)
	}
	return w.Flush()
}

// lookEvery is how often a followed alert is asked about.
const lookEvery = 500 * time.Millisecond

// follow shows the counts of an alert whenever they change, until nothing is
// pending and nobody waits for a second attempt.
func (f *alertFlags) follow(ctx context.Context, c *client, out io.Writer, id string) error {
	token, err := secretFrom(f.tokenFile, "LOA_TOKEN")
	if err != nil {
		return err
	}
	r := request{
		method: http.MethodGet, path: alertPath(id), query: map[string][]string{"coverage": {"channels"}}, token: channels.Secret(token),
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	last, failures := "", coverage.Failures{}
	for {
		var a api.Alert
		if err := c.call(ctx, r, &a); err != nil {
			return err
		}
		if a.Coverage == nil {
			return fmt.Errorf("%s is %s: nothing is being sent", id, a.State)
		}
		if line := progress(a.Coverage, &failures); line != last {
			last = line
			if _, err := fmt.Fprintln(out, line); err != nil {
				return err
			}
		}
		if !a.Coverage.Cutting && a.Coverage.Pending == 0 && a.Coverage.Again == 0 {
			return nil
		}
		if !a.OnHold.IsZero() {
			return errOnHold
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// waits says who has had one send and when a second will follow.
func waits(c *api.Coverage) string {
	return fmt.Sprintf("%d wait for a second attempt, the next is due at %s", c.Again, c.Next.Format(time.TimeOnly))
}

// progress is one line of counts. Who will be sent to once more has not failed.
func progress(c *api.Coverage, failures *coverage.Failures) string {
	var parts []string
	for _, cell := range c.Channels {
		part := []string{fmt.Sprintf("%s %d:", cell.Kind, cell.Eligible)}
		for _, o := range outcomes {
			n := cell.Outcomes[o.String()]
			if o == channels.Failed {
				n = failures.Lasting(cell.Kind, n, c.Again)
			}
			if n > 0 {
				part = append(part, fmt.Sprintf("%d %s", n, o))
			}
		}
		parts = append(parts, strings.Join(part, " "))
	}
	if len(parts) == 0 {
		return "nobody is counted yet"
	}
	if c.Again > 0 {
		parts = append(parts, waits(c))
	}
	return strings.Join(parts, " | ")
}

// showTargets lists every commune that is signed: the approver's check that
// the right places are warned, and no others.
func showTargets(out io.Writer, targets []api.Target) {
	if len(targets) == 0 {
		return
	}
	_, _ = fmt.Fprintln(out, "\nfor these communes")
	for _, t := range targets {
		_, _ = fmt.Fprintf(out, "  %s  %s\n", t.Code, t.Name)
	}
}
