package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"loa/gateway/alert"
	"loa/gateway/web/api"
)

// Every act's example is taken as it is printed, in both languages, and each
// says what it would do before it does it.
func TestExamplesOfTheActs(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LOA_CONFIG", drill(t, dir, "http://127.0.0.1:8091"))
	author := strings.TrimSpace(must(t, "person", "add", "Nguyễn Thị Soạn", "--territory", "22"))
	other := strings.TrimSpace(must(t, "person", "add", "Trần Văn Duyệt", "--territory", "22"))
	must(t, "subscribers", "import", write(t, filepath.Join(dir, "s.csv"), csvHead+"sms,0912345678,06673,vi,duty\nsms,0912345679,06673,en,duty\nsms,0912345670,06673,en,duty\n"))
	t.Setenv("LOA_TOKEN", author)
	text := must(t, "alert", "example")
	id := field(t, must(t, "alert", "draft", write(t, filepath.Join(dir, "storm.yaml"), text)), "alert")
	fails(t, "never approved", "alert", "example", "--act", "correct", id)
	correction := write(t, filepath.Join(dir, "c.yaml"), "reason: nhầm\ninfos:\n  - {language: vi-VN, template: any.correction_false}\n")
	fails(t, "an alert that is draft cannot be corrected, updated or ended by an all-clear: it was never approved", "alert", "correct", id, correction)
	fails(t, "an alert that is draft cannot be stopped: it was never approved", "alert", "stop", id, "--reason", "nhầm")
	submitted := must(t, "alert", "submit", id)
	for _, want := range []string{"NO TEXT IN ENGLISH: 2 subscribers", "CHƯA CÓ BẢN TIẾNG ANH: 2 người đăng ký nhận tin bằng tiếng Anh"} {
		if !strings.Contains(submitted, want) {
			t.Errorf("submit does not say %q:\n%s", want, submitted)
		}
	}
	fails(t, "an alert that is submitted cannot be edited: have it returned", "alert", "edit", id, filepath.Join(dir, "storm.yaml"))
	sign := func(submitted string) {
		t.Helper()
		t.Setenv("LOA_TOKEN", other)
		must(t, "alert", "approve", field(t, submitted, "alert"), "--hash", field(t, submitted, "hash"))
		t.Setenv("LOA_TOKEN", author)
	}
	sign(submitted)

	again := []string{"alert", "correct", id, filepath.Join(dir, "detail.yaml"), "--key", "k"}
	detail := must(t, "alert", "correct", id, "--key", "k", write(t, filepath.Join(dir, "detail.yaml"), "reason: sai giờ\ninfos:\n  - {language: vi-VN, template: any.correction_detail, slots: {wrong: gió cấp 10, right: gió cấp 9}}\n"))
	for _, want := range []string{"is NOT SENT", "another person signs it with:\n  loa alert approve ", id + " stands until then", "any.correction_false, or stops it", "gió cấp 9"} {
		if !strings.Contains(detail, want) {
			t.Errorf("a correction in its author's words: no %q in\n%s", want, detail)
		}
	}

	refused, _, _ := strings.Cut(detail, " ")
	must(t, "alert", "reject", refused, "--reason", "sai", "--token-file", write(t, filepath.Join(dir, "other.token"), other))
	fails(t, "is not sent: an alert that is rejected cannot be approved", again...)

	for _, act := range []string{"update", "all-clear"} {
		file := write(t, filepath.Join(dir, act+".yaml"), must(t, "alert", "example", "--act", act, id))
		next := field(t, must(t, "alert", act, id, file), "alert")
		submitted := must(t, "alert", "submit", next)
		fails(t, "needs another person's signature", "alert", "approve", next, "--hash", field(t, submitted, "hash"))
		sign(submitted)
		wrong := write(t, filepath.Join(dir, "wrong.yaml"), "status: Exercise\n"+read(t, file))
		fails(t, "wrong.yaml:1:9: status: must be Actual", "alert", act, next, wrong)
		fails(t, "alert "+next+" has taken the place of "+id, "alert", act, id, file)
		id = next
	}

	example := must(t, "alert", "example", "--act", "correct", id)
	if !strings.Contains(example, "any.correction_all_clear") {
		t.Errorf("the correction of an all-clear:\n%s", example)
	}
	file := write(t, filepath.Join(dir, "correct.yaml"), example)
	fails(t, "correction.yaml:7:15: infos[0].template: must be any.correction_all_clear", "alert", "correct", id, write(t, filepath.Join(dir, "correction.yaml"), strings.Replace(example, "correction_all_clear", "correction_false", 1)))
	seen := must(t, "alert", "correct", id, file, "--dry-run")
	done := must(t, "alert", "correct", id, file)
	for name, out := range map[string]string{"NOT SENT": seen, "is the correction, approved": done} {
		for _, want := range []string{name, "vẫn còn nguy hiểm do bão số 3", "VẪN NGUY HIỂM do bão số 3", "VAN NGUY HIEM do bao so 3", "for those who may have got " + id} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", name, want, out)
			}
		}
	}
	fails(t, "empty", "alert", "draft", write(t, filepath.Join(dir, "empty.yaml"), "# nothing\n"))
	fails(t, "--act needs the ID", "alert", "example", "--act", "update")
	if help := must(t, "alert", "approve", "--help"); !strings.Contains(help, "templates/acts.csv has two people sign its text") {
		t.Errorf("who must sign:\n%s", help)
	}
	fails(t, "an example for an alert needs --act", "alert", "example", id)
	fails(t, "one of correct, update, all-clear", "alert", "example", "--act", "stop", id)
}

const ownWords = `status: Actual
kinds: [app]
infos:
  - language: vi-VN
    headline: Sườn đồi nứt
    description: Vết nứt dài 20 m.
    categories: [Geo]
    event: Vết nứt
    urgency: Expected
    severity: Moderate
    certainty: Likely
    expires: "END"
    areas:
      - codes: ["06673"]
`

// What an alert does not tell its examples leave empty, and say so; what else
// they print is taken.
func TestExamplesOfWhatTheAlertDoesNotTell(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LOA_CONFIG", drill(t, dir, "http://127.0.0.1:8091"))
	other := write(t, filepath.Join(dir, "other.token"), must(t, "person", "add", "Trần Văn Duyệt", "--territory", "22"))
	t.Setenv("LOA_TOKEN", strings.TrimSpace(must(t, "person", "add", "Nguyễn Thị Soạn", "--territory", "22")))
	file := filepath.Join(dir, "f.yaml")
	sign := func(drafted string) string {
		t.Helper()
		submitted := must(t, "alert", "submit", field(t, drafted, "alert"))
		id := field(t, submitted, "alert")
		must(t, "alert", "approve", id, "--hash", field(t, submitted, "hash"), "--token-file", other)
		return id
	}
	example := func(act, id string) string { return must(t, "alert", "example", "--act", act, id) }

	own := sign(must(t, "alert", "draft", write(t, file, strings.Replace(ownWords, "END", time.Now().Add(time.Hour).Format(time.RFC3339), 1))))
	correction := example("correct", own)
	fails(t, "infos[0].slots.hazard", "alert", "correct", own, write(t, file, correction), "--dry-run")
	named := func(text string) string {
		return write(t, file, strings.Replace(text, `hazard: ""`, "hazard: landslide", 1))
	}
	if out := must(t, "alert", "correct", own, named(correction), "--dry-run"); !strings.Contains(out, "Không có sạt lở đất") {
		t.Error(out)
	}
	update := example("update", own)
	fails(t, "infos[0].slots.action", "alert", "submit", field(t, must(t, "alert", "update", own, named(update)), "alert"))
	clear := sign(must(t, "alert", "all-clear", own, named(example("all-clear", own))))

	update = example("update", clear)
	if strings.Contains(update, "AllClear") || !strings.Contains(update, "change: nguy hiểm trở lại") {
		t.Errorf("the update of an all-clear:\n%s", update)
	}
	back := sign(must(t, "alert", "update", clear, write(t, file, strings.Replace(update, `action: ""`, "action: leave_river", 1))))
	if status := must(t, "alert", "status", back); !strings.Contains(status, "sạt lở đất") {
		t.Error(status)
	}
	test := sign(must(t, "alert", "draft", write(t, file, must(t, "alert", "example", "--status", "Test"))))
	for _, act := range []string{"correct", "update", "all-clear"} {
		fails(t, "is a Test", "alert", "example", "--act", act, test)
	}
}

// What people are told to do is never the opposite of what the alert says.
func TestTheActionOfAnExample(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   api.Info
		want string
	}{
		"shelter from a storm":    {api.Info{Template: "storm.on_land", ResponseTypes: []alert.ResponseType{"Shelter"}}, "stay_indoors"},
		"leave before a storm":    {api.Info{Template: "storm.emergency", ResponseTypes: []alert.ResponseType{"Shelter", "Evacuate"}}, `""`},
		"a tsunami":               {api.Info{Template: "tsunami.tier3", ResponseTypes: []alert.ResponseType{"Evacuate"}}, "high_ground"},
		"a tsunami's update":      {api.Info{Template: "any.update", Slots: map[string]string{"hazard": "tsunami"}, ResponseTypes: []alert.ResponseType{"Evacuate"}}, "high_ground"},
		"a tsunami by its code":   {api.Info{EventCodes: []api.Pair{{Name: alert.HazardName, Value: "tsunami"}}, ResponseTypes: []alert.ResponseType{"Shelter"}}, `""`},
		"nothing that is told":    {api.Info{Template: "flood.warning"}, `""`},
		"monitor, and no shelter": {api.Info{Template: "storm.near", ResponseTypes: []alert.ResponseType{"Monitor"}}, `""`},
	} {
		if got := actionOf(&c.in); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
