package main

import (
	"path/filepath"
	"strings"
	"testing"
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
	for _, want := range []string{"NO TEXT IN ENGLISH: 2 subscribers", "CHƯA CÓ BẢN TIẾNG ANH: 2 người đăng ký tiếng Anh"} {
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

	detail := must(t, "alert", "correct", id, write(t, filepath.Join(dir, "detail.yaml"), "reason: sai giờ\ninfos:\n  - {language: vi-VN, template: any.correction_detail, slots: {wrong: gió cấp 10, right: gió cấp 9}}\n"))
	for _, want := range []string{"is NOT SENT", "another person signs it with:\n  loa alert approve ", id + " stands until then", "any.correction_false, or stops it", "gió cấp 9"} {
		if !strings.Contains(detail, want) {
			t.Errorf("a correction in its author's words: no %q in\n%s", want, detail)
		}
	}

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
	fails(t, "one of correct, update, all-clear", "alert", "example", "--act", "stop", id)
}
