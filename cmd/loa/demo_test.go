package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"loa/channels"
	"loa/cmd/loa/rig"
	"loa/configs"
	"loa/gateway/demo"
	"loa/templates"
)

func TestDemoOnce(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	args := []string{"demo", "--once", "--json", "--recipients", "1500", "--seed", "3", "--listen", "127.0.0.1:0"}
	if code := run(t.Context(), args, strings.NewReader(""), &out, &errs); code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", code, out.String(), errs.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var r demo.Result
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
		t.Fatalf("the last line is not the result: %v\n%s", err, lines[len(lines)-1])
	}
	if r.Recipients != 1500 || r.Lost != 0 || r.Duplicates != 0 || r.Disagree != 0 || r.Alert == "" || r.Seconds <= 0 || r.FirstMS <= 0 {
		t.Errorf("%+v", r)
	}
	for kind, want := range map[channels.Kind]int{channels.SMS: 900, channels.WebPush: 450, channels.App: 150} {
		c := r.Channels[kind]
		if c == nil || c.Eligible != want || c.Accepted+c.Failed+c.Ambiguous != want {
			t.Errorf("%s: %+v, want %d eligible, all with an outcome", kind, c, want)
		}
	}
	if sms := r.Channels[channels.SMS]; sms.Failed == 0 || sms.Delivered != sms.Accepted {
		t.Errorf("sms: %+v: some numbers are bad on purpose, the others are reported delivered", sms)
	}
	if app := r.Channels[channels.App]; app.Delivered != app.Eligible {
		t.Errorf("app: %+v: every install acknowledges", app)
	}
	if len(rig.Steady(t, `^SMS +\d+/900 .* (\d+) không gửi được`, out.String())) < 2 || strings.Contains(out.String(), "0/0 ") {
		t.Error("the first lines do not count everybody:\n" + out.String())
	}
	if !strings.Contains(out.String(), "Đặc khu Cô Tô") {
		t.Error("there is no table of communes")
	}
	if strings.Contains(out.String(), "\x1b[") {
		t.Error("escape sequences outside a terminal")
	}
}

// TestDemoSeesDisagreement has the carrier's books lose one message: the demo
// must say so and fail.
func TestDemoSeesDisagreement(t *testing.T) {
	t.Parallel()
	world, err := newWorld(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	honest := world.Books
	world.Books = func(kind channels.Kind) (map[channels.Address]demo.Tally, error) {
		books, err := honest(kind)
		for a, tally := range books {
			if kind == channels.SMS && tally.Kept > 0 {
				delete(books, a)
				break
			}
		}
		return books, err
	}
	var out bytes.Buffer
	err = demo.Run(t.Context(), demo.Options{
		Recipients: 300, Seed: 5, Once: true, JSON: true, Listen: "127.0.0.1:0", Out: &out, World: world,
		Templates: templates.FS, Facts: configs.Areas,
	})
	if !errors.Is(err, demo.ErrBooks) {
		t.Fatalf("got %v, want ErrBooks", err)
	}
	if !strings.Contains(out.String(), `"lost":1,`) || !strings.Contains(out.String(), `"disagree":1,`) {
		t.Errorf("the result does not show the loss:\n%s", out.String())
	}
}

// TestDemoServesUntilStopped looks at the live page and then presses Ctrl-C.
func TestDemoServesUntilStopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	read, write := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"demo", "--recipients", "300", "--listen", "127.0.0.1:0"}, strings.NewReader(""), write, write)
		_ = write.Close()
	}()
	page := regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
	var url string
	lines := bufio.NewScanner(read)
	for url == "" && lines.Scan() {
		url = page.FindString(lines.Text())
	}
	if url == "" {
		t.Fatal("the demo ended without a live page")
	}
	go func() { _, _ = io.Copy(io.Discard, read) }()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("live page: %s", resp.Status)
	}
	cancel()
	select {
	case c := <-code:
		if c != 0 {
			t.Errorf("exit code %d", c)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the stop took more than five seconds")
	}
}
