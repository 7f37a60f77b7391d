package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"loa/channels"
	"loa/channels/sms/smpp"
	centre "loa/channels/sms/smpp/standin"
)

// The channel that the sample shows commented out is accepted as it stands
// there, and reaches nobody.
func TestSampleOfSMPP(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := drill(t, dir, "http://127.0.0.1:8091")
	text := read(t, path)
	block := regexp.MustCompile(`(?m)^  # - driver: smpp\n(  #   .*\n)+`).FindString(text)
	shown := regexp.MustCompile(`(?m)^  # `).ReplaceAllString(block, "  ")
	if block == "" {
		t.Fatal("the sample shows no driver smpp")
	}
	text = strings.Replace(text, block, shown, 1)
	text = strings.Replace(text, "    - {provider: twilio, sender: QuangNinh}", "    - {provider: twilio, sender: QuangNinh}\n    - {provider: smpp, sender: QuangNinh}", 1)
	write(t, path, text)
	if out := must(t, "check", "--config", path); !strings.Contains(out, "4 channels") {
		t.Errorf("check says %s", out)
	}
}

// The stand-in takes what the driver sends, its books are on the disk before
// the driver knows, and a fault is a flag.
func TestStandInOfSMPP(t *testing.T) {
	t.Setenv("LOA_STANDIN_PASSWORD", "drill")
	books := filepath.Join(t.TempDir(), "books.jsonl")
	send := func(origin, text string) error {
		t.Helper()
		settings := fmt.Sprintf("address: %s\nsystem_id: loa\npassword: drill\nfrom: QuangNinh\ntimeout: 1s\n", origin)
		v, err := smpp.Driver().Open(func(v any) error { return yaml.UnmarshalWithOptions([]byte(settings), v, yaml.Strict()) }, channels.Deps{
			Sink: func(context.Context, ...channels.Receipt) error { return nil }, Origin: origin, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		s := v.(interface {
			channels.Sender
			Close() error
		})
		defer func() { _ = s.Close() }()
		_, err = s.Send(t.Context(), channels.Message{
			Ref: "r", Status: channels.Test, Expires: time.Now().Add(time.Hour), To: "+84912345678", Body: []byte(text),
		})
		return err
	}
	origin := background(t, "standin", "smpp", "--books", books).wait(t, `listening on (\S+)`)
	if err := send(origin, "Bão số 3"); err != nil {
		t.Fatal(err)
	}
	if got, err := centre.ReadBooks(books); err != nil || len(got) != 1 || got[0].Text != "Bão số 3" {
		t.Errorf("books hold %+v, %v", got, err)
	}
	broken := background(t, "standin", "smpp", "--books", books, "--fault", "accept-then-timeout").wait(t, `listening on (\S+)`)
	if err := send(broken, "Bão số 4"); err == nil || channels.AsError(err).Fault != channels.FaultAmbiguous {
		t.Errorf("a centre that does not answer: %v", err)
	}
	if got, err := centre.ReadBooks(books); err != nil || len(got) != 2 || got[1].Text != "Bão số 4" {
		t.Errorf("books hold %+v, %v", got, err)
	}
	fails(t, "--fault", "standin", "smpp", "--fault", "gremlins")
	fails(t, "loopback", "standin", "smpp", "--listen", "0.0.0.0:2775")
}
