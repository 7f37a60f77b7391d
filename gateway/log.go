package gateway

import (
	"fmt"
	"io"
	"log/slog"
	"regexp"

	"loa/gateway/config"
)

// private matches what must never be logged even if a library puts it into an
// error: phone numbers (also in a URL's query), our tokens, and the path of a
// push endpoint.
var private = regexp.MustCompile(`(?:%2[Bb]|\+|\b)(?:84|0)[\s.]?\d(?:[\s.]?\d){7,9}\b|\bloat?_[A-Za-z0-9_-]{8,}|(https?://[^/\s"]+)/[^\s"]{16,}`)

func redact(s string) string { return private.ReplaceAllString(s, "$1•••") }

// NewLog writes to w as configured. Every string and error value is searched
// for addresses and tokens on its way out.
func NewLog(w io.Writer, c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch a.Value.Kind() {
		case slog.KindString:
			if a.Key != slog.MessageKey {
				a.Value = slog.StringValue(redact(a.Value.String()))
			}
		case slog.KindAny:
			if _, isSource := a.Value.Any().(*slog.Source); !isSource {
				a.Value = slog.StringValue(redact(fmt.Sprintf("%v", a.Value.Any())))
			}
		default:
		}
		return a
	}}
	if c.Format == "text" {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}
