package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every form of the example is submitted in a drill as it is printed, against
// the texts that the shipped configuration has as registered.
func TestExamplesAreSubmittable(t *testing.T) {
	dir := t.TempDir()
	config := drill(t, dir, "http://127.0.0.1:8091")
	t.Setenv("LOA_CONFIG", config)
	t.Setenv("LOA_TOKEN", strings.TrimSpace(must(t, "person", "add", "Nguyễn Thị Soạn", "--territory", "22")))
	must(t, "subscribers", "import", write(t, filepath.Join(dir, "s.csv"), "kind,address,commune,language,basis,roster\n"+
		"sms,0912345678,06673,vi,duty,true\nsms,0912345679,06673,vi,duty,\n"))
	storm := must(t, "alert", "example")
	for name, c := range map[string]struct {
		text  string
		shows []string
	}{
		"Actual":   {storm, []string{"people    sms 2,", "\nAnother person signs it with:", "tỉnh Quảng Ninh không ra ngoài\n"}},
		"Exercise": {must(t, "alert", "example", "--status", "Exercise"), []string{"people    sms 1,", "\nYou, or another person", "\n[vi-VN] DIỄN TẬP, không có nguy hiểm thật: ", "goes out\n  DI"}},
		"edited":   {strings.Replace(storm, "status: Actual", "status: Exercise", 1), []string{"people    sms 1,", "\n[vi-VN] DIỄN TẬP"}},
		"Test":     {must(t, "alert", "example", "--status", "Test"), []string{"people    sms 1,", "\n[vi-VN] THỬ NGHIỆM", "goes out\n  THỬ NGHIỆM. BCH PTDS Quảng Ninh tin"}},
	} {
		file := write(t, filepath.Join(dir, name+".yaml"), c.text)
		out := must(t, "alert", "submit", field(t, must(t, "alert", "draft", file), "alert"))
		for _, want := range append(c.shows, "communes  54\n", "  06673  Phường Bãi Cháy\n") {
			if !strings.Contains(out, want) {
				t.Errorf("%s: submit does not show %q:\n%s", name, want, out)
			}
		}
		if strings.Contains(out, "REFUSED") || strings.Contains(out, "NOT REACHED") {
			t.Errorf("%s:\n%s", name, out)
		}
	}
	fails(t, "one of Actual, Exercise, Test", "alert", "example", "--status", "Draft")
	file := write(t, filepath.Join(dir, "wrong.yaml"), strings.Replace(storm, "status: Actual", "status: Test", 1))
	fails(t, "this template must not carry this status", "alert", "submit", field(t, must(t, "alert", "draft", file), "alert"))

	// Every slot that the example gives is one that the help names, and no other.
	listed := must(t, "templates", "slots", "storm.on_land")
	for line := range strings.Lines(listed) {
		if name, _, _ := strings.Cut(line, " "); !strings.Contains(storm, "      "+name+": ") {
			t.Errorf("the example does not give %s", name)
		}
	}
	if n := strings.Count(listed, "\n"); n != 9 || !strings.Contains(must(t, "templates", "slots"), "storm.on_land") {
		t.Errorf("%d slots:\n%s", n, listed)
	}
	fails(t, "no such template", "templates", "slots", "storm.huge")
}

// Who has subscribed on a channel that is not configured is named to the author
// and to whoever signs, with the number.
func TestWhoIsNotReachedIsSaid(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	author := strings.TrimSpace(must(t, "person", "add", "Nguyễn Thị Soạn", "--territory", "22"))
	other := write(t, "other.token", must(t, "person", "add", "Trần Văn Duyệt", "--territory", "22"))
	t.Setenv("LOA_TOKEN", author)
	var rows strings.Builder
	rows.WriteString(csvHead)
	for i := range 1234 {
		_, _ = fmt.Fprintf(&rows, "sms,0912%06d,06673,vi,duty\n", i)
	}
	must(t, "subscribers", "import", write(t, "s.csv", rows.String()))
	text := strings.Replace(must(t, "alert", "example"), `["22"]`, `["06673"]`, 1)
	id := field(t, must(t, "alert", "draft", write(t, "f.yaml", text)), "alert")
	submitted := must(t, "alert", "submit", id)
	const english, vietnamese = "NOT REACHED: 1,234 of the area's subscribers on sms", "KHÔNG GỬI ĐƯỢC: 1.234 người đăng ký SMS, kênh SMS chưa cấu hình"
	for name, out := range map[string]string{
		"submit": submitted, "status": must(t, "alert", "status", id),
		"approve": must(t, "alert", "approve", id, "--hash", field(t, submitted, "hash"), "--token-file", other),
	} {
		if !strings.Contains(out, english) || !strings.Contains(out, vietnamese) {
			t.Errorf("%s:\n%s", name, out)
		}
	}
	if out := must(t, "alert", "status", id, "--json"); !strings.Contains(out, `"unheard": {`) || !strings.Contains(out, `"sms": 1234`) {
		t.Error(out)
	}
}

// The file that the help of "alert correct" shows corrects the example as it is
// printed there: the message it is about is named by itself.
func TestCorrectionExampleIsSubmittable(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LOA_CONFIG", drill(t, dir, "http://127.0.0.1:8091"))
	author := strings.TrimSpace(must(t, "person", "add", "Nguyễn Thị Soạn", "--territory", "22"))
	other := strings.TrimSpace(must(t, "person", "add", "Trần Văn Duyệt", "--territory", "22"))
	must(t, "subscribers", "import", write(t, filepath.Join(dir, "s.csv"), csvHead+"sms,0912345678,06673,vi,duty\n"))
	t.Setenv("LOA_TOKEN", author)
	id := field(t, must(t, "alert", "draft", write(t, filepath.Join(dir, "storm.yaml"), must(t, "alert", "example"))), "alert")
	submitted := must(t, "alert", "submit", id)
	code := field(t, submitted, "code")
	t.Setenv("LOA_TOKEN", other)
	must(t, "alert", "approve", id, "--hash", field(t, submitted, "hash"))

	shown := regexp.MustCompile(`(?m)^  reason: (.+\n)+`).FindString(must(t, "alert", "correct", "--help"))
	said := must(t, "alert", "correct", id, write(t, filepath.Join(dir, "correction.yaml"), shown))
	by, rest, _ := strings.Cut(said, " ")
	if !strings.HasPrefix(rest, "is the correction, approved\n") {
		t.Fatalf("correct says %s", said)
	}
	status := must(t, "alert", "status", by)
	for _, want := range []string{"Tin mã " + code + " lúc ", " là phát nhầm. Không có bão số 3", "DINH CHINH. Tin ma " + code, "replaces  " + id} {
		if !strings.Contains(status, want) {
			t.Errorf("the correction does not say %q:\n%s", want, status)
		}
	}
	if state := field(t, must(t, "alert", "status", id), "state"); state != "superseded" {
		t.Errorf("what was corrected is %s", state)
	}
}
